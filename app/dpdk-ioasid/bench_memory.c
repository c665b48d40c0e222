/* SPDX-License-Identifier: BSD-3-Clause */

/* Hugepages to be mapped, without a mount: memfd. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/memfd.h>

#include "bench.h"

/* Where EAL puts its memory, too: also an IOMMU of 39 bits gets there. */
#define WANTED_VA UINT64_C(0x100000000)

static int
add_file(struct bench_memory *mem, uint64_t offset, uint64_t length)
{
	const unsigned int log2 = __builtin_ctzll(mem->page_size);
	const int flags = MFD_CLOEXEC | MFD_HUGETLB | (int)(log2 << MFD_HUGE_SHIFT);
	int fd = memfd_create("dpdk-ioasid bench", (unsigned int)flags);
	void *va = (void *)(uintptr_t)(mem->va + offset);

	if (fd < 0)
		return -errno;
	mem->fds[mem->nfds++] = fd;
	if (ftruncate(fd, (off_t)length) < 0 ||
	    mmap(va, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd,
		 0) == MAP_FAILED)
		return -errno;
	return 0;
}

/* Address space that begins at a multiple of the page size. */
static int
reserve(struct bench_memory *mem)
{
	void *hint = (void *)(uintptr_t)WANTED_VA;
	void *va = mmap(hint, mem->length + mem->page_size, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (va == MAP_FAILED)
		return -errno;
	mem->va = ((uintptr_t)va + mem->page_size - 1) & ~(mem->page_size - 1);
	return 0;
}

/* A file a page is more than most users may have open. */
static void
raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int
fill(struct bench_memory *mem)
{
	const uint64_t file = mem->one_file ? mem->length : mem->page_size;
	int ret = reserve(mem);

	raise_files();
	mem->fds = calloc(mem->length / file, sizeof(*mem->fds));
	if (ret == 0 && mem->fds == NULL)
		ret = -ENOMEM;
	for (uint64_t at = 0; ret == 0 && at < mem->length; at += file)
		ret = add_file(mem, at, file);
	return ret;
}

int
bench_memory_get(struct bench_memory *mem, uint64_t length, uint64_t page_size, bool one_file)
{
	int ret;

	*mem = (struct bench_memory){
		.length = length,
		.page_size = page_size,
		.one_file = one_file,
	};
	ret = fill(mem);
	if (ret == 0)
		return 0;
	fprintf(stderr,
		"dpdk-ioasid: no %" PRIu64 " MiB in hugepages of %" PRIu64
		" KiB (%s): raise their number in /sys/kernel/mm/hugepages, and ulimit -n\n",
		length >> 20, page_size >> 10, strerror(-ret));
	bench_memory_put(mem);
	return ret;
}

void
bench_memory_put(struct bench_memory *mem)
{
	if (mem->va != 0)
		munmap((void *)(uintptr_t)mem->va, mem->length);
	while (mem->nfds > 0)
		close(mem->fds[--mem->nfds]);
	free(mem->fds);
	mem->fds = NULL;
	mem->va = 0;
}
