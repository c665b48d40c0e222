/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_BENCH_H
#define IOASID_BENCH_H

/* What `bench` measures: ways to give a device so much memory. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hugepages in the process, IOVA = VA; their files in both of EAL's layouts. */
struct bench_memory {
	uint64_t va;
	uint64_t length;
	uint64_t page_size;
	bool one_file;
	int *fds; /* one, or one a page */
	unsigned int nfds;
};

struct bench_way {
	const char *name; /* in JSON */
	const char *text;
	bool type1;    /* VFIO's container, or iommufd */
	bool by_file;  /* or by address */
	bool one_call; /* or one a page; by file: memory of one file */
};

extern const struct bench_way bench_ways[];
extern const unsigned int bench_nways;

/* What takes time; BENCH_EXIT: to close all with the memory mapped. */
enum bench_time { BENCH_MAP, BENCH_UNMAP, BENCH_EXIT, BENCH_NTIMES };

struct bench_result {
	double ms[BENCH_NTIMES];
	uint64_t calls;      /* of map */
	uint64_t pinned;     /* bytes, by the kernel's account of the process */
	uint64_t entries[3]; /* of the IOMMU's page table: 4 KiB, 2 MiB, 1 GiB */
	bool has_entries;    /* debugfs shows them */
};

/* bench_memory.c: 0 or -errno, said on stderr */
int bench_memory_get(struct bench_memory *mem, uint64_t length, uint64_t page_size, bool one_file);
void bench_memory_put(struct bench_memory *mem);

/*
 * bench_way.c: do it once. 0; -EOPNOTSUPP not in this kernel; or -errno, said on stderr.
 */
int bench_way_run(const struct bench_way *way, const char *bdf, const struct bench_memory *mem,
		  struct bench_result *result);

/* bench_show.c: what was measured as text; as an SVG plot of times over sizes, 0 or -1, said */
void bench_print(const json_t *result);
int bench_plot(const json_t *result, const char *path);

#endif /* IOASID_BENCH_H */
