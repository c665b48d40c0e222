/* SPDX-License-Identifier: BSD-3-Clause */

/* What all that means for a device, and what to type next. */

#include <glob.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "machine.h"

/* Text lists */

static char *
append(char *list, const char *between, const char *text) __attribute__((warn_unused_result));

/* A longer text in place of `list`, which may be NULL. */
static char *
append(char *list, const char *between, const char *text)
{
	char *longer;

	if (asprintf(&longer, "%s%s%s", list != NULL ? list : "", between, text) < 0)
		return list;
	free(list);
	return longer;
}

static void add(json_t *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
add(json_t *list, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	json_array_append_new(list, json_vsprintf(fmt, ap));
	va_end(ap);
}

/* The verdict */

static json_int_t
group_number(const json_t *device)
{
	return json_integer_value(json_object_get(json_object_get(device, "group"), "number"));
}

/* "direct" is firmware's memory, which the kernel lets no user space take over. */
static const json_t *
find_direct(const json_t *device)
{
	const json_t *list = json_object_get(json_object_get(device, "group"), "reserved");
	json_t *r;
	size_t i;

	json_array_foreach(list, i, r)
		if (strcmp(get_text(r, "type"), "direct") == 0)
			return r;
	return NULL;
}

static const json_t *
find_other_in_use(const json_t *device)
{
	json_t *other;
	size_t i;

	json_array_foreach(json_object_get(device, "others"), i, other)
		if (get_text(other, "in_use")[0] != '\0')
			return other;
	return NULL;
}

/* Why no user space can have the device; NULL: it can. */
static json_t *
find_obstacle(const json_t *machine, const json_t *device)
{
	const json_t *group = json_object_get(device, "group");
	const json_t *interrupts = json_object_get(machine, "interrupts");
	const json_t *direct, *other;

	if (get_true(device, "bridge"))
		return json_string("a bridge: programs use what is behind it");
	if (json_is_null(group) || get_true(group, "no_iommu"))
		return json_string("no IOMMU protects the system from it: switch the IOMMU on in "
				   "the firmware's setup (VT-d, AMD-Vi), on Intel also by the "
				   "kernel argument intel_iommu=on; a virtual machine must be "
				   "given one");
	direct = find_direct(device);
	if (direct != NULL)
		return json_sprintf(
			"the firmware asks for a 1:1 map of %s-%s (RMRR) for its group, so the "
			"kernel gives it to no user space: see the vendor's firmware settings",
			get_text(direct, "start"), get_text(direct, "last"));
	if (get_false(interrupts, "remapped") && !get_true(interrupts, "unsafe_allowed"))
		return json_string(
			"the IOMMU does not remap interrupts, so a device could raise any: switch "
			"interrupt remapping on in the firmware's setup, or accept the risk by the "
			"kernel argument iommufd.allow_unsafe_interrupts=1");
	other = find_other_in_use(device);
	if (other != NULL)
		return json_sprintf("IOMMU group %" JSON_INTEGER_FORMAT
				    " also holds %s, which the system uses (%s): move the card to "
				    "another slot",
				    group_number(device), get_text(other, "bdf"),
				    get_text(other, "in_use"));
	return NULL;
}

/* "A, B" or "-a A -a B" of the device's others. */
static char *
list_others(const json_t *device, const char *before, const char *between)
{
	char *list = NULL;
	json_t *other;
	size_t i;

	json_array_foreach(json_object_get(device, "others"), i, other) {
		list = append(list, i > 0 ? between : "", before);
		list = append(list, "", get_text(other, "bdf"));
	}
	return list;
}

static void
set_verdict(json_t *device, const char *verdict, json_t *reason)
{
	json_object_set_new(device, "verdict", json_string(verdict));
	json_object_set_new(device, "reason", reason);
}

static void
decide(const json_t *machine, json_t *device)
{
	json_t *obstacle = find_obstacle(machine, device);
	char *names;

	if (obstacle != NULL) {
		set_verdict(device, "cannot", obstacle);
		return;
	}
	if (json_array_size(json_object_get(device, "others")) == 0) {
		set_verdict(device, "isolated",
			    json_sprintf("alone in IOMMU group %" JSON_INTEGER_FORMAT,
					 group_number(device)));
		return;
	}
	names = list_others(device, "-a ", " ");
	set_verdict(device, "shared",
		    json_sprintf(
			    "others of IOMMU group %" JSON_INTEGER_FORMAT
			    " could reach the memory of a program that uses it: name these too: %s",
			    group_number(device), names));
	free(names);
}

/* What stands in the way for now, and the commands that put it right */

struct advice {
	const json_t *machine;
	const json_t *device;
	json_t *notes;
	json_t *next;
	const char *sudo;
};

static bool
is_on_vfio(const json_t *device)
{
	return strcmp(get_text(device, "driver"), "vfio-pci") == 0 ||
	       get_text(device, "cdev")[0] != '\0';
}

static bool
has_module(const char *name)
{
	struct path pattern =
		machine_path("/lib/modules/%s/kernel/drivers/%s.ko*", machine_kernel(), name);
	glob_t found;
	bool has = glob(pattern.s, 0, NULL, &found) == 0;

	globfree(&found);
	return has;
}

static void
advise_kernel(const struct advice *a)
{
	const json_t *iommufd = json_object_get(a->machine, "iommufd");
	const bool loadable = has_module("iommu/iommufd/iommufd");

	if (!get_true(json_object_get(a->machine, "vfio"), "vfio_pci"))
		add(a->next, "%smodprobe vfio-pci", a->sudo);
	if (get_text(iommufd, "node")[0] == '\0' && loadable)
		add(a->next, "%smodprobe iommufd", a->sudo);
	else if (get_text(iommufd, "node")[0] == '\0')
		add(a->notes,
		    "the kernel has no iommufd: stock EAL does the work by VFIO's groups, "
		    "under the plugin's group rule");
	else if (get_false(iommufd, "cdev"))
		add(a->notes, "the kernel's VFIO has no device cdevs (CONFIG_VFIO_DEVICE_CDEV): "
			      "stock EAL does the work, under the plugin's group rule");
}

static void
advise_use(const struct advice *a)
{
	const char *use = get_text(a->device, "in_use"),
		   *users = get_text(a->device, "group_users");

	if (use[0] != '\0')
		add(a->notes, "%s: `dpdk-ioasid bind` refuses to take it without --force", use);
	if (users[0] != '\0')
		add(a->notes, "the group is in use: %s", users);
}

static void
advise_bind(const struct advice *a)
{
	char *line = append(NULL, a->sudo, "dpdk-ioasid bind");
	bool any = !is_on_vfio(a->device);
	json_t *other;
	size_t i;

	if (any)
		line = append(line, " ", get_text(a->device, "bdf"));
	json_array_foreach(json_object_get(a->device, "others"), i, other) {
		if (is_on_vfio(other))
			continue;
		line = append(line, " ", get_text(other, "bdf"));
		any = true;
	}
	if (any && get_text(a->device, "in_use")[0] == '\0')
		add(a->next, "%s", line);
	free(line);
}

static void
advise_access(const struct advice *a)
{
	const json_t *iommufd = json_object_get(a->machine, "iommufd");
	const struct passwd *user = getpwuid(geteuid());
	const bool node = get_false(iommufd, "node_access");
	const bool cdev = get_false(a->device, "cdev_access");

	if (!node && !cdev)
		return;
	add(a->notes,
	    "this user may not open %s%s%s: the udev rules of dpdk-ioasid give both to "
	    "the group vfio",
	    node ? get_text(iommufd, "node") : "", node && cdev ? " and " : "",
	    cdev ? get_text(a->device, "cdev") : "");
	add(a->next, "sudo chown %s%s%s%s%s", user != NULL ? user->pw_name : "USER",
	    node ? " " : "", node ? get_text(iommufd, "node") : "", cdev ? " " : "",
	    cdev ? get_text(a->device, "cdev") : "");
}

/* Of the pages that a NUMA node has; NULL: of all. */
static json_int_t
count_hugepages(const json_t *memory, const json_t *node)
{
	json_int_t pages = 0;
	json_t *h;
	size_t i;

	json_array_foreach(json_object_get(memory, "hugepages"), i, h)
		if (node == NULL || json_equal(json_object_get(h, "numa_node"), node))
			pages += json_integer_value(json_object_get(h, "total"));
	return pages;
}

static void
advise_memory(const struct advice *a)
{
	const json_t *memory = json_object_get(a->machine, "memory");
	const json_t *node = json_object_get(a->device, "numa_node");
	const json_t *limit = json_object_get(memory, "memlock");
	const json_int_t bytes = json_integer_value(json_object_get(memory, "hugepage_bytes"));

	if (bytes == 0) {
		add(a->notes, "there are no hugepages");
		add(a->next, "%sdpdk-hugepages.py --setup 1G", a->sudo);
	} else if (json_is_integer(node) && count_hugepages(memory, node) == 0) {
		add(a->notes, "its NUMA node %" JSON_INTEGER_FORMAT " has no hugepages",
		    json_integer_value(node));
		add(a->next, "%sdpdk-hugepages.py --node %" JSON_INTEGER_FORMAT " --setup 1G",
		    a->sudo, json_integer_value(node));
	}
	if (!json_is_integer(limit) || get_true(memory, "memlock_ignored") ||
	    json_integer_value(limit) >= bytes)
		return;
	add(a->notes,
	    "this user may lock less memory than the hugepages are, and programs lock "
	    "what they map: raise it (memlock in /etc/security/limits.conf, LimitMEMLOCK=)");
	add(a->next, "ulimit -l %" JSON_INTEGER_FORMAT, bytes / 1024 + 65536);
}

static bool
plugin_fits(const json_t *machine, const char *abi)
{
	json_t *dpdk;
	size_t i;

	json_array_foreach(json_object_get(machine, "dpdk"), i, dpdk)
		if (strcmp(get_text(dpdk, "abi"), abi) == 0)
			return true;
	return false;
}

static void
advise_programs(const struct advice *a)
{
	const json_t *plugin = json_object_get(a->machine, "plugin");

	if (json_array_size(json_object_get(a->machine, "dpdk")) == 0)
		add(a->notes, "no DPDK with shared libraries is installed");
	else if (json_is_null(plugin))
		add(a->notes, "the plugin is not installed: meson install, or DPDK_IOASID_PLUGIN");
	else if (!plugin_fits(a->machine, get_text(plugin, "abi")))
		add(a->notes, "the plugin is for DPDK's ABI %s, which is not installed",
		    get_text(plugin, "abi"));
}

static void
advise_start(const struct advice *a)
{
	const bool root = geteuid() == 0;
	char *names;

	if (get_text(a->device, "in_use")[0] != '\0')
		return;
	if (!root && !is_on_vfio(a->device)) {
		/* There is no node yet that this user could be given. */
		add(a->next, "dpdk-ioasid check %s", get_text(a->device, "bdf"));
		return;
	}
	names = list_others(a->device, " -a ", "");
	/* The directory of hugepages is root's. */
	add(a->next, "dpdk-ioasid run -- dpdk-testpmd -a %s%s --iova-mode=va%s -- -i",
	    get_text(a->device, "bdf"), names != NULL ? names : "", root ? "" : " --in-memory");
	free(names);
}

void
check_judge(const json_t *machine, json_t *device)
{
	const json_t *interrupts = json_object_get(machine, "interrupts");
	const struct advice advice = {
		.machine = machine,
		.device = device,
		.notes = json_array(),
		.next = json_array(),
		.sudo = geteuid() == 0 ? "" : "sudo ",
	};

	decide(machine, device);
	if (get_true(device, "system") && !is_on_vfio(device)) {
		add(advice.notes, "not a device for DPDK, and the system may need it: there is "
				  "nothing to type next");
	} else if (strcmp(get_text(device, "verdict"), "cannot") != 0) {
		advise_kernel(&advice);
		advise_use(&advice);
		advise_bind(&advice);
		advise_access(&advice);
		advise_memory(&advice);
		advise_programs(&advice);
		advise_start(&advice);
		if (get_false(interrupts, "remapped"))
			add(advice.notes,
			    "interrupts are not remapped, which was allowed: the device "
			    "could raise any");
	}
	json_object_set_new(device, "notes", advice.notes);
	json_object_set_new(device, "next", advice.next);
}
