/* SPDX-License-Identifier: BSD-3-Clause */

/* One way of mapping, once: VFIO's container by its ioctls, iommufd by lib/ioasid. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "bench.h"
#include "command.h"
#include "machine/files.h"

const struct bench_way bench_ways[] = {
	{ "type1_page", "container, a call a page (DPDK 23.07 and later)", true, false, false },
	{ "type1_all", "container, one call (DPDK 22.11)", true, false, true },
	{ "address_page", "iommufd by address, a call a page (DPDK 26.11)", false, false, false },
	{ "address_all", "iommufd by address, one call (plugin, less than 1 GiB)", false, false,
	  true },
	{ "file_page", "iommufd by file, a call a page (plugin, 1 GiB and more)", false, true,
	  false },
	{ "file_all", "iommufd by file, one call (plugin, --single-file-segments)", false, true,
	  true },
};
const unsigned int bench_nways = sizeof(bench_ways) / sizeof(bench_ways[0]);

/* What is open while a way is tried. */
struct space {
	const struct bench_way *way;
	const char *bdf;
	const struct bench_memory *mem;
	int container, group, device;
	struct ioasid_ctx *ctx;
	struct ioasid_device *dev;
	uint32_t ioasid;
};

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int
complain_of(const struct space *s, const char *what, int err)
{
	complain(s->bdf, "%s: %s", what, strerror(err));
	return -err;
}

/* ---- opening and closing */

static int
open_type1(struct space *s)
{
	unsigned int number;
	char path[64];
	int ret = ioasid_group_number(machine_devices(), s->bdf, &number);

	if (ret < 0) {
		fprintf(stderr, "dpdk-ioasid: %s\n", ioasid_error());
		return ret;
	}
	s->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (s->container < 0)
		return -EOPNOTSUPP;
	snprintf(path, sizeof(path), "/dev/vfio/%u", number);
	s->group = open(path, O_RDWR | O_CLOEXEC);
	if (s->group < 0)
		return complain_of(s, path, errno);
	if (ioctl(s->group, VFIO_GROUP_SET_CONTAINER, &s->container) < 0 ||
	    ioctl(s->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		return complain_of(s, "VFIO container", errno);
	/* As EAL does: what is opened is reset when it is closed, which takes its time. */
	s->device = ioctl(s->group, VFIO_GROUP_GET_DEVICE_FD, s->bdf);
	return s->device < 0 ? complain_of(s, "VFIO_GROUP_GET_DEVICE_FD", errno) : 0;
}

static int
open_iommufd(struct space *s)
{
	int ret = ioasid_open(NULL, NULL, &s->ctx);

	if (ret == -ENOENT || ret == -ENODEV)
		return -EOPNOTSUPP;
	if (ret == 0 && s->way->by_file && !ioasid_has_map_file(s->ctx))
		return -EOPNOTSUPP;
	if (ret == 0)
		ret = ioasid_alloc(s->ctx, &s->ioasid);
	if (ret == 0)
		ret = ioasid_join(s->ctx, machine_devices(), s->bdf, &s->dev);
	if (ret == 0)
		ret = ioasid_attach(s->dev, s->ioasid);
	if (ret < 0)
		fprintf(stderr, "dpdk-ioasid: %s\n", ioasid_error());
	return ret;
}

static void
close_all(struct space *s)
{
	ioasid_close(s->ctx);
	if (s->device >= 0)
		close(s->device);
	if (s->group >= 0)
		close(s->group);
	if (s->container >= 0)
		close(s->container);
}

/* ---- mapping */

static int
map_type1(const struct space *s, uint64_t offset, uint64_t length)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = s->mem->va + offset,
		.iova = s->mem->va + offset,
		.size = length,
	};

	return ioctl(s->container, VFIO_IOMMU_MAP_DMA, &arg) < 0
		       ? complain_of(s, "VFIO_IOMMU_MAP_DMA", errno)
		       : 0;
}

