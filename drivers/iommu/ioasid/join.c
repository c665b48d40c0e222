/* SPDX-License-Identifier: BSD-3-Clause */

#include <stddef.h>

#include <rte_eal.h>
#include <rte_uuid.h>

#include "given.h"
#include "join.h"
#include "log.h"
#include "options.h"
#include "space.h"

int
join_device(const char *sysfs, const char *bdf, struct ioasid_device **dev)
{
	rte_uuid_t token;
	struct ioasid_join_how how = {
		.flags = options.allow_insecure ? IOASID_IMPLICIT_GROUP : 0,
		.fd = given_device(bdf),
	};
	int ret;

	/* EAL's own option --vfio-vf-token */
	rte_eal_vfio_get_vf_token(token);
	if (!rte_uuid_is_null(token))
		how.vf_token = token;
	ret = ioasid_join_with(space_ctx(), sysfs, bdf, &how, dev);
	if (ret < 0)
		return ret;
	if (how.fd >= 0)
		given_used(bdf);
	if (ioasid_device_token_unchecked(*dev))
		IOASID_LOG(
			WARNING,
			"%s: this kernel asks for no VF token where a VF is opened by its device "
			"node (Linux 6.17 does):\n  whoever may open /dev/vfio/devices/* can use "
			"its VFs; only /dev/vfio/GROUP is guarded by the token",
			bdf);
	return 0;
}
