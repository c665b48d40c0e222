/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef CLIENT_H
#define CLIENT_H

/* What the DPDK applications for the tests in the lab have in common. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define PAGE  4096u
#define BURST 32

#define CHECK(expr)                                                                                \
	do {                                                                                       \
		if (!(expr)) {                                                                     \
			printf("%s:%d: not so: %s (rte_errno %d)\n", __FILE__, __LINE__, #expr,    \
			       rte_errno);                                                         \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static inline void *
anonymous(size_t length)
{
	void *va = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(va != MAP_FAILED);
	return va;
}

static inline void
start_port(uint16_t port, struct rte_mempool *pool)
{
	const struct rte_eth_conf conf = { 0 };

	CHECK(rte_eth_dev_configure(port, 1, 1, &conf) == 0);
	CHECK(rte_eth_rx_queue_setup(port, 0, 256, SOCKET_ID_ANY, NULL, pool) == 0);
	CHECK(rte_eth_tx_queue_setup(port, 0, 256, SOCKET_ID_ANY, NULL) == 0);
	CHECK(rte_eth_dev_start(port) == 0);
	CHECK(rte_eth_promiscuous_enable(port) == 0);
}

/* A frame to everybody, of no protocol. */
static inline void
fill_frame(struct rte_mbuf *mbuf)
{
	char *frame = rte_pktmbuf_append(mbuf, 64);

	memset(frame, 0xff, 12);
	memset(frame + 12, 0x88, 52);
}

#endif /* CLIENT_H */
