/* SPDX-License-Identifier: BSD-3-Clause */

/* In place of the guard, where the command was built without libbpf, clang or bpftool. */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "command.h"
#include "guard/pins.h"
#include "machine/files.h"
#include "machine/model.h"

int
command_guard(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	fputs("dpdk-ioasid guard: this was built without it (libbpf, clang and bpftool are "
	      "needed)\n",
	      stderr);
	return STATUS_NO;
}

/* That there is one can still be seen. */
void
guard_read(struct guard *guard)
{
	const struct path pins = machine_path(PIN_DIRECTORY);

	if (access(pins.s, F_OK) < 0 && errno == ENOENT)
		guard->there = NO;
}

void
guard_clear(struct guard *guard)
{
	(void)guard;
}
