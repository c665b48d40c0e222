/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * dpdk-ioasid bench: what it costs to give a device memory, side by side in one run on one
 * device. What is measured is a JSON value, which is printed as it is, as text or as a plot.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <jansson.h>

#include "bench.h"
#include "binding/driver.h"
#include "command.h"
#include "judge/judge.h"

#define MAX_SIZES  16
#define MAX_REPEAT 100
/* bench_nways at most */
#define MAX_WAYS 8

struct bench {
	struct bdfs bdfs;
	uint64_t sizes[MAX_SIZES];
	unsigned int nsizes;
	uint64_t page_size;
	unsigned int repeat;
	bool json;
	const char *svg;
};

static const struct argp_option options[] = {
	{ "size", 's', "SIZE[,SIZE...]", 0, "Memory to map, with M or G; default: 1G", 0 },
	{ "page-size", 'p', "SIZE", 0, "Of the hugepages, 2M or 1G; default: 2M", 0 },
	{ "repeat", 'n', "N", 0, "Times that each way is tried; default: 5", 0 },
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ "svg", 'o', "FILE", 0, "Also plot the time to map over the sizes (needs gnuplot)", 0 },
	{ 0 },
};

static const char doc[] =
	"Measure what it costs to map memory for a device and to unmap it, in the ways of DPDK's "
	"releases and of the plugin, in turn. The device must be bound to vfio-pci, used by "
	"nobody, and alone in its IOMMU group. The memory is hugepages that are free."
	"\vms map, unmap, exit: milliseconds, the median; exit is the closing of everything with "
	"the memory mapped. pages: the entries of the IOMMU's page table, where the kernel shows "
	"them (debugfs, Intel).\n\n"
	"Exit status: 0 if all was measured; 1 if something could not be; 2 if the arguments are "
	"wrong or there is no such device.";

/* "512M" or "4G" in bytes; 0: neither. */
static uint64_t
parse_size(const char *text, char **end)
{
	const uint64_t number = strtoull(text, end, 10);

	if (*end == text || number == 0 || number > UINT32_MAX)
		return 0;
	switch (*(*end)++) {
	case 'M':
		return number << 20;
	case 'G':
		return number << 30;
	default:
		return 0;
	}
}

static void
parse_sizes(struct bench *bench, const char *arg, struct argp_state *state)
{
	char *end = (char *)arg - 1;

	bench->nsizes = 0;
	do {
		if (bench->nsizes == MAX_SIZES)
			argp_error(state, "more than %d sizes", MAX_SIZES);
		bench->sizes[bench->nsizes] = parse_size(end + 1, &end);
		if (bench->sizes[bench->nsizes++] == 0)
			argp_error(state, "%s: not sizes with M or G", arg);
	} while (*end == ',');
	if (*end != '\0')
		argp_error(state, "%s: not sizes with M or G", arg);
}

static void
check_sizes(const struct bench *bench, struct argp_state *state)
{
	if (bench->bdfs.count != 1)
		argp_error(state, "one device, please");
	for (unsigned int i = 0; i < bench->nsizes; i++)
		if (bench->sizes[i] % bench->page_size != 0)
			argp_error(state, "%" PRIu64 " MiB are not whole pages",
				   bench->sizes[i] >> 20);
}

