/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

/* The actions of `dpdk-ioasid guard`, but for those that change it (command.c): exit statuses. */

#include <linux/types.h>
#include <stdbool.h>

/* All that was recorded, then what comes, until it is interrupted. */
int guard_log(bool json, bool follow);
int guard_status(bool json);

#define GUARD_TIME      "%Y-%m-%d %H:%M:%S"
#define GUARD_TIME_JSON "%Y-%m-%dT%H:%M:%S%z"

/* A time of the guard's, as a local one, as strftime() has it. */
void
guard_time(__u64 boot, const char *format, char text[32]) __attribute__((format(strftime, 2, 0)));
/* The name of an ioctl that it judges. */
const char *guard_call_name(__u32 call);

#endif /* GUARD_GUARD_H */
