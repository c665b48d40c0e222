/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What areas of memory cost to map and to unmap, by their size and by the number of threads
 * that do it: devtools/perf runs it.
 *
 *     area_client BDF MIB REPEAT
 *
 * Prints "perf WAY AREA-MIB THREADS BOUND MAP-MS UNMAP-MS"; BOUND is whether the threads may run
 * on one processor only, as those do that are made by a thread of EAL's and left so.
 */

#include <err.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <ioasid.h>

#include "../dpdk-ioasid/bench.h"
#include "now.h"
#include "side_by_side.h"

#define DEVICES "/sys/bus/pci/devices"
#define MIB     (UINT64_C(1) << 20)
#define PROT    (IOASID_READ | IOASID_WRITE)
/* As the plugin does it at the end. */
#define PIECE (64 * MIB)

struct trial {
	struct ioasid_ctx *ctx;
	uint32_t ioasid;
	struct bench_memory mem;
	bool by_file;
	uint64_t area;
	uint64_t piece;
};

static const uint64_t areas[] = { 2, 16, 64, 256, 1024, 4096 };

static void
check(int ret)
{
	if (ret < 0)
		errx(1, "%s", ioasid_error());
}

static uint64_t
rest(const struct trial *t, uint64_t at, uint64_t size)
{
	return t->mem.length - at < size ? t->mem.length - at : size;
}

static void
map_one(unsigned int i, void *arg)
{
	const struct trial *t = arg;
	const uint64_t at = i * t->area, va = t->mem.va + at, length = rest(t, at, t->area);

	if (t->by_file)
		check(ioasid_map_file(t->ctx, t->ioasid, va, va, length, PROT, t->mem.fds[0], at));
	else
		check(ioasid_map(t->ctx, t->ioasid, va, va, length, PROT));
}

static void
unmap_one(unsigned int i, void *arg)
{
	const struct trial *t = arg;
	const uint64_t at = i * t->piece;

	check(ioasid_unmap(t->ctx, t->ioasid, t->mem.va + at, rest(t, at, t->piece)));
}

static unsigned int
count(const struct trial *t, uint64_t size)
{
	return (unsigned int)((t->mem.length + size - 1) / size);
}

static void
bind(bool bound)
{
	static cpu_set_t all;
	cpu_set_t one;

	if (CPU_COUNT(&all) == 0)
		sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), bound ? &one : &all);
	side_by_side_note_processors();
}

static void
measure(struct trial *t, uint64_t area, unsigned int threads, bool bound)
{
	double begin, map_ms;

	t->area = area * MIB;
	t->piece = t->area < PIECE ? PIECE : t->area;
	bind(bound);
	begin = now_ms();
	side_by_side(map_one, count(t, t->area), t, threads);
	map_ms = now_ms() - begin;
	begin = now_ms();
	side_by_side(unmap_one, count(t, t->piece), t, threads);
	printf("perf %s %" PRIu64 " %u %d %.3f %.3f\n", t->by_file ? "file" : "address", area,
	       threads, bound, map_ms, now_ms() - begin);
	fflush(stdout);
}

static void
measure_all(struct trial *t)
{
	for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++) {
		measure(t, areas[i], 1, false);
		measure(t, areas[i], 2, false);
		measure(t, areas[i], 2, true);
	}
}

int
main(int argc, char **argv)
{
	struct ioasid_device *dev;
	struct trial t = { 0 };
	int repeat;

	if (argc != 4)
		errx(1, "usage: %s BDF MIB REPEAT", argv[0]);
	repeat = atoi(argv[3]);
	side_by_side_allow(true);
	check(ioasid_open(NULL, NULL, &t.ctx));
	check(ioasid_alloc(t.ctx, &t.ioasid));
	check(ioasid_join(t.ctx, DEVICES, argv[1], &dev));
	check(ioasid_attach(dev, t.ioasid));
	if (bench_memory_get(&t.mem, strtoull(argv[2], NULL, 10) * MIB, 2 * MIB, true) < 0)
		return 1;
	for (int n = 0; n < 2 * repeat; n++) {
		t.by_file = n % 2 == 1;
		if (!t.by_file || ioasid_has_map_file(t.ctx))
			measure_all(&t);
	}
	bench_memory_put(&t.mem);
	ioasid_close(t.ctx);
	return 0;
}