static void
parse_repeat(struct bench *bench, const char *arg, struct argp_state *state)
{
	char *end;
	const unsigned long n = strtoul(arg, &end, 10);

	if (*end != '\0' || n == 0 || n > MAX_REPEAT)
		argp_error(state, "%s: not a number from 1 to %d", arg, MAX_REPEAT);
	bench->repeat = (unsigned int)n;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct bench *bench = state->input;

	switch (key) {
	case 's':
		parse_sizes(bench, arg, state);
		return 0;
	case 'p':
		if (strcmp(arg, "2M") != 0 && strcmp(arg, "1G") != 0)
			argp_error(state, "%s: pages are of 2M or 1G", arg);
		bench->page_size = arg[0] == '2' ? UINT64_C(2) << 20 : UINT64_C(1) << 30;
		return 0;
	case 'n':
		parse_repeat(bench, arg, state);
		return 0;
	case 'j':
		bench->json = true;
		return 0;
	case 'o':
		bench->svg = arg;
		return 0;
	case ARGP_KEY_ARG:
		bdfs_add(&bench->bdfs, arg, state);
		return 0;
	case ARGP_KEY_END:
		check_sizes(bench, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- the device */

static bool
is_named(const struct device *device, const void *bdf)
{
	return strcmp(device->member.bdf, bdf) == 0;
}

static bool
is_alone(const struct device *device)
{
	const struct group *group = device->group;
	bool alone = true;

	if (group == NULL) {
		complain(device->member.bdf, "its IOMMU group cannot be read");
		return false;
	}
	for (unsigned int i = 0; i < group->nmembers; i++) {
		if (!is_other(device, group->members[i]))
			continue;
		complain(device->member.bdf,
			 "shares its IOMMU group %u with %s: take one that is alone", group->number,
			 group->members[i]->member.bdf);
		alone = false;
	}
	return alone;
}

static bool
is_fit(const char *bdf)
{
	struct machine *machine = machine_read(is_named, bdf);
	const struct device *device = machine_device(machine, bdf);
	bool fit = false;

	if (device == NULL || !ioasid_is_on_vfio(&device->member))
		complain(bdf, "is not on " VFIO_PCI ": dpdk-ioasid bind %s", bdf);
	else
		fit = is_alone(device);
	machine_free(machine);
	return fit;
}

/* ---- measuring */

/* All tries of one way. */
struct tries {
	int ret; /* of the last */
	unsigned int n;
	struct bench_result results[MAX_REPEAT];
};

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static json_t *
spread(const struct tries *tries, enum bench_time time)
{
	double v[MAX_REPEAT], median;
	const unsigned int n = tries->n;

	for (unsigned int i = 0; i < n; i++)
		v[i] = tries->results[i].ms[time];
	qsort(v, n, sizeof(v[0]), compare);
	median = n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
	return json_pack("{s:f, s:f, s:f}", "median", median, "min", v[0], "max", v[n - 1]);
}

static json_t *
entries(const struct bench_result *r)
{
	if (!r->has_entries)
		return json_null();
	return json_pack("{s:I, s:I, s:I}", "4K", (json_int_t)r->entries[0], "2M",
			 (json_int_t)r->entries[1], "1G", (json_int_t)r->entries[2]);
}

static json_t *
describe(const struct bench_way *way, const struct tries *tries)
{
	const struct bench_result *last = &tries->results[tries->n - 1];
	json_t *o = json_pack("{s:s, s:s}", "way", way->name, "text", way->text);

	if (tries->ret != 0) {
		json_object_set_new(o, "error",
				    json_string(tries->ret == -EOPNOTSUPP ? "not in this kernel"
									  : strerror(-tries->ret)));
		return o;
	}
	json_object_set_new(o, "map_ms", spread(tries, BENCH_MAP));
	json_object_set_new(o, "unmap_ms", spread(tries, BENCH_UNMAP));
	json_object_set_new(o, "exit_ms", spread(tries, BENCH_EXIT));
	json_object_set_new(o, "calls", json_integer((json_int_t)last->calls));
	json_object_set_new(o, "pinned_bytes", json_integer((json_int_t)last->pinned));
	json_object_set_new(o, "entries", entries(last));
	return o;
}

/* By file in one call takes memory of one file, the other ways do not care. */
static bool
wants_one_file(const struct bench_way *way)
{
	return way->by_file && way->one_call;
}

static int
try_ways(const struct bench *bench, uint64_t size, bool one_file, struct tries *tries)
{
	struct bench_memory mem;
	int ret = bench_memory_get(&mem, size, bench->page_size, one_file);

	if (ret < 0)
		return ret;
	/* In turn, so that what changes with time changes for all. */
	for (unsigned int n = 0; n < bench->repeat; n++) {
		for (unsigned int i = 0; i < bench_nways; i++) {
			struct tries *t = &tries[i];

			if (wants_one_file(&bench_ways[i]) != one_file || t->ret != 0)
				continue;
			t->ret = bench_way_run(&bench_ways[i], bench->bdfs.bdf[0], &mem,
					       &t->results[t->n]);
			t->n++;
		}
	}
	bench_memory_put(&mem);
	return 0;
}

static json_t *
measure_size(const struct bench *bench, uint64_t size)
{
	struct tries *tries = calloc(MAX_WAYS, sizeof(*tries));
	json_t *ways = json_array();
	int ret = tries != NULL ? 0 : -ENOMEM;

	if (ret == 0)
		ret = try_ways(bench, size, false, tries);
	if (ret == 0)
		ret = try_ways(bench, size, true, tries);
	for (unsigned int i = 0; ret == 0 && i < bench_nways; i++)
		json_array_append_new(ways, describe(&bench_ways[i], &tries[i]));
	free(tries);
	if (ret == 0)
		return json_pack("{s:I, s:o}", "mib", (json_int_t)(size >> 20), "ways", ways);
	json_decref(ways);
	return NULL;
}

static json_t *
measure(const struct bench *bench)
{
	json_t *sizes = json_array(), *size;
	struct utsname uts;

	uname(&uts);
	for (unsigned int i = 0; i < bench->nsizes; i++) {
		size = measure_size(bench, bench->sizes[i]);
		if (size == NULL) {
			json_decref(sizes);
			return NULL;
		}
		json_array_append_new(sizes, size);
	}
	return json_pack("{s:s, s:s, s:I, s:I, s:o}", "device", bench->bdfs.bdf[0], "kernel",
			 uts.release, "page_kib", (json_int_t)(bench->page_size >> 10), "repeat",
			 (json_int_t)bench->repeat, "sizes", sizes);
}

/* ---- the end */

/* A way that the kernel has not is no failure. */
static bool
has_failure(const json_t *result)
{
	json_t *size, *way;
	const char *error;
	size_t i, j;

	json_array_foreach(json_object_get(result, "sizes"), i, size) {
		json_array_foreach(json_object_get(size, "ways"), j, way) {
			error = json_string_value(json_object_get(way, "error"));
			if (error != NULL && strcmp(error, "not in this kernel") != 0)
				return true;
		}
	}
	return false;
}

int
command_bench(int argc, char **argv)
{
	struct bench bench = {
		.sizes = { UINT64_C(1) << 30 },
		.nsizes = 1,
		.page_size = UINT64_C(2) << 20,
		.repeat = 5,
	};
	const struct argp argp = { options, parse, "BDF", doc, NULL, NULL, NULL };
	int status = STATUS_NO;
	json_t *result;

	argp_parse(&argp, argc, argv, 0, NULL, &bench);
	result = is_fit(bench.bdfs.bdf[0]) ? measure(&bench) : NULL;
	if (result != NULL) {
		status = has_failure(result) ? STATUS_NO : STATUS_OK;
		if (!bench.json)
			bench_print(result);
		else if (json_dumpf(result, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0)
			putchar('\n');
		if (bench.svg != NULL && bench_plot(result, bench.svg) < 0)
			status = STATUS_NO;
	}
	json_decref(result);
	bdfs_free(&bench.bdfs);
	return status;
}