static int
map_iommufd(const struct space *s, uint64_t offset, uint64_t length)
{
	const struct bench_memory *mem = s->mem;
	const unsigned int prot = IOASID_READ | IOASID_WRITE;
	const uint64_t va = mem->va + offset;
	int ret;

	if (!s->way->by_file)
		ret = ioasid_map(s->ctx, s->ioasid, va, va, length, prot);
	else if (mem->one_file)
		ret = ioasid_map_file(s->ctx, s->ioasid, va, va, length, prot, mem->fds[0], offset);
	else
		ret = ioasid_map_file(s->ctx, s->ioasid, va, va, length, prot,
				      mem->fds[offset / mem->page_size], 0);
	if (ret < 0)
		fprintf(stderr, "dpdk-ioasid: %s\n", ioasid_error());
	return ret;
}

static int
map_all(const struct space *s, struct bench_result *result)
{
	const uint64_t step = s->way->one_call ? s->mem->length : s->mem->page_size;
	const double begin = now_ms();
	int ret = 0;

	result->calls = 0;
	for (uint64_t at = 0; ret == 0 && at < s->mem->length; at += step) {
		ret = s->way->type1 ? map_type1(s, at, step) : map_iommufd(s, at, step);
		result->calls++;
	}
	result->ms[BENCH_MAP] = now_ms() - begin;
	return ret;
}

static int
unmap_all(const struct space *s, struct bench_result *result)
{
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg),
		.iova = s->mem->va,
		.size = s->mem->length,
	};
	const double begin = now_ms();
	int ret = 0;

	if (!s->way->type1)
		ret = ioasid_unmap(s->ctx, s->ioasid, s->mem->va, s->mem->length);
	else if (ioctl(s->container, VFIO_IOMMU_UNMAP_DMA, &arg) < 0)
		ret = complain_of(s, "VFIO_IOMMU_UNMAP_DMA", errno);
	result->ms[BENCH_UNMAP] = now_ms() - begin;
	return ret;
}

/* ---- what it looks like in the kernel */

/* VFIO's container accounts locked memory, iommufd pinned. */
static uint64_t
read_pinned(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	uint64_t sum = 0, kib;
	char line[128];

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmPin: %" SCNu64, &kib) == 1 ||
		    sscanf(line, "VmLck: %" SCNu64, &kib) == 1)
			sum += kib << 10;
	fclose(f);
	return sum;
}

/* Levels of an entry of Intel's table: "IOVA_PFN | PML5E PML4E PDPE [PDE [PTE]]". */
static unsigned int
count_levels(char *line)
{
	char *save = NULL, *word;
	unsigned int n = 0, last = 0;

	strtok_r(line, " |\t\n", &save); /* IOVA_PFN */
	while ((word = strtok_r(NULL, " |\t\n", &save)) != NULL) {
		n++;
		if (strspn(word, "0x") != strlen(word))
			last = n;
	}
	return last;
}

static void
read_entries(const char *bdf, struct bench_result *result)
{
	const struct path path =
		machine_path("/sys/kernel/debug/iommu/intel/%s/domain_translation_struct", bdf);
	FILE *f = fopen(path.s, "re");
	unsigned int levels;
	char line[256];

	if (f == NULL)
		return;
	result->has_entries = true;
	while (fgets(line, sizeof(line), f) != NULL) {
		levels = strncmp(line, "0x", 2) == 0 ? count_levels(line) : 0;
		if (levels >= 3 && levels <= 5)
			result->entries[5 - levels]++;
	}
	fclose(f);
}

static int
measure(struct space *s, struct bench_result *result)
{
	const uint64_t pinned = read_pinned();
	int ret = map_all(s, result);

	if (ret == 0) {
		result->pinned = read_pinned() - pinned;
		read_entries(s->bdf, result);
		ret = unmap_all(s, result);
	}
	/* Once more, for the cost of an end with all mapped. */
	return ret == 0 ? map_all(s, result) : ret;
}

int
bench_way_run(const struct bench_way *way, const char *bdf, const struct bench_memory *mem,
	      struct bench_result *result)
{
	struct space s = {
		.way = way, .bdf = bdf, .mem = mem, .container = -1, .group = -1, .device = -1
	};
	double begin;
	int ret = way->type1 ? open_type1(&s) : open_iommufd(&s);

	*result = (struct bench_result){ 0 };
	if (ret == 0)
		ret = measure(&s, result);
	begin = now_ms();
	close_all(&s);
	result->ms[BENCH_EXIT] = now_ms() - begin;
	return ret;
}
