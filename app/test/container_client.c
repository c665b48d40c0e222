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
 *	compat         VFIO's own calls on containers' handles
 *	cycle N BDF…   set up and release these devices N times: nothing may be left behind
 *
 * Prints what it did; exits with 0 if all of it went as it should.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <dirent.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>
#include <rte_devargs.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_version.h>
#include <rte_vfio.h>

#include "client.h"
#include "group_client.h"
#include "now.h"

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
	/* as stock EAL has it, what is mapped already is no error */
	CHECK(rte_vfio_container_dma_map(fd, va + PAGE, iova, PAGE) == 0);
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
/* Queues belong to one thread: the forwarding one is asked for new packets and restarts. */
static volatile bool packets_wanted = true;
static volatile bool restart_wanted;
static unsigned int restarts;
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

/*
 * A DMA that fails in a move is lost, and to the NIC that is an error like any other. When
 * it was the fetch of a descriptor, this one is never reported as done, and the driver
 * waits for it for ever: as after any hang of a queue, the port is started anew.
 */
static void
restart_port(uint16_t port)
{
	CHECK(rte_eth_dev_stop(port) == 0);
	CHECK(rte_eth_dev_start(port) == 0);
	restarts++;
}

struct forwarding {
	uint16_t moved; /* port */
	struct rte_mempool *pool;
};

