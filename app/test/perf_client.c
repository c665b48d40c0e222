/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What DPDK's memory costs, seen from an application (devtools/perf runs it, stock and under
 * the plugin):
 *
 *     perf_client [EAL-OPTION]… -- [REPEAT MIB]
 *
 * rte_eal_init(), then REPEAT times rte_malloc() and rte_free() of so many MiB, then
 * rte_eal_cleanup(). Each line of the output is a phase with its milliseconds, and the
 * number and milliseconds of map and unmap calls in it. The last line has the time of the
 * end, for whoever waits for the process's exit.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/vfio.h>

#include <rte_eal.h>
#include <rte_malloc.h>

#include "kernel_abi.h"

struct clock {
	atomic_uint calls;
	atomic_ullong ns;
};

static struct clock maps, unmaps;

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A program's own definition comes before libc's, for all libraries. */
__attribute__((visibility("default"))) int
ioctl(int fd, unsigned long request, ...)
{
	struct clock *clock = NULL;
	uint64_t begin;
	va_list ap;
	void *arg;
	int ret;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == VFIO_IOMMU_MAP_DMA || request == KABI_MAP || request == KABI_MAP_FILE)
		clock = &maps;
	else if (request == VFIO_IOMMU_UNMAP_DMA || request == KABI_UNMAP)
		clock = &unmaps;
	begin = now();
	ret = (int)syscall(SYS_ioctl, fd, request, arg);
	/* The library's question whether the kernel can map by file is refused. */
	if (clock != NULL && ret == 0) {
		clock->calls++;
		clock->ns += now() - begin;
	}
	return ret;
}

static void
print_phase(const char *name, uint64_t begin)
{
	printf("perf %s %.3f %u %.3f %u %.3f\n", name, (double)(now() - begin) / 1e6,
	       (unsigned int)maps.calls, (double)maps.ns / 1e6, (unsigned int)unmaps.calls,
	       (double)unmaps.ns / 1e6);
	maps.calls = unmaps.calls = 0;
	maps.ns = unmaps.ns = 0;
}

static void
churn(size_t bytes)
{
	uint64_t begin = now();
	void *p = rte_malloc(NULL, bytes, 0);

	if (p == NULL) {
		fprintf(stderr, "no memory for %zu bytes\n", bytes);
		exit(1);
	}
	print_phase("alloc", begin);
	begin = now();
	rte_free(p);
	print_phase("free", begin);
}

int
main(int argc, char **argv)
{
	uint64_t begin = now();
	int ret = rte_eal_init(argc, argv);
	unsigned long repeat = 0;
	size_t bytes = 0;

	if (ret < 0)
		return 1;
	print_phase("init", begin);
	if (argc - ret > 2) {
		repeat = strtoul(argv[ret + 1], NULL, 10);
		bytes = strtoul(argv[ret + 2], NULL, 10) << 20;
	}
	while (repeat-- > 0)
		churn(bytes);
	begin = now();
	rte_eal_cleanup();
	print_phase("cleanup", begin);
	printf("perf end %.3f\n", (double)now() / 1e6);
	fflush(stdout);
	return 0;
}
