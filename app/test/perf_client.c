/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What DPDK's memory costs, seen from an application (devtools/perf runs it, stock and under
 * the plugin):
 *
 *     perf_client [EAL-OPTION]… -- [REPEAT MIB]
 *
 * rte_eal_init(), then REPEAT times rte_malloc() and rte_free() of so many MiB, then
 * rte_eal_cleanup(). Each line of the output is a phase with its milliseconds, and the
 * number of map and unmap calls in it with the milliseconds in which one at least was under
 * way. "perf devices" has the milliseconds
 * in which at least one device was opened, reset, closed: the kernel resets it in each. The
 * last line has the time of the end, for whoever waits for the process's exit.
 */

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/vfio.h>

#include <rte_eal.h>
#include <rte_malloc.h>

#include "kernel_abi.h"

/* Of calls that several threads make at a time, time counts once. */
struct span {
	unsigned int calls; /* that succeeded */
	unsigned int running;
	uint64_t begin;
	uint64_t ns;
};

#define MOST_FDS 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct span maps, unmaps, opens, resets, closes;
static bool is_device[MOST_FDS];

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
span_begin(struct span *span)
{
	pthread_mutex_lock(&lock);
	if (span->running++ == 0)
		span->begin = now();
	pthread_mutex_unlock(&lock);
}

static void
span_end(struct span *span, int ret)
{
	pthread_mutex_lock(&lock);
	span->calls += ret >= 0;
	if (--span->running == 0)
		span->ns += now() - span->begin;
	pthread_mutex_unlock(&lock);
}

/* What resets a device, by one interface or the other. */
static int
device_ioctl(int fd, unsigned long request, void *arg)
{
	struct span *span = request == VFIO_DEVICE_RESET ? &resets : &opens;
	int ret;

	span_begin(span);
	ret = (int)syscall(SYS_ioctl, fd, request, arg);
	span_end(span, ret);
	if (request == VFIO_GROUP_GET_DEVICE_FD)
		fd = ret;
	if (ret >= 0 && fd < MOST_FDS)
		is_device[fd] = true;
	return ret;
}

/* A program's own definition comes before libc's, for all libraries. */
__attribute__((visibility("default"))) int
close(int fd)
{
	int ret;

	if (fd < 0 || fd >= MOST_FDS || !is_device[fd])
		return (int)syscall(SYS_close, fd);
	is_device[fd] = false;
	span_begin(&closes);
	ret = (int)syscall(SYS_close, fd);
	span_end(&closes, ret);
	return ret;
}

/* NULL: of no interest. */
static struct span *
span_of(unsigned long request)
{
	if (request == VFIO_IOMMU_MAP_DMA || request == KABI_MAP || request == KABI_MAP_FILE)
		return &maps;
	if (request == VFIO_IOMMU_UNMAP_DMA || request == KABI_UNMAP)
		return &unmaps;
	return NULL;
}

__attribute__((visibility("default"))) int
ioctl(int fd, unsigned long request, ...)
{
	struct span *span = span_of(request);
	va_list ap;
	void *arg;
	int ret;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == KABI_BIND || request == VFIO_GROUP_GET_DEVICE_FD ||
	    request == VFIO_DEVICE_RESET)
		return device_ioctl(fd, request, arg);
	if (span == NULL)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	span_begin(span);
	ret = (int)syscall(SYS_ioctl, fd, request, arg);
	span_end(span, ret);
	return ret;
}

static void
print_phase(const char *name, uint64_t begin)
{
	printf("perf %s %.3f %u %.3f %u %.3f\n", name, (double)(now() - begin) / 1e6, maps.calls,
	       (double)maps.ns / 1e6, unmaps.calls, (double)unmaps.ns / 1e6);
	maps = unmaps = (struct span){ 0 };
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
	printf("perf devices %.3f %.3f %.3f\n", (double)opens.ns / 1e6, (double)resets.ns / 1e6,
	       (double)closes.ns / 1e6);
	printf("perf end %.3f\n", (double)now() / 1e6);
	fflush(stdout);
	return 0;
}
