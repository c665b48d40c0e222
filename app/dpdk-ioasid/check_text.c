/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "terminal.h"

#define WIDTH 20 /* of the first column */

static void
label(const char *text)
{
	printf("  %-*s ", WIDTH, text);
}

static void line(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
line(const char *name, const char *fmt, ...)
{
	va_list ap;

	label(name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* A list of texts, one a line. */
static void
lines(const char *name, const json_t *list)
{
	json_t *text;
	size_t i;

	json_array_foreach(list, i, text)
		line(i == 0 ? name : "", "%s", json_string_value(text));
}

static const char *
answer(const json_t *object, const char *key, const char *yes, const char *no)
{
	const json_t *value = json_object_get(object, key);

	return json_is_true(value) ? yes : json_is_false(value) ? no : "unknown";
}

static const char *
or_none(const json_t *object, const char *key)
{
	const char *text = get_text(object, key);

	return text[0] != '\0' ? text : "none";
}

/* "2 MiB"; exact where it can be. */
static const char *
size_text(json_int_t bytes, char buf[32])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;

	while (unit < 4 && bytes >= 1024 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, 32, "%" JSON_INTEGER_FORMAT " %s", bytes, units[unit]);
	return buf;
}

static json_int_t
number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* The machine */

static void
print_iommufd(const json_t *iommufd)
{
	if (get_text(iommufd, "node")[0] == '\0')
		line("iommufd", "none; device cdevs: %s", answer(iommufd, "cdev", "yes", "no"));
	else
		line("iommufd", "%s, %s; device cdevs: %s; map by file: %s; VF tokens: %s",
		     get_text(iommufd, "node"),
		     answer(iommufd, "node_access", "may be opened", "may not be opened"),
		     answer(iommufd, "cdev", "yes", "no"), answer(iommufd, "map_file", "yes", "no"),
		     answer(iommufd, "vf_token", "checked", "not checked"));
}

static void
print_iommus(const json_t *iommus)
{
	json_t *iommu;
	size_t i;

	json_array_foreach(iommus, i, iommu) {
		label(i == 0 ? "IOMMUs" : "");
		printf("%s, %s", get_text(iommu, "name"), get_text(iommu, "type"));
		if (number(iommu, "width") > 0)
			printf(", addresses of %d bits", (int)number(iommu, "width"));
		putchar('\n');
	}
	if (json_array_size(iommus) == 0)
		line("IOMMUs", "none");
}

static void
print_hugepages(const json_t *list)
{
	char buf[32];
	json_t *h;
	size_t i;

	json_array_foreach(list, i, h) {
		label(i == 0 ? "hugepages" : "");
		if (json_is_integer(json_object_get(h, "numa_node")))
			printf("NUMA node %d: ", (int)number(h, "numa_node"));
		printf("%d of %s, %d free\n", (int)number(h, "total"),
		       size_text(number(h, "size"), buf), (int)number(h, "free"));
	}
	if (json_array_size(list) == 0)
		line("hugepages", "none");
}

static void
print_memory(const json_t *memory)
{
	char limit[32], pages[32];

	print_hugepages(json_object_get(memory, "hugepages"));
	line("locked memory", "%s%s; hugepages: %s",
	     get_true(memory, "memlock_unlimited") ? "unlimited"
						   : size_text(number(memory, "memlock"), limit),
	     get_true(memory, "memlock_ignored") ? ", without effect on this user (CAP_IPC_LOCK)"
						 : "",
	     size_text(number(memory, "hugepage_bytes"), pages));
}

static void
print_programs(const json_t *machine)
{
	const json_t *list = json_object_get(machine, "dpdk");
	const json_t *plugin = json_object_get(machine, "plugin");
	json_t *dpdk;
	size_t i;

	json_array_foreach(list, i, dpdk)
		line(i == 0 ? "DPDK" : "", "ABI %s (%s), %s", get_text(dpdk, "abi"),
		     get_text(dpdk, "releases"), get_text(dpdk, "path"));
	if (json_array_size(list) == 0)
		line("DPDK", "none with shared libraries");
	if (json_is_null(plugin))
		line("plugin", "none");
	else
		line("plugin", "ABI %s, %s", get_text(plugin, "abi"), get_text(plugin, "path"));
}

void
check_print_machine(const json_t *machine)
{
	const json_t *vfio = json_object_get(machine, "vfio");
	const json_t *interrupts = json_object_get(machine, "interrupts");

	printf("%sthis machine%s\n", terminal(BOLD), terminal(PLAIN));
	line("Linux", "%s", get_text(machine, "kernel"));
	print_iommufd(json_object_get(machine, "iommufd"));
	line("vfio-pci", "%s%s", answer(vfio, "vfio_pci", "loaded", "not loaded"),
	     get_true(vfio, "no_iommu") ? "; VFIO without IOMMU is allowed" : "");
	print_iommus(json_object_get(machine, "iommus"));
	line("interrupts", "%s%s", answer(interrupts, "remapped", "remapped", "not remapped"),
	     get_true(interrupts, "unsafe_allowed") ? "; unsafe ones are allowed" : "");
	print_memory(json_object_get(machine, "memory"));
	print_programs(machine);
}

/* A device */

static void
print_acs(const json_t *acs)
{
	if (json_is_object(acs))
		printf(", ACS SV%c RR%c CR%c UF%c", get_true(acs, "source_validation") ? '+' : '-',
		       get_true(acs, "request_redirect") ? '+' : '-',
		       get_true(acs, "completion_redirect") ? '+' : '-',
		       get_true(acs, "upstream_forwarding") ? '+' : '-');
	else
		printf(", %s", json_is_false(acs) ? "no ACS" : "ACS unknown (root can read it)");
}

static void
print_tree(const json_t *tree, unsigned int depth)
{
	json_t *node;
	size_t i;

	json_array_foreach(tree, i, node) {
		printf("  %-*s %*s%s", WIDTH, "", (int)depth * 2, "", get_text(node, "bdf"));
		printf(" %s, driver %s", get_text(node, "name"), or_none(node, "driver"));
		if (get_true(node, "bridge"))
			print_acs(json_object_get(node, "acs"));
		printf(": %s\n", get_text(node, "state"));
		print_tree(json_object_get(node, "children"), depth + 1);
	}
}

static void
print_reserved(const json_t *reserved)
{
	json_t *r;
	size_t i;

	json_array_foreach(reserved, i, r)
		line(i == 0 ? "reserved" : "", "%s-%s %s", get_text(r, "start"),
		     get_text(r, "last"), get_text(r, "type"));
}

static void
print_group(const json_t *group)
{
	if (json_is_null(group)) {
		line("IOMMU group", "none");
		return;
	}
	line("IOMMU group", "%d, domain type %s, IOMMU %s", (int)number(group, "number"),
	     or_none(group, "type"), or_none(group, "iommu"));
	print_reserved(json_object_get(group, "reserved"));
	line("members", "from the root down");
	print_tree(json_object_get(group, "tree"), 1);
}

static void
print_verdict(const json_t *device)
{
	const char *verdict = get_text(device, "verdict");
	const enum colour colour = strcmp(verdict, "isolated") == 0 ? GREEN
				   : strcmp(verdict, "shared") == 0 ? YELLOW
								    : RED;

	line("verdict", "%s%s%s: %s", terminal(colour), verdict, terminal(PLAIN),
	     get_text(device, "reason"));
	lines("but", json_object_get(device, "notes"));
	lines("next", json_object_get(device, "next"));
}

void
check_print_device(const json_t *device)
{
	const json_t *node = json_object_get(device, "numa_node");

	printf("\n%s%s%s %s: %s [%s]\n", terminal(BOLD), get_text(device, "bdf"), terminal(PLAIN),
	       get_text(device, "class"), get_text(device, "name"), get_text(device, "id"));
	if (json_is_integer(node))
		line("NUMA node", "%d", (int)json_integer_value(node));
	else
		line("NUMA node", "unknown");
	line("driver", "%s", or_none(device, "driver"));
	if (get_text(device, "cdev")[0] != '\0')
		line("cdev", "%s, %s", get_text(device, "cdev"),
		     answer(device, "cdev_access", "may be opened", "may not be opened"));
	else
		line("cdev", "none");
	line("in use", "%s", or_none(device, "in_use"));
	line("group in use", "%s", or_none(device, "group_users"));
	print_group(json_object_get(device, "group"));
	print_verdict(device);
}
