/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Messages between processes, both ways: as the primary gets them from whoever can write to its
 * socket, and as a secondary gets them from what passes for the primary. The input is messages
 * as in struct wire, whatever DPDK's channel would check of them.
 */

#include "fds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_alarm.h>
#include <rte_common.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "device.h"
#include "explicit_set.h"
#include "fuzz.h"
#include "ioasid.h"
#include "multiprocess.h"
#include "stock.h"
#include "stock_secondary.h"

#define BDF "0000:01:00.0"

/* A message as the input has it. A descriptor is of fds.h: below 8, or it is not open. */
struct __attribute__((packed)) wire {
	uint8_t kind; /* whether stock EAL's, what stands in the way */
	int8_t num_fds;
	uint8_t fd;
	uint8_t peer[7]; /* in the name of its socket */
	uint16_t len_param;
	uint8_t param[60];
};

#define STOCK_REQUEST 0x01 /* of EAL's own VFIO code */
#define IS_BUSY       0x02
#define IS_STOCK      0x04
#define NO_LIST       0x08

static struct {
	enum rte_proc_type_t type;
	const uint8_t *data;
	size_t size;
	uint8_t kind;
	rte_mp_t action, stock_action;
	const struct rte_mp_msg *asked;
	unsigned int nreplies, shared;
} fake;

/* The next message of the input; false: there is none. */
static bool
next(struct rte_mp_msg *msg, char peer[64])
{
	struct wire wire = { 0 };
	const size_t n = fake.size < sizeof(wire) ? fake.size : sizeof(wire);

	if (n == 0)
		return false;
	memcpy(&wire, fake.data, n);
	fake.data += n;
	fake.size -= n;
	fake.kind = wire.kind;
	memset(msg, 0, sizeof(*msg));
	/* Most have the right length, or nothing else of them would be read. */
	msg->len_param = wire.len_param == 0 ? 60 : (int16_t)wire.len_param;
	msg->num_fds = wire.num_fds;
	for (unsigned int i = 0; i < RTE_DIM(msg->fds); i++)
		msg->fds[i] = (int8_t)wire.fd + (int)i;
	memcpy(msg->param, wire.param, sizeof(wire.param));
	snprintf(peer, 64, "/run/dpdk/rte/mp_socket_%.*s", (int)sizeof(wire.peer), wire.peer);
	return true;
}

/* ---- EAL */

enum rte_proc_type_t
rte_eal_process_type(void)
{
	return fake.type;
}

const char *
rte_eal_get_runtime_dir(void)
{
	return "/nonexistent";
}

int
rte_mp_action_register(const char *name, rte_mp_t action)
{
	if (strcmp(name, "ioasid_mp") == 0)
		fake.action = action;
	else
		fake.stock_action = action;
	return 0;
}

void
rte_mp_action_unregister(const char *name)
{
	(void)name;
}

int
rte_mp_reply(struct rte_mp_msg *msg, const char *peer)
{
	assert(peer != NULL);
	assert(msg->num_fds == 0 || (msg->num_fds == 1 && msg->fds[0] == 0));
	fake.nreplies++;
	/* EAL refuses to send these, so an answer may have the length of what was asked. */
	return msg->len_param < 0 || msg->len_param > RTE_MP_MAX_PARAM_LEN ? -1 : 0;
}

int
rte_mp_request_sync(struct rte_mp_msg *req, struct rte_mp_reply *reply, const struct timespec *ts)
{
	struct rte_mp_msg msg;
	char peer[64];

	(void)ts;
	assert(req->len_param == sizeof(((struct wire *)0)->param) && req->num_fds == 0);
	memset(reply, 0, sizeof(*reply));
	if (!next(&msg, peer)) {
		rte_errno = ETIMEDOUT;
		return -1;
	}
	if ((fake.kind & NO_LIST) != 0)
		return 0;
	/* It answers what was asked, or what it wants. */
	if ((fake.kind & STOCK_REQUEST) == 0)
		memcpy(msg.param, req->param, 40);
	reply->msgs = malloc(sizeof(msg));
	assert(reply->msgs != NULL);
	memcpy(reply->msgs, &msg, sizeof(msg));
	reply->nb_sent = reply->nb_received = 1;
	return 0;
}

