/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A DPDK application that uses containers, for the tests in the lab; it knows nothing
 * of the plugin. After EAL's arguments:
 *
 *	many N         create N containers, use and destroy them
 *	move BDF N     move BDF's group N times to another container and back, while two
 *	               cabled ports pass packets on for ever
 *	maps N         N user maps on the default container, some unmaps, and what must fail
 *	groups BDF     the descriptors of groups: what is given out, and what is not
 *	raw BDF        a library that makes ioctls of VFIO groups uses BDF (group_client.c)
 *
 * Prints what it did; exits with 0 if all of it went as it should.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_vfio.h>

#include "client.h"
#include "group_client.h"

#define SYSFS "/sys/bus/pci/devices"

/* ---- many */

static void
use_container(int fd, void *page)
{
	const uint64_t va = (uintptr_t)page, iova = 0x100000000;
	struct pollfd p = { .fd = fd };

	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(poll(&p, 1, 0) >= 0 && (p.revents & POLLNVAL) == 0);
	/* each has an address space of its own: the same IOVA is free in all of them */
	CHECK(rte_vfio_container_dma_map(fd, va, iova, PAGE) == 0);
	CHECK(rte_vfio_container_dma_map(fd, va + PAGE, iova, PAGE) == -1);
	CHECK(rte_errno == EEXIST);
}

static void
many(int n)
{
	int *fds = calloc((size_t)n, sizeof(*fds));
	char *pages = anonymous(2 * PAGE);

	CHECK(fds != NULL);
	for (int i = 0; i < n; i++) {
		fds[i] = rte_vfio_container_create();
		CHECK(fds[i] >= 0);
		for (int j = 0; j < i; j++)
			CHECK(fds[j] != fds[i]);
		use_container(fds[i], pages);
	}
	for (int i = 0; i < n; i++)
		CHECK(rte_vfio_container_destroy(fds[i]) == 0);
	CHECK(rte_vfio_container_destroy(fds[0]) == -1);
	CHECK(rte_vfio_container_dma_map(fds[0], (uintptr_t)pages, 0, PAGE) == -1);
	printf("%d containers\n", n);
	free(fds);
}

/* ---- move */

static volatile bool stop;
/* A queue belongs to one thread: the forwarding one is asked to send new packets. */
static volatile bool wanted = true;
static volatile uint64_t received[2];

static void
pass_on(uint16_t port)
{
	struct rte_mbuf *mbufs[BURST];
	uint16_t n = rte_eth_rx_burst(port, 0, mbufs, BURST);
	uint16_t sent = rte_eth_tx_burst(port, 0, mbufs, n);

	received[port] += n;
	while (sent < n)
		rte_pktmbuf_free(mbufs[sent++]);
}

static void
send_first(uint16_t port, struct rte_mempool *pool)
{
	struct rte_mbuf *mbufs[BURST];

	CHECK(rte_pktmbuf_alloc_bulk(pool, mbufs, BURST) == 0);
	for (int i = 0; i < BURST; i++)
		fill_frame(mbufs[i]);
	for (int i = rte_eth_tx_burst(port, 0, mbufs, BURST); i < BURST; i++)
		rte_pktmbuf_free(mbufs[i]);
}

static int
pass_on_for_ever(void *arg)
{
	while (!stop) {
		if (wanted) {
			wanted = false;
			send_first(1, arg);
		}
		pass_on(0);
		pass_on(1);
	}
	return 0;
}

/* Packets are lost in a move when the IOMMU has no table for a moment: send new ones. */
static void
wait_for_packets(uint64_t more)
{
	const uint64_t goal[2] = { received[0] + more, received[1] + more };

	for (int ms = 0; received[0] < goal[0] || received[1] < goal[1]; ms++) {
		CHECK(ms < 20000);
		if (ms % 500 == 499)
			wanted = true;
		usleep(1000);
	}
}

static int
map_segment(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	int fd = *(int *)arg;

	return msl->external ? 0 : rte_vfio_container_dma_map(fd, ms->addr_64, ms->iova, ms->len);
}

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
move(const char *bdf, int n)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create("p", 4095, 64, 0, 2176, SOCKET_ID_ANY);
	int group, fd;
	double slowest = 0;

	CHECK(pool != NULL);
	CHECK(rte_eth_dev_count_avail() == 2);
	CHECK(rte_vfio_get_group_num(SYSFS, bdf, &group) == 1);
	fd = rte_vfio_container_create();
	CHECK(fd >= 0);
	CHECK(rte_memseg_walk(map_segment, &fd) == 0);
	start_port(0, pool);
	start_port(1, pool);
	sleep(3); /* links come up */
	CHECK(rte_eal_remote_launch(pass_on_for_ever, pool, rte_get_next_lcore(-1, 1, 0)) == 0);
	wait_for_packets(1000);
	for (int i = 0; i < n; i++) {
		double begin = now_ms();

		if (i % 2 == 0)
			CHECK(rte_vfio_container_group_bind(fd, group) >= 0);
		else
			CHECK(rte_vfio_container_group_unbind(fd, group) == 0);
		slowest = RTE_MAX(slowest, now_ms() - begin);
		wait_for_packets(1000);
	}
	stop = true;
	rte_eal_mp_wait_lcore();
	printf("%d moves, %" PRIu64 " and %" PRIu64 " packets, slowest move %.1f ms\n", n,
	       received[0], received[1], slowest);
	CHECK(rte_vfio_container_destroy(fd) == 0);
}