static int
pass_on_for_ever(void *arg)
{
	const struct forwarding *f = arg;

	while (!stop) {
		if (restart_wanted) {
			restart_port(f->moved);
			restart_wanted = false;
		}
		if (packets_wanted) {
			packets_wanted = false;
			send_first(1, f->pool);
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

	for (int ms = 1; received[0] < goal[0] || received[1] < goal[1]; ms++) {
		CHECK(ms < 60000);
		if (ms % 250 == 0)
			packets_wanted = true;
		/* Once after a second, and then with time for the link to come up. */
		if (ms % 4000 == 1000)
			restart_wanted = true;
		usleep(1000);
	}
}

static int
map_segment(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	int fd = *(int *)arg;

	return msl->external ? 0 : rte_vfio_container_dma_map(fd, ms->addr_64, ms->iova, ms->len);
}

static void
move(const char *bdf, int n)
{
	struct forwarding f = { 0 };
	int group, fd;
	double slowest = 0;

	f.pool = rte_pktmbuf_pool_create("p", 4095, 64, 0, 2176, SOCKET_ID_ANY);
	CHECK(f.pool != NULL);
	CHECK(rte_eth_dev_count_avail() == 2);
	CHECK(rte_eth_dev_get_port_by_name(bdf, &f.moved) == 0);
	CHECK(rte_vfio_get_group_num(SYSFS, bdf, &group) == 1);
	fd = rte_vfio_container_create();
	CHECK(fd >= 0);
	CHECK(rte_memseg_walk(map_segment, &fd) == 0);
	start_port(0, f.pool);
	start_port(1, f.pool);
	sleep(3); /* links come up */
	CHECK(rte_eal_remote_launch(pass_on_for_ever, &f, rte_get_next_lcore(-1, 1, 0)) == 0);
	wait_for_packets(200);
	for (int i = 0; i < n; i++) {
		double begin = now_ms();

		if (i % 2 == 0) {
			CHECK(rte_vfio_container_group_bind(fd, group) >= 0);
		} else {
			/* attached nowhere, until it is sent back */
			CHECK(rte_vfio_container_group_unbind(fd, group) == 0);
			CHECK(rte_vfio_container_group_bind(RTE_VFIO_DEFAULT_CONTAINER_FD, group) >=
			      0);
		}
		slowest = RTE_MAX(slowest, now_ms() - begin);
		wait_for_packets(200);
	}
	stop = true;
	rte_eal_mp_wait_lcore();
	printf("%d moves, %" PRIu64 " and %" PRIu64 " packets, %u restarts, slowest move %.1f ms\n",
	       n, received[0], received[1], restarts, slowest);
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
	/* the same once more, or another memory, is no error, and is to be unmapped once more */
	CHECK(rte_vfio_container_dma_map(fd, va, iova, PAGE) == 0);
	CHECK(rte_vfio_container_dma_map(fd, va + PAGE, iova, PAGE) == 0);
	CHECK(rte_vfio_container_dma_unmap(fd, va, iova, PAGE) == 0);
	CHECK(rte_vfio_container_dma_unmap(fd, va, iova, PAGE) == 0);
	/* what is mapped in part only is one: a device would fault there */
	CHECK(rte_vfio_container_dma_map(fd, va, iova - PAGE, 2 * PAGE) == -1 &&
	      rte_errno == EEXIST);
	/* any set of whole maps goes by one call, a part of one does not */
	CHECK(rte_vfio_container_dma_unmap(fd, va, iova, (uint64_t)n / 2 * PAGE) == 0);
	CHECK(rte_vfio_container_dma_map(fd, va, iova, 4 * PAGE) == 0);
	CHECK(rte_vfio_container_dma_unmap(fd, va, iova, PAGE) == -1 && rte_errno == ENOTSUP);
	CHECK(rte_vfio_container_dma_unmap(fd, va, iova, 4 * PAGE) == 0);
	CHECK(rte_vfio_container_dma_unmap(fd, va, iova, PAGE) == -1 && rte_errno == EINVAL);
	CHECK(rte_vfio_container_dma_map(fd, va, iova, 0) == -1 && rte_errno == EINVAL);
	printf("%d maps\n", n);
}

/* ---- groups */

/* Of 23.11 and 24.11 each caller has one of his own to close; of others it is one for all. */
static void
check_default_handles(void)
{
	const int one = rte_vfio_get_container_fd(), other = rte_vfio_get_container_fd();
	const bool own = RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0) &&
			 RTE_VERSION < RTE_VERSION_NUM(25, 11, 0, 0);
	int reused;

	CHECK(one >= 0 && other >= 0 && (one == other) == !own);
	/* closed by a caller, its number is another file's: that is no container */
	CHECK(close(one) == 0);
	reused = eventfd(0, EFD_CLOEXEC);
	CHECK(reused >= 0 && dup2(reused, one) == one && (reused == one || close(reused) == 0));
	reused = one;
	CHECK(rte_vfio_container_dma_map(reused, 0, 0, PAGE) == -1 && rte_errno == ENOENT);
	CHECK(rte_vfio_get_container_fd() != reused);
	CHECK(close(reused) == 0);
}

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
	/* a second time in the same container it is the same */
	fd = rte_vfio_container_group_bind(container, number);
	CHECK(fd >= 0 && rte_vfio_container_group_bind(container, number) == fd);
	CHECK(rte_vfio_container_group_unbind(container, number) == 0);
	/* the default container is one, by its number and by its descriptor */
	fd = rte_vfio_container_group_bind(RTE_VFIO_DEFAULT_CONTAINER_FD, number);
	CHECK(fd >= 0 && rte_vfio_get_group_fd(number) == fd);
	CHECK(rte_vfio_container_group_bind(rte_vfio_get_container_fd(), number) == fd);
	CHECK(rte_vfio_container_group_unbind(RTE_VFIO_DEFAULT_CONTAINER_FD, number) == 0);
	/* groups that there are not */
	CHECK(rte_vfio_container_group_bind(container, 9999) == -1);
	CHECK(rte_vfio_container_group_bind(container, -1) == -1);
	/* some close it first */
	fd = rte_vfio_container_group_bind(container, number);
	CHECK(fd >= 0 && close(fd) == 0);
	CHECK(rte_vfio_clear_group(fd) == 0);
	CHECK(rte_vfio_container_destroy(container) == 0);
	check_default_handles();
	printf("groups of %s\n", bdf);
}

/* ---- compat */

static int
raw_map(int fd, void *va, uint64_t iova)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)va,
		.iova = iova,
		.size = PAGE,
	};

	return ioctl(fd, VFIO_IOMMU_MAP_DMA, &map) < 0 ? -errno : 0;
}

static int
raw_unmap(int fd, uint64_t iova)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = PAGE,
	};

	return ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &unmap) < 0 ? -errno : 0;
}

