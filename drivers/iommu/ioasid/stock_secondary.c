/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <rte_alarm.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "log.h"
#include "stock.h"
#include "stock_secondary.h"

/* The action of EAL's own VFIO code. */
#define STOCK_ACTION "eal_vfio_mp_sync"
#define SOCKET_NAME  "mp_socket_"
/* For as long we wait whether one that has asked for it is one of ours. */
#define PATIENCE_US 5000000

/* The process id in the name of a process' socket, where EAL has put it; else 0. */
static long
peer_pid(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name != NULL ? name + 1 : path;
	if (strncmp(name, SOCKET_NAME, strlen(SOCKET_NAME)) != 0)
		return 0;
	return strtol(name + strlen(SOCKET_NAME), NULL, 10);
}

/*
 * Who has asked us by our own protocol lately. Where librte_eal calls itself directly it
 * asks for VFIO's container in such a process, too, and cannot do without an answer.
 * Written by the one thread that answers.
 */
static long asked_lately[16];

void
stock_secondary_is_not(const char *peer)
{
	static unsigned int next;
	const long pid = peer_pid(peer);

	__atomic_store_n(&asked_lately[next++ % RTE_DIM(asked_lately)], pid, __ATOMIC_RELAXED);
}

static bool
is_remembered(long pid)
{
	for (size_t i = 0; i < RTE_DIM(asked_lately); i++)
		if (pid != 0 && __atomic_load_n(&asked_lately[i], __ATOMIC_RELAXED) == pid)
			return true;
	return false;
}

static void
report_stock(void *arg)
{
	const long pid = (long)(intptr_t)arg;

	if (!is_remembered(pid))
		IOASID_LOG(WARNING,
			   "a secondary process (%ld) runs without dpdk-ioasid, so it gets no "
			   "devices: start it under dpdk-ioasid, as this primary process was",
			   pid);
}

/* EAL's answer to stock secondaries has been replaced; EAL asks in our secondaries, too. */
static bool answers_stock, eal_asks;

/*
 * What it wants is VFIO's container, and there is none. If EAL asks, too, it may be one of
 * ours, which asks us before long.
 */
static int
handle_stock_request(const struct rte_mp_msg *msg, const void *peer)
{
	static long said_of = -1; /* it may ask again and again */
	struct rte_mp_msg reply = { .name = STOCK_ACTION, .len_param = msg->len_param };
	long pid = peer_pid(peer);
	void *arg = (void *)(intptr_t)pid;

	if (pid != said_of && (!eal_asks || rte_eal_alarm_set(PATIENCE_US, report_stock, arg) < 0))
		report_stock(arg);
	said_of = pid;
	/* No field may read as success, which is 0; without an answer it waits for 5 s. */
	memset(reply.param, 0xff, sizeof(reply.param));
	return rte_mp_reply(&reply, peer);
}

bool
stock_secondary_keeps_action(const char *name)
{
	return answers_stock && name != NULL && strcmp(name, STOCK_ACTION) == 0;
}

void
stock_secondary_answer(bool direct)
{
	if (rte_eal_process_type() != RTE_PROC_PRIMARY || stock_in_charge() != NULL ||
	    answers_stock)
		return;
	rte_mp_action_unregister(STOCK_ACTION);
	eal_asks = direct;
	answers_stock = rte_mp_action_register(STOCK_ACTION, handle_stock_request) == 0;
	if (!answers_stock && rte_errno != ENOTSUP)
		IOASID_LOG(WARNING,
			   "secondary processes without dpdk-ioasid will not be told of here: %s",
			   rte_strerror(rte_errno));
}

void
stock_secondary_stop(void)
{
	rte_eal_alarm_cancel(report_stock, (void *)-1);
}
