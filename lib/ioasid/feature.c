/* SPDX-License-Identifier: BSD-3-Clause */

/* What the kernel can do, asked by calls that change nothing. */

#include <errno.h>

#include "internal.h"
#include "kernel_abi.h"
#include "sys.h"

bool
ioasid_has_map_file(struct ioasid_ctx *ctx)
{
	/* Flags that no kernel knows: where the call exists, they are not supported. */
	struct kabi_map_file none = { .size = sizeof(none), .flags = UINT32_MAX, .fd = -1 };

	return ioasid_sys->ioctl(ctx->fd, KABI_MAP_FILE, &none) == -EOPNOTSUPP;
}
