/* SPDX-License-Identifier: BSD-3-Clause */

/* The result of `bench` as text, and as a plot by gnuplot. */

#include <stdio.h>
#include <string.h>

#include "bench.h"

static double
get_median(const json_t *way, const char *name)
{
	return json_real_value(json_object_get(json_object_get(way, name), "median"));
}

static void
print_time(const json_t *way, const char *name)
{
	const json_t *o = json_object_get(way, name);

	printf(" %8.2f (%.2f-%.2f)", get_median(way, name),
	       json_real_value(json_object_get(o, "min")),
	       json_real_value(json_object_get(o, "max")));
}

static void
print_entries(const json_t *way)
{
	const char *key;
	json_t *n;

	json_object_foreach(json_object_get(way, "entries"), key, n)
		if (json_integer_value(n) > 0)
			printf(" %" JSON_INTEGER_FORMAT "x%s", json_integer_value(n), key);
}

static void
print_way(const json_t *way)
{
	const char *error = json_string_value(json_object_get(way, "error"));

	printf("  %s\n   ", json_string_value(json_object_get(way, "text")));
	if (error != NULL) {
		printf(" %s\n", error);
		return;
	}
	printf(" calls %" JSON_INTEGER_FORMAT ", ms map",
	       json_integer_value(json_object_get(way, "calls")));
	print_time(way, "map_ms");
	printf(" unmap");
	print_time(way, "unmap_ms");
	printf(" exit");
	print_time(way, "exit_ms");
	printf(", pinned %" JSON_INTEGER_FORMAT " MiB, pages",
	       json_integer_value(json_object_get(way, "pinned_bytes")) >> 20);
	print_entries(way);
	putchar('\n');
}

void
bench_print(const json_t *result)
{
	size_t i, j;
	json_t *size, *way;

	printf("%s, Linux %s, pages of %" JSON_INTEGER_FORMAT
	       " KiB, median (min-max) of %" JSON_INTEGER_FORMAT "\n",
	       json_string_value(json_object_get(result, "device")),
	       json_string_value(json_object_get(result, "kernel")),
	       json_integer_value(json_object_get(result, "page_kib")),
	       json_integer_value(json_object_get(result, "repeat")));
	json_array_foreach(json_object_get(result, "sizes"), i, size) {
		printf("%" JSON_INTEGER_FORMAT " MiB\n",
		       json_integer_value(json_object_get(size, "mib")));
		json_array_foreach(json_object_get(size, "ways"), j, way)
			print_way(way);
	}
}

static void
plot_way(FILE *f, const json_t *sizes, size_t number)
{
	json_t *size, *way;
	size_t i;

	fprintf(f, "$way%zu << END\n", number);
	json_array_foreach(sizes, i, size) {
		way = json_array_get(json_object_get(size, "ways"), number);
		if (json_object_get(way, "error") == NULL)
			fprintf(f, "%" JSON_INTEGER_FORMAT " %f\n",
				json_integer_value(json_object_get(size, "mib")),
				get_median(way, "map_ms"));
	}
	fprintf(f, "END\n");
}

int
bench_plot(const json_t *result, const char *path)
{
	const json_t *sizes = json_object_get(result, "sizes");
	const char *separator = "plot";
	FILE *f;

	/* gnuplot takes a name in quotes, and ends it at the first. */
	if (strchr(path, '\'') != NULL || (f = popen("gnuplot", "we")) == NULL) {
		fprintf(stderr, "dpdk-ioasid: cannot plot to %s\n", path);
		return -1;
	}
	fprintf(f,
		"set terminal svg size 800,500 background 'white'\nset output '%s'\n"
		"set title 'Linux %s' noenhanced\nset xlabel 'memory, MiB'\n"
		"set ylabel 'map, ms'\nset xrange [0:*]\nset yrange [0:*]\nset key top left\nset "
		"grid\n",
		path, json_string_value(json_object_get(result, "kernel")));
	for (size_t i = 0; i < bench_nways; i++)
		plot_way(f, sizes, i);
	for (size_t i = 0; i < bench_nways; i++) {
		if (json_object_get(
			    json_array_get(json_object_get(json_array_get(sizes, 0), "ways"), i),
			    "error") != NULL)
			continue;
		fprintf(f, "%s $way%zu with linespoints title '%s'", separator, i,
			bench_ways[i].text);
		separator = ",";
	}
	fputc('\n', f);
	if (pclose(f) == 0)
		return 0;
	fprintf(stderr, "dpdk-ioasid: gnuplot failed: is it installed?\n");
	return -1;
}
