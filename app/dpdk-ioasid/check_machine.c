/* SPDX-License-Identifier: BSD-3-Clause */

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <numa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "check.h"
#include "dpdk.h"
#include "machine.h"
#include "plugin.h"

#define CAP_IPC_LOCK 14

static bool
line_is(const struct path *path, const char *want)
{
	char line[64];

	return machine_line(path, line, sizeof(line)) == 0 && strcmp(line, want) == 0;
}

/* The kernel */

/* What the kernel was built with, where distributions leave it: true, false or null. */
static json_t *
kernel_config(const char *option)
{
	const struct path path = machine_path("/boot/config-%s", machine_kernel());
	FILE *f = fopen(path.s, "re");
	char line[256], want[64];
	bool found = false;

	if (f == NULL)
		return json_null();
	snprintf(want, sizeof(want), "%s=y\n", option);
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = strcmp(line, want) == 0;
	fclose(f);
	return json_boolean(found);
}

/* A device on VFIO shows it; without one the kernel's configuration may. */
static json_t *
has_cdev(void)
{
	struct path pattern = machine_path("/sys/class/vfio-dev/*");
	json_t *answer;
	glob_t found;

	if (glob(pattern.s, 0, NULL, &found) == 0) {
		struct path dev;

		snprintf(dev.s, sizeof(dev.s), "%s/dev", found.gl_pathv[0]);
		answer = json_boolean(machine_exists(&dev));
	} else {
		answer = kernel_config("CONFIG_VFIO_DEVICE_CDEV");
	}
	globfree(&found);
	return answer;
}

static json_t *
has_map_file(const struct path *node)
{
	struct ioasid_ctx *ctx;
	json_t *answer;

	if (ioasid_open(node->s, NULL, &ctx) < 0)
		return json_null();
	answer = json_boolean(ioasid_has_map_file(ctx));
	ioasid_close(ctx);
	return answer;
}

static json_t *
iommufd(void)
{
	struct path node = machine_path("/dev/ioasid");

	if (!machine_exists(&node))
		node = machine_path("/dev/iommu");
	if (!machine_exists(&node))
		return json_pack("{s:n, s:n, s:o, s:n, s:n}", "node", "node_access", "cdev",
				 has_cdev(), "map_file", "vf_token");
	return json_pack("{s:s, s:b, s:o, s:o, s:b}", "node", machine_shown(&node), "node_access",
			 machine_may_open(&node), "cdev", has_cdev(), "map_file",
			 has_map_file(&node), "vf_token", machine_kernel_number() >= 0x0611);
}

/* VFIO's driver, and what was switched on of what is not safe. */
static json_t *
vfio(void)
{
	const struct path driver = machine_path("/sys/bus/pci/drivers/vfio-pci");
	const struct path noiommu =
		machine_path("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");

	return json_pack("{s:b, s:b}", "vfio_pci", machine_exists(&driver), "no_iommu",
			 line_is(&noiommu, "Y"));
}

/* IOMMUs */

static void
read_register(const char *iommu, const char *file, char line[64])
{
	const struct path path = machine_path("/sys/class/iommu/%s/%s", iommu, file);

	machine_line(&path, line, 64);
}

/* The capability register's SAGAW says how many levels page tables may have, MGAW the bits. */
static unsigned int
intel_width(const char *name)
{
	unsigned int levels, most, width = 0;
	char line[64];
	uint64_t cap;

	read_register(name, "intel-iommu/cap", line);
	cap = strtoull(line, NULL, 16);
	levels = (cap >> 8) & 0x1f;
	most = ((cap >> 16) & 0x3f) + 1;
	for (unsigned int level = 1; level <= 3; level++)
		if (levels & 1u << level)
			width = 30 + 9 * level;
	return width < most ? width : most;
}

/*
 * The extended features' HATS: levels of host page tables beyond four. Before Linux 6.7
 * they are the second of two numbers, since then the first.
 */
static unsigned int
amd_width(const char *name)
{
	static const unsigned int widths[] = { 48, 57, 64, 0 };
	const char *features, *colon;
	char line[64];

	read_register(name, "amd-iommu/features", line);
	colon = strchr(line, ':');
	features = colon != NULL && machine_kernel_number() < 0x0607 ? colon + 1 : line;
	return widths[strtoull(features, NULL, 16) >> 10 & 3];
}

static json_t *
iommu(const char *name)
{
	const struct path intel = machine_path("/sys/class/iommu/%s/intel-iommu", name);
	const struct path amd = machine_path("/sys/class/iommu/%s/amd-iommu", name);
	const char *type = strncmp(name, "smmu", 4) == 0 ? "arm-smmu" : "other";
	unsigned int width = 0;

	if (machine_exists(&intel)) {
		type = "intel-iommu";
		width = intel_width(name);
	} else if (machine_exists(&amd)) {
		type = "amd-iommu";
		width = amd_width(name);
	}
	return json_pack("{s:s, s:s, s:o}", "name", name, "type", type, "width",
			 width > 0 ? json_integer(width) : json_null());
}

