/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What calls cost that a guard in the kernel is asked about: devtools/perf runs it with and
 * without one. Prints "perf CALL NANOSECONDS", the mean of many.
 */

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <time.h>

#include "kernel_abi.h"

#define CALLS 20000
#define MAPS  5000
#define PAGE  4096
#define IOVA  (UINT64_C(1) << 32)

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void
print(const char *call, uint64_t begin, unsigned int count)
{
	printf("perf %s %.1f\n", call, (double)(now() - begin) / count);
}

/* The cheapest: a device that has none. */
static void
measure_other(void)
{
	const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct termios termios;
	uint64_t begin;

	if (fd < 0)
		err(1, "/dev/null");
	begin = now();
	for (unsigned int i = 0; i < CALLS; i++)
		ioctl(fd, TCGETS, &termios);
	print("other", begin, CALLS);
}

static void
call(int fd, unsigned long request, void *arg)
{
	if (ioctl(fd, request, arg) < 0)
		err(1, "ioctl 0x%lx", request);
}

static void
measure_map(void)
{
	struct kabi_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct kabi_map map = {
		.size = sizeof(map),
		.flags = KABI_MAP_FIXED_IOVA | KABI_MAP_WRITEABLE | KABI_MAP_READABLE,
		.length = PAGE,
		.iova = IOVA,
	};
	struct kabi_unmap unmap = { .size = sizeof(unmap), .iova = IOVA, .length = PAGE };
	const int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	uint64_t begin;

	if (fd < 0 || page == MAP_FAILED)
		err(1, "/dev/iommu");
	call(fd, KABI_IOAS_ALLOC, &ioas);
	map.ioas_id = unmap.ioas_id = ioas.out_ioas_id;
	map.user_va = (uintptr_t)page;
	begin = now();
	for (unsigned int i = 0; i < MAPS; i++) {
		unmap.length = PAGE;
		call(fd, KABI_MAP, &map);
		call(fd, KABI_UNMAP, &unmap);
	}
	print("map_unmap", begin, MAPS);
}

int
main(void)
{
	measure_other();
	measure_map();
	return 0;
}