/* ---- maps */

static void
maps(int n)
{
	const int fd = RTE_VFIO_DEFAULT_CONTAINER_FD;
	const uint64_t iova = 0x20000000;
	uint64_t va = (uintptr_t)anonymous((size_t)n * PAGE);

	/* backwards, so that the order of insertion is not that of addresses */
	for (int i = n - 1; i >= 0; i--)
		CHECK(rte_vfio_container_dma_map(fd, va + (uint64_t)i * PAGE,
						 iova + (uint64_t)i * PAGE, PAGE) == 0);
	/* the same once more is no error, another memory there is */
	CHECK(rte_vfio_container_dma_map(fd, va, iova, PAGE) == 0);
	CHECK(rte_vfio_container_dma_map(fd, va + PAGE, iova, PAGE) == -1 && rte_errno == EEXIST);
	/* any set of whole maps goes by one call, a part of one does not */
	CHECK(rte_vfio_container_dma_unmap(fd, va, iova, (uint64_t)n / 2 * PAGE) == 0);
	CHECK(rte_vfio_container_dma_map(fd, va, iova, 4 * PAGE) == 0);
	CHECK(rte_vfio_container_dma_unmap(fd, va, iova, PAGE) == -1 && rte_errno == EINVAL);
	CHECK(rte_vfio_container_dma_unmap(fd, va, iova, 4 * PAGE) == 0);
	CHECK(rte_vfio_container_dma_unmap(fd, va, iova, PAGE) == -1 && rte_errno == ENOENT);
	CHECK(rte_vfio_container_dma_map(fd, va, iova, 0) == -1 && rte_errno == EINVAL);
	printf("%d maps\n", n);
}

/* ---- groups */

static void
groups(const char *bdf)
{
	int container = rte_vfio_container_create();
	int number, fd;

	CHECK(container >= 0);
	CHECK(rte_vfio_get_group_num(SYSFS, bdf, &number) == 1);
	/* a device is in use, but by no group */
	CHECK(rte_vfio_get_group_fd(number) == -1 && rte_errno == ENOTSUP);
	CHECK(rte_vfio_get_group_fd(9999) == -ENOENT && rte_errno == ENOENT);
	CHECK(rte_vfio_clear_group(container) == -1 && rte_errno == ENOENT);
	/* what is bound to a container has one, the same each time */
	fd = rte_vfio_container_group_bind(container, number);
	CHECK(fd >= 0);
	CHECK(rte_vfio_get_group_fd(number) == fd);
	/* cleared: not bound any more, and the descriptor is the caller's, who may use it on */
	CHECK(rte_vfio_clear_group(fd) == 0);
	CHECK(fcntl(fd, F_GETFD) >= 0);
	CHECK(rte_vfio_clear_group(fd) == -1 && rte_errno == ENOENT);
	CHECK(rte_vfio_container_group_unbind(container, number) == -1);
	CHECK(close(fd) == 0);
	/* some close it first */
	fd = rte_vfio_container_group_bind(container, number);
	CHECK(fd >= 0 && close(fd) == 0);
	CHECK(rte_vfio_clear_group(fd) == 0);
	CHECK(rte_vfio_container_destroy(container) == 0);
	CHECK(rte_vfio_get_container_fd() >= 0);
	CHECK(rte_vfio_get_container_fd() == rte_vfio_get_container_fd());
	printf("groups of %s\n", bdf);
}

int
main(int argc, char **argv)
{
	int taken = rte_eal_init(argc, argv);

	CHECK(taken >= 0);
	argc -= taken;
	argv += taken;
	if (argc == 3 && strcmp(argv[1], "many") == 0)
		many(atoi(argv[2]));
	else if (argc == 4 && strcmp(argv[1], "move") == 0)
		move(argv[2], atoi(argv[3]));
	else if (argc == 3 && strcmp(argv[1], "maps") == 0)
		maps(atoi(argv[2]));
	else if (argc == 3 && strcmp(argv[1], "groups") == 0)
		groups(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "raw") == 0)
		CHECK(group_client(SYSFS, argv[2]) == 0);
	else
		CHECK(!"many N, move BDF N, maps N, groups BDF or raw BDF");
	return rte_eal_cleanup();
}
