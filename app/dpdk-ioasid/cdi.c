/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * dpdk-ioasid cdi: what a container needs of the host for the devices that are named, as
 * a Container Device Interface specification (cncf-tags/container-device-interface).
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "command.h"
#include "machine.h"
#include "plugin.h"
#include "yaml_write.h"

/* The first in which the name of a device may begin with a digit. */
#define CDI_VERSION "0.5.0"
#define CDI_KIND    "dpdk-ioasid/pci"
#define HUGEPAGES   "/dev/hugepages"

struct cdi {
	struct bdfs bdfs;
	bool insecure;
	bool json;
	const char *output;
};

enum { KEY_INSECURE = 256 };

static const struct argp_option options[] = {
	{ "allow-insecure-vfio", KEY_INSECURE, NULL, 0,
	  "Although others of the devices' IOMMU groups could reach the containers' memory", 0 },
	{ "json", 'j', NULL, 0, "Write JSON, not YAML", 0 },
	{ "output", 'o', "FILE", 0, "Write to FILE, such as /etc/cdi/dpdk-ioasid.yaml", 0 },
	{ 0 },
};

static const char doc[] =
	"Write a Container Device Interface specification by which containers get /dev/iommu, the "
	"plugin, hugepages, and exactly the device nodes that the named devices need: their own "
	"and "
	"those of the named others in their IOMMU groups. All must be bound to vfio-pci. A device "
	"whose group has others that are not named is refused."
	"\vThen for example: podman run --device " CDI_KIND "=0000:01:00.0 ... The names of device "
	"nodes change when devices are bound anew: write it again then, as after a boot.\n\n"
	"Exit status: 0 if it was written; 1 if a device was refused or cannot be used, or the "
	"file "
	"not be written; 2 if the arguments are wrong or there is no such device.";

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct cdi *cdi = state->input;

	switch (key) {
	case KEY_INSECURE:
		cdi->insecure = true;
		return 0;
	case 'j':
		cdi->json = true;
		return 0;
	case 'o':
		cdi->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		bdfs_add(&cdi->bdfs, arg, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which device?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Refusals */

/* The endpoints of a group that are not named, and so not joined. */
static bool
is_left_out(const struct cdi *cdi, const struct ioasid_member *m)
{
	return !m->bridge && !bdfs_has(&cdi->bdfs, m->bdf);
}

static bool
check_group(const struct cdi *cdi, const struct ioasid_group_info *group, const char *bdf)
{
	bool complete = true;

	for (unsigned int i = 0; i < group->nmembers; i++) {
		const struct ioasid_member *m = &group->members[i];

		if (!is_left_out(cdi, m))
			continue;
		complete = false;
		complain(bdf,
			 "%s: %s of its IOMMU group %u is not named and could reach the memory "
			 "of a container",
			 cdi->insecure ? "at risk" : "refused", m->bdf, group->number);
	}
	if (!complete && !cdi->insecure)
		complain(bdf, "name the others too, or accept the risk by " INSECURE_OPTION);
	return complete || cdi->insecure;
}

static bool
check_cdev(const char *bdf)
{
	if (ioasid_is_vfio(machine_devices(), bdf) == 1)
		return true;
	complain(bdf,
		 "has no VFIO device node: dpdk-ioasid bind %s, on a kernel with "
		 "CONFIG_VFIO_DEVICE_CDEV",
		 bdf);
	return false;
}

/* The specification */

static json_t *
device_node(const char *path)
{
	return json_pack("{s:s, s:s}", "path", path, "permissions", "rw");
}

static json_t *
member_nodes(const struct cdi *cdi, const struct ioasid_group_info *group)
{
	json_t *nodes = json_array();

	for (unsigned int i = 0; i < group->nmembers; i++) {
		const struct ioasid_member *m = &group->members[i];
		char path[sizeof("/dev/vfio/devices/") + IOASID_CDEV_SIZE];

		if (m->bridge || !bdfs_has(&cdi->bdfs, m->bdf))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", m->cdev);
		json_array_append_new(nodes, device_node(path));
	}
	return nodes;
}

/* A device with the nodes of its group; NULL: refused. */
static json_t *
device(const struct cdi *cdi, const char *bdf)
{
	struct ioasid_group_info *group;
	json_t *result = NULL;

	if (!check_cdev(bdf))
		return NULL;
	if (ioasid_group_info_read(machine_devices(), bdf, &group) < 0) {
		complain(bdf, "%s", ioasid_error());
		return NULL;
	}
	if (check_group(cdi, group, bdf))
		result = json_pack("{s:s, s:{s:o}}", "name", bdf, "containerEdits", "deviceNodes",
				   member_nodes(cdi, group));
	ioasid_group_info_free(group);
	return result;
}

static json_t *
devices(const struct cdi *cdi)
{
	json_t *list = json_array();
	bool all = true;

	for (unsigned int i = 0; i < cdi->bdfs.count; i++) {
		json_t *one = device(cdi, cdi->bdfs.bdf[i]);

		all = all && one != NULL;
		if (one != NULL)
			json_array_append_new(list, one);
	}
	if (!all) {
		json_decref(list);
		return NULL;
	}
	return list;
}

/* The same path inside as outside. */
static json_t *
mount_of(const char *path, const char *access)
{
	return json_pack("{s:s, s:s, s:[s,s,s,s]}", "hostPath", path, "containerPath", path,
			 "options", "bind", access, "nosuid", "nodev");
}

static json_t *
environment(const struct cdi *cdi, const struct plugin *plugin)
{
	json_t *env = json_pack("[o]", json_sprintf("LD_PRELOAD=%s", plugin->path));

	if (cdi->insecure)
		json_array_append_new(env, json_string("DPDK_IOASID_OPTS=" INSECURE_OPTION));
	return env;
}

static json_t *
common_edits(const struct cdi *cdi)
{
	struct plugin plugin;

	if (plugin_find(NULL, &plugin) < 0) {
		fprintf(stderr,
			"dpdk-ioasid: the plugin " PLUGIN_NAME " is not in %s: install it, or "
			"name it by " PLUGIN_ENV "\n",
			plugin.path);
		return NULL;
	}
	return json_pack("{s:o, s:[o], s:[o,o]}", "env", environment(cdi, &plugin), "deviceNodes",
			 device_node("/dev/iommu"), "mounts", mount_of(plugin.path, "ro"),
			 mount_of(HUGEPAGES, "rw"));
}

static json_t *
specification(const struct cdi *cdi)
{
	json_t *list = devices(cdi), *edits = list != NULL ? common_edits(cdi) : NULL;

	if (edits == NULL) {
		json_decref(list);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:o, s:o}", "cdiVersion", CDI_VERSION, "kind", CDI_KIND,
			 "devices", list, "containerEdits", edits);
}

static int
write_to(FILE *f, const json_t *spec, bool json)
{
	if (!json)
		return yaml_write(f, spec);
	if (json_dumpf(spec, f, JSON_INDENT(2)) < 0 || putc('\n', f) == EOF)
		return -EIO;
	return 0;
}

/* A run-time may read the file at any time: it is put in place whole. */
static int
write_file(const char *path, const json_t *spec, bool json)
{
	char new[PATH_MAX];
	FILE *f;
	int err;

	if (snprintf(new, sizeof(new), "%s.new", path) >= (int)sizeof(new))
		return -ENAMETOOLONG;
	f = fopen(new, "we");
	if (f == NULL)
		return -errno;
	err = write_to(f, spec, json);
	if (fclose(f) != 0 && err == 0)
		err = -errno;
	if (err == 0 && rename(new, path) < 0)
		err = -errno;
	if (err < 0)
		unlink(new);
	return err;
}

static int
write_spec(const struct cdi *cdi, const json_t *spec)
{
	int err;

	if (cdi->output == NULL)
		return write_to(stdout, spec, cdi->json) < 0 ? STATUS_NO : STATUS_OK;
	err = write_file(cdi->output, spec, cdi->json);
	if (err < 0)
		fprintf(stderr, "dpdk-ioasid: %s: %s\n", cdi->output, strerror(-err));
	return err < 0 ? STATUS_NO : STATUS_OK;
}

int
command_cdi(int argc, char **argv)
{
	const struct argp argp = { options, parse, "BDF...", doc, NULL, NULL, NULL };
	struct cdi cdi = { 0 };
	int status = STATUS_NO;
	json_t *spec;

	argp_parse(&argp, argc, argv, 0, NULL, &cdi);
	spec = specification(&cdi);
	if (spec != NULL)
		status = write_spec(&cdi, spec);
	json_decref(spec);
	bdfs_free(&cdi.bdfs);
	return status;
}