int
rte_eal_alarm_set(uint64_t us, rte_eal_alarm_callback callback, void *arg)
{
	(void)us;
	callback(arg);
	return 0;
}

int
rte_eal_alarm_cancel(rte_eal_alarm_callback callback, void *arg)
{
	(void)callback;
	(void)arg;
	return 0;
}

/* ---- the plugin */

int
device_share(const char *bdf, struct device_share *share)
{
	if ((fake.kind & IS_BUSY) != 0)
		return -EAGAIN;
	if (strcmp(bdf, BDF) != 0)
		return -ENODEV;
	if (share == NULL)
		return 0;
	/* A copy for each who asks. */
	fuzz_fds_reset();
	fake.shared++;
	*share = (struct device_share){ .fd = 0, .id = 7, .ioasid = 3 };
	return 0;
}

bool
explicit_set_has_vfio(const char *bdf)
{
	(void)bdf;
	return true;
}

bool
explicit_set_is_list(void)
{
	return (fake.kind & NO_LIST) == 0;
}

int
ioasid_is_vfio(const char *sysfs, const char *bdf)
{
	(void)sysfs;
	(void)bdf;
	return 0;
}

const struct stock *
stock_in_charge(void)
{
	static const struct stock stock;

	return (fake.kind & IS_STOCK) != 0 ? &stock : NULL;
}

/* What waits for a while before it asks again. */
int fuzz_nanosleep(const struct timespec *duration, struct timespec *rest);

int
fuzz_nanosleep(const struct timespec *duration, struct timespec *rest)
{
	(void)duration;
	(void)rest;
	return 0;
}

/* ---- both ends */

static void
fuzz_primary(void)
{
	struct rte_mp_msg msg;
	unsigned int n = 0;
	char peer[64];

	while (next(&msg, peer)) {
		const unsigned int shared = fake.shared;
		rte_mp_t action =
			(fake.kind & STOCK_REQUEST) != 0 ? fake.stock_action : fake.action;

		action(&msg, peer);
		/* One answer, and the copy that went with it is closed. */
		assert(fake.nreplies == ++n);
		assert(fake.shared == shared || fuzz_closed == 1);
	}
}

static void
fuzz_secondary(void)
{
	int fd = -1;

	fuzz_fds_reset();
	multiprocess_primary_is_stock();
	if (multiprocess_setup_device(BDF, &fd) == 0) {
		assert(fuzz_adopted == 1U << fd && fuzz_closed == 0);
		assert(multiprocess_release_device(BDF, fd) == 0);
		assert(fuzz_closed == fuzz_adopted);
		assert(multiprocess_release_device(BDF, fd) == -ENODEV);
	}
	assert(multiprocess_setup_device("0000:01:00.0000000000000000000000", &fd) == -ENODEV);
	fuzz_fds_reset();
	if (multiprocess_setup_device(BDF, &fd) == 0)
		multiprocess_release_all();
	assert(fuzz_closed == fuzz_adopted);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	rte_openlog_stream(fuzz_nowhere());
	fake.data = data + 1;
	fake.size = size - 1;
	fake.kind = 0;
	fake.nreplies = fake.shared = 0;
	fake.type = data[0] % 2 == 0 ? RTE_PROC_PRIMARY : RTE_PROC_SECONDARY;
	if (fake.type == RTE_PROC_SECONDARY) {
		fuzz_secondary();
		return 0;
	}
	multiprocess_start();
	stock_secondary_answer(true);
	fuzz_primary();
	multiprocess_stop();
	return 0;
}
