/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_CROWD_H
#define IOASID_CROWD_H

/*
 * Devices to which the same is done at a time, since each is reset by it, and a reset is
 * mostly waiting. But a physical function that is reset takes its virtual functions away for
 * a moment: they are not of the same time.
 */

#include <stdbool.h>

#include <ioasid.h>

struct crowd {
	struct crowd_device {
		char bdf[IOASID_BDF_SIZE];
		bool virtual; /* a function of a physical one that is here, too */
	} * devices;
	unsigned int count;
	unsigned int room;
};

/* What comes first where there are functions of both kinds. */
enum crowd_order { CROWD_PHYSICAL_FIRST, CROWD_VIRTUAL_FIRST };

/* 0 or -ENOMEM. */
int crowd_add(struct crowd *crowd, const char *bdf);

/* sysfs: PCI's directory of devices. */
void crowd_do(struct crowd *crowd, const char *sysfs, enum crowd_order order,
	      void (*fn)(const char *bdf, void *arg), void *arg);

/* All of them that nobody uses leave the context. */
void crowd_leave(struct crowd *crowd, const char *sysfs, struct ioasid_ctx *ctx);

void crowd_clear(struct crowd *crowd);

#endif /* IOASID_CROWD_H */