static void
compat(void)
{
	const uint64_t iova = 0x20000000;
	char *pages = anonymous(2 * PAGE);
	const uint64_t va = (uintptr_t)pages;
	int def = rte_vfio_get_container_fd(), other = rte_vfio_container_create();

	CHECK(def >= 0 && other >= 0);
	CHECK(raw_map(def, pages, iova) == 0);
	/* It is in the default container, and in no other. */
	CHECK(rte_vfio_container_dma_map(RTE_VFIO_DEFAULT_CONTAINER_FD, va + PAGE, iova, PAGE) ==
		      -1 &&
	      rte_errno == EEXIST);
	CHECK(rte_vfio_container_dma_map(other, va + PAGE, iova, PAGE) == 0);
	CHECK(raw_unmap(def, iova) == 0);
	CHECK(rte_vfio_container_dma_map(RTE_VFIO_DEFAULT_CONTAINER_FD, va, iova, PAGE) == 0);
	CHECK(raw_map(other, pages, iova + PAGE) == -ENOTTY);
	CHECK(rte_vfio_container_destroy(other) == 0);
	printf("raw maps\n");
}

/* ---- cycle */

/* What must be the same before and after. */
struct counts {
	long fds;
	long vmas;
	long pinned_kib;   /* by RLIMIT_MEMLOCK's account: VmPin and VmLck */
	long pinned_pages; /* by the machine's account */
	long free_hugepages;
};

static long
entries(const char *path)
{
	DIR *dir = opendir(path);
	long n = 0;

	CHECK(dir != NULL);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* The sum of the numbers in lines that begin with `key`; "": the number of lines. */
static long
sum_lines(const char *path, const char *key)
{
	FILE *f = fopen(path, "re");
	char line[512];
	long sum = 0;

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			sum += key[0] == '\0' ? 1 : strtol(line + strlen(key), NULL, 10);
	fclose(f);
	return sum;
}

static struct counts
count(void)
{
	return (struct counts){
		.fds = entries("/proc/self/fd"),
		.vmas = sum_lines("/proc/self/maps", ""),
		.pinned_kib = sum_lines("/proc/self/status", "VmPin:") +
			      sum_lines("/proc/self/status", "VmLck:"),
		.pinned_pages = sum_lines("/proc/vmstat", "nr_foll_pin_acquired ") -
				sum_lines("/proc/vmstat", "nr_foll_pin_released "),
		.free_hugepages = sum_lines("/proc/meminfo", "HugePages_Free:"),
	};
}

static struct counts
print_counts(const char *when)
{
	struct counts c = count();

	printf("%s: %ld fds, %ld VMAs, %ld KiB pinned, %ld pages pinned, %ld hugepages free\n",
	       when, c.fds, c.vmas, c.pinned_kib, c.pinned_pages, c.free_hugepages);
	return c;
}

static void
set_up_and_release(char *const bdfs[], int n)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int fds[n];

	for (int i = 0; i < n; i++)
		CHECK(rte_vfio_setup_device(SYSFS, bdfs[i], &fds[i], &info) == 0);
	for (int i = 0; i < n; i++)
		CHECK(rte_vfio_release_device(SYSFS, bdfs[i], fds[i]) == 0);
}

static void
cycle(int cycles, char *const bdfs[], int n)
{
	struct counts before, after;
	double begin = now_ms();

	/* Named now, after EAL has probed: no PMD has them. */
	for (int i = 0; i < n; i++)
		CHECK(rte_devargs_add(RTE_DEVTYPE_ALLOWED, bdfs[i]) == 0);
	set_up_and_release(bdfs, n);
	before = print_counts("after 1 cycle");
	for (int i = 1; i < cycles; i++)
		set_up_and_release(bdfs, n);
	after = print_counts("after all cycles");
	CHECK(memcmp(&before, &after, sizeof(before)) == 0);
	printf("%d cycles, %.1f ms each\n", cycles, (now_ms() - begin) / cycles);
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
	else if (argc == 2 && strcmp(argv[1], "compat") == 0)
		compat();
	else if (argc > 3 && strcmp(argv[1], "cycle") == 0)
		cycle(atoi(argv[2]), argv + 3, argc - 3);
	else
		CHECK(!"many N, move BDF N, maps N, groups BDF, raw BDF, compat, cycle N BDF…");
	return rte_eal_cleanup();
}
