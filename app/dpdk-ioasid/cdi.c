/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * dpdk-ioasid cdi: what a container needs of the host for the devices that are named, as
 * a Container Device Interface specification (cncf-tags/container-device-interface).
 */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "command.h"
#include "judge/judge.h"
#include "plugin.h"
#include "view/yaml_write.h"

/* The first in which the name of a device may begin with a digit. */
#define CDI_VERSION "0.5.0"
#define CDI_KIND    "dpdk-ioasid/pci"
/* Empty after each boot, as the numbers of device nodes are new then. */
#define CDI_DIR "/run/cdi"
/* Where other specifications stay. */
#define CDI_KEPT "/etc/cdi"

struct cdi {
	struct bdfs bdfs;
	bool insecure;
	bool json;
	const char *output;
	struct machine *machine;
};

enum { KEY_INSECURE = 256 };

static const struct argp_option options[] = {
	{ "allow-insecure-vfio", KEY_INSECURE, NULL, 0,
	  "Although others of the devices' IOMMU groups could reach the containers' memory", 0 },
	{ "json", 'j', NULL, 0, "Write JSON, not YAML", 0 },
	{ "output", 'o', "FILE", 0, "Write to FILE, such as " CDI_DIR "/dpdk-ioasid.yaml", 0 },
	{ 0 },
};

static const char doc[] =
	"Write a Container Device Interface specification by which containers get /dev/iommu, the "
	"plugin, and exactly the device nodes that the named devices need: their own and those of "
	"the named others in their IOMMU groups. All must be bound to vfio-pci. A device that is "
	"not isolated, together with the others that are named, is refused. Memory is each "
	"container's own business: --in-memory, or a hugetlbfs that no other container has."
	"\vThen for example: podman run --device " CDI_KIND
	"=0000:01:00.0 ... The names of device nodes change when devices are bound anew: write it "
	"again then, as after a boot.\n\n"
	"Exit status: 0 if it was written; 1 if a device was refused or cannot be used, or the "
	"file not be written; 2 if the arguments are wrong or there is no such device.";

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

static bool
check_cdev(const struct device *device)
{
	const char *bdf = device->member.bdf;

	if (device->cdev.there == YES)
		return true;
	if (ioasid_is_on_vfio(&device->member))
		complain(bdf, "has no VFIO device node: that needs a kernel with "
			      "CONFIG_VFIO_DEVICE_CDEV");
	else
		complain(bdf,
			 "has no VFIO device node: dpdk-ioasid bind %s, on a kernel with "
			 "CONFIG_VFIO_DEVICE_CDEV",
			 bdf);
	return false;
}

/* All that keeps it from being isolated; the risk may be accepted, what cannot be may not. */
static bool
check_isolation(const struct cdi *cdi, const struct device *device)
{
	struct opinion *opinion = judge(cdi->machine, device, &cdi->bdfs);
	const bool accepted = cdi->insecure && opinion->verdict != VERDICT_CANNOT;
	const bool good = opinion->verdict <= VERDICT_COMPLETE;

	if (!good)
		complain(device->member.bdf, "%s: %s: %s", accepted ? "at risk" : "refused",
			 verdict_name(opinion->verdict), opinion->reason);
	if (!good && !accepted && opinion->verdict != VERDICT_CANNOT)
		complain(device->member.bdf,
			 "put that right, or accept the risk by " INSECURE_OPTION);
	opinion_free(opinion);
	return good || accepted;
}

/* The specification */

static json_t *
device_node(const char *path)
{
	return json_pack("{s:s, s:s}", "path", path, "permissions", "rw");
}

/* In the order of addresses, whatever the nodes are called. */
static json_t *
member_nodes(const struct cdi *cdi, const struct group *group)
{
	json_t *nodes = json_array();

	for (unsigned int i = 0; i < group->nmembers; i++) {
		const struct device *m = group->members[i];

		if (bdfs_has(&cdi->bdfs, m->member.bdf) && m->cdev.there == YES)
			json_array_append_new(nodes, device_node(m->cdev.path));
	}
	return nodes;
}

/* A device with the nodes of its group; NULL: refused. */
static json_t *
describe(const struct cdi *cdi, const char *bdf)
{
	const struct device *device = machine_device(cdi->machine, bdf);

	if (device == NULL) {
		complain(bdf, "has gone");
		return NULL;
	}
	if (!check_cdev(device) || !check_isolation(cdi, device) || device->group == NULL)
		return NULL;
	return json_pack("{s:s, s:{s:o}}", "name", bdf, "containerEdits", "deviceNodes",
			 member_nodes(cdi, device->group));
}