static int
not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static json_t *
iommus(void)
{
	const struct path dir = machine_path("/sys/class/iommu");
	json_t *list = json_array();
	struct dirent **entries;
	int n = scandir(dir.s, &entries, not_hidden, alphasort);

	for (int i = 0; i < n; i++) {
		json_array_append_new(list, iommu(entries[i]->d_name));
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return list;
}

/* x86 names its interrupt chips IR-… when they go through the IOMMU; others do not tell. */
static json_t *
interrupt_remapping(void)
{
	const struct path path = machine_path("/proc/interrupts");
	bool x86 = false, remapped = false;
	char *line = NULL;
	size_t size = 0;
	FILE *f = fopen(path.s, "re");

	while (f != NULL && getline(&line, &size, f) > 0) {
		remapped = remapped || strstr(line, " IR-") != NULL;
		x86 = x86 || strstr(line, "IO-APIC") != NULL || strstr(line, "PCI-MSI") != NULL;
	}
	free(line);
	if (f != NULL)
		fclose(f);
	return x86 ? json_boolean(remapped) : json_null();
}

static json_t *
interrupts(void)
{
	const struct path unsafe =
		machine_path("/sys/module/iommufd/parameters/allow_unsafe_interrupts");

	return json_pack("{s:o, s:b}", "remapped", interrupt_remapping(), "unsafe_allowed",
			 line_is(&unsafe, "Y"));
}

/* Memory */

static json_int_t
read_count(const char *dir, const char *file)
{
	const struct path path = machine_path("%s/%s", dir, file);
	char line[64];

	machine_line(&path, line, sizeof(line));
	return strtoll(line, NULL, 10);
}

/* Add the sizes of hugepages that a directory of sysfs holds. */
static void
add_hugepages(json_t *list, int node, const char *dir, json_int_t *bytes)
{
	struct path pattern = machine_path("%s/hugepages-*kB", dir);
	const size_t skip = strlen(pattern.s) - strlen("*kB");
	glob_t found;

	if (glob(pattern.s, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const json_int_t size = 1024 * strtoll(found.gl_pathv[i] + skip, NULL, 10);
		struct path path;
		json_int_t total;

		snprintf(path.s, sizeof(path.s), "%s", found.gl_pathv[i]);
		total = read_count(machine_shown(&path), "nr_hugepages");
		json_array_append_new(
			list, json_pack("{s:o, s:I, s:I, s:I}", "numa_node",
					node >= 0 ? json_integer(node) : json_null(), "size", size,
					"total", total, "free",
					read_count(machine_shown(&path), "free_hugepages")));
		*bytes += total * size;
	}
	globfree(&found);
}

static json_t *
hugepages(json_int_t *bytes)
{
	json_t *list = json_array();
	char dir[64];

	*bytes = 0;
	for (int node = 0; numa_available() >= 0 && node <= numa_max_node(); node++) {
		if (!numa_bitmask_isbitset(numa_nodes_ptr, (unsigned int)node))
			continue;
		snprintf(dir, sizeof(dir), "/sys/devices/system/node/node%d/hugepages", node);
		add_hugepages(list, node, dir, bytes);
	}
	if (json_array_size(list) == 0)
		add_hugepages(list, -1, "/sys/kernel/mm/hugepages", bytes);
	return list;
}

/* The kernel counts pinned memory against RLIMIT_MEMLOCK, but not for who has this. */
static bool
may_lock_all(void)
{
	const struct path path = machine_path("/proc/self/status");
	unsigned long long effective = 0;
	FILE *f = fopen(path.s, "re");
	char line[256];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "CapEff: %llx", &effective) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return effective >> CAP_IPC_LOCK & 1;
}

static json_t *
memory(void)
{
	struct rlimit limit = { 0 };
	json_int_t bytes;
	json_t *pages = hugepages(&bytes);
	bool unlimited;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	unlimited = limit.rlim_cur == RLIM_INFINITY;
	return json_pack("{s:o, s:I, s:o, s:b, s:b}", "hugepages", pages, "hugepage_bytes", bytes,
			 "memlock",
			 unlimited ? json_null() : json_integer((json_int_t)limit.rlim_cur),
			 "memlock_unlimited", unlimited, "memlock_ignored", may_lock_all());
}

static json_t *
plugin(void)
{
	struct plugin found;

	if (plugin_find(NULL, &found) < 0)
		return json_null();
	return json_pack("{s:s, s:s}", "path", found.path, "abi", found.abi);
}

json_t *
check_machine(void)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "kernel", machine_kernel(),
			 "iommufd", iommufd(), "vfio", vfio(), "iommus", iommus(), "interrupts",
			 interrupts(), "memory", memory(), "dpdk", dpdk_installed(), "plugin",
			 plugin());
}