static json_t *
devices(const struct cdi *cdi)
{
	json_t *list = json_array();
	bool all = true;

	for (unsigned int i = 0; i < cdi->bdfs.count; i++) {
		json_t *one = describe(cdi, cdi->bdfs.bdf[i]);

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

	if (cdi->machine->iommufd.node.there != YES) {
		fprintf(stderr,
			"dpdk-ioasid: there is no /dev/iommu that a container could be given\n");
		return NULL;
	}
	if (plugin_find(NULL, &plugin) < 0) {
		fprintf(stderr,
			"dpdk-ioasid: the plugin " PLUGIN_NAME
			" is not in %s: install it, or name it by " PLUGIN_ENV "\n",
			plugin.path);
		return NULL;
	}
	if (!plugin_preloadable(plugin.path)) {
		fprintf(stderr, "dpdk-ioasid: %s: " PLUGIN_NOT_PRELOADABLE "\n", plugin.path);
		return NULL;
	}
	return json_pack("{s:o, s:[o], s:[o]}", "env", environment(cdi, &plugin), "deviceNodes",
			 device_node("/dev/iommu"), "mounts", mount_of(plugin.path, "ro"));
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

/*
 * A run-time may read the file at any time: it is put in place whole, by a file of a name that
 * nobody can foresee and no run-time reads (mkstemp(3) follows no link). Run-times of users
 * without root read it, too.
 */
static int
write_file(const char *path, const json_t *spec, bool json)
{
	char new[PATH_MAX];
	int fd, err;
	FILE *f;

	if (snprintf(new, sizeof(new), "%s.XXXXXX", path) >= (int)sizeof(new))
		return -ENAMETOOLONG;
	fd = mkostemp(new, O_CLOEXEC);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (f == NULL)
		return -errno;
	err = write_to(f, spec, json);
	if (err == 0 && (fchmod(fd, 0644) < 0 || fflush(f) != 0 || fsync(fd) < 0))
		err = -errno;
	if (fclose(f) != 0 && err == 0)
		err = -errno;
	if (err == 0 && rename(new, path) < 0)
		err = -errno;
	if (err < 0)
		unlink(new);
	return err;
}

/* Numbers of nodes do not outlive a boot: then they would be another device's. */
static bool
is_kept(const char *path)
{
	char copy[PATH_MAX], dir[PATH_MAX];
	const size_t n = strlen(CDI_KEPT);

	snprintf(copy, sizeof(copy), "%s", path);
	/* What is not there is taken by its name. */
	if (realpath(dirname(copy), dir) == NULL)
		snprintf(dir, sizeof(dir), "%s", copy);
	return strncmp(dir, CDI_KEPT, n) == 0 && (dir[n] == '\0' || dir[n] == '/');
}

static int
write_spec(const struct cdi *cdi, const json_t *spec)
{
	int err;

	if (cdi->output == NULL)
		return write_to(stdout, spec, cdi->json) < 0 ? STATUS_NO : STATUS_OK;
	if (is_kept(cdi->output)) {
		fprintf(stderr,
			"dpdk-ioasid: %s would outlive a boot, and the numbers of device nodes do "
			"not: write to " CDI_DIR ", which container run-times read, too\n",
			cdi->output);
		return STATUS_NO;
	}
	err = write_file(cdi->output, spec, cdi->json);
	if (err < 0)
		fprintf(stderr, "dpdk-ioasid: %s: %s\n", cdi->output, strerror(-err));
	return err < 0 ? STATUS_NO : STATUS_OK;
}

int
command_cdi(int argc, char **argv)
{
	const struct argp argp = { options, parse, "DEVICE...", doc, NULL, NULL, NULL };
	struct cdi cdi = { 0 };
	int status = STATUS_NO;
	json_t *spec;

	argp_parse(&argp, argc, argv, 0, NULL, &cdi);
	cdi.machine = machine_read(bdfs_wanted, &cdi.bdfs);
	spec = specification(&cdi);
	if (spec != NULL)
		status = write_spec(&cdi, spec);
	json_decref(spec);
	machine_free(cdi.machine);
	bdfs_free(&cdi.bdfs);
	return status;
}
