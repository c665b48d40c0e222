/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The fake kernel's sysfs, a directory tree laid out like the kernel's:
 *
 *   ROOT/bus/pci/devices/BDF -> ../../../devices/pci0000:00/BDF
 *   ROOT/devices/pci0000:00/BDF/{vendor,device,class,config,driver,iommu_group,vfio-dev}
 *   ROOT/kernel/iommu_groups/N/{devices/BDF,type,reserved_regions}
 */

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_internal.h"

static char root[64];
static char devices[sizeof(root) + 32];

static void make_dir(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void
make_path(char path[PATH_MAX], const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void
make_path(char path[PATH_MAX], const char *fmt, va_list ap)
{
	int n = snprintf(path, PATH_MAX, "%s/", root);

	vsnprintf(path + n, PATH_MAX - (size_t)n, fmt, ap);
}

/* A directory below the root that may be there already. */
static void
make_dir(const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	make_path(path, fmt, ap);
	va_end(ap);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		fake_die("mkdir %s: %s", path, strerror(errno));
}

static void
write_bytes(const char *path, const void *bytes, size_t size)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fwrite(bytes, 1, size, f) != size || fclose(f) != 0)
		fake_die("write %s: %s", path, strerror(errno));
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
remove_tree(const char *path)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
		fake_die("remove %s: %s", path, strerror(errno));
}

/* Paths in sysfs as a test says them: relative to a device. */

static void
device_path(char path[PATH_MAX], const char *bdf, const char *file)
{
	snprintf(path, PATH_MAX, "%s/%s/%s", devices, bdf, file);
}

const char *
fake_sysfs(void)
{
	return devices;
}

void
fake_sysfs_write(const char *bdf, const char *file, const char *text)
{
	char path[PATH_MAX];

	device_path(path, bdf, file);
	remove_tree(path);
	if (text != NULL)
		write_bytes(path, text, strlen(text));
}

void
fake_sysfs_mkdir(const char *bdf, const char *file)
{
	char path[PATH_MAX];

	device_path(path, bdf, file);
	remove_tree(path);
	if (mkdir(path, 0755) < 0)
		fake_die("mkdir %s: %s", path, strerror(errno));
}

void
fake_sysfs_symlink(const char *bdf, const char *file, const char *target)
{
	char path[PATH_MAX];

	device_path(path, bdf, file);
	remove_tree(path);
	if (symlink(target, path) < 0)
		fake_die("symlink %s: %s", path, strerror(errno));
}

/* A device's files */

static void write_number(const struct device *dev, const char *file, const char *fmt,
			 unsigned int number) __attribute__((format(printf, 3, 0)));

static void
write_number(const struct device *dev, const char *file, const char *fmt, unsigned int number)
{
	char text[32];

	snprintf(text, sizeof(text), fmt, number);
	fake_sysfs_write(dev->bdf, file, text);
}

static void
write_config(const struct device *dev)
{
	unsigned char config[64] = { 0 };
	char path[PATH_MAX];

	config[0x0e] = dev->pci.header;
	device_path(path, dev->bdf, "config");
	write_bytes(path, config, sizeof(config));
}

void
sysfs_set_driver(const struct device *dev)
{
	char target[64], file[48];

	fake_sysfs_write(dev->bdf, "driver", NULL);
	fake_sysfs_write(dev->bdf, "vfio-dev", NULL);
	if (dev->driver[0] == '\0')
		return;
	make_dir("bus/pci/drivers/%s", dev->driver);
	snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", dev->driver);
	fake_sysfs_symlink(dev->bdf, "driver", target);
	if (!device_has_cdev(dev))
		return;
	fake_sysfs_mkdir(dev->bdf, "vfio-dev");
	snprintf(file, sizeof(file), "vfio-dev/vfio%u", dev->cdev);
	fake_sysfs_mkdir(dev->bdf, file);
	snprintf(file, sizeof(file), "vfio-dev/vfio%u/dev", dev->cdev);
	write_number(dev, file, "511:%u\n", dev->cdev);
}

/* A group's files */

static bool
is_member(const struct device *dev, uint32_t group)
{
	return dev->plugged && dev->pci.group == group;
}

/* The regions of all members, attached or not; the same one only once. */
static void
write_reserved_regions(uint32_t group)
{
	char path[PATH_MAX], text[1024] = "", line[96];

	for (unsigned int i = 0; i < fake_ndevices; i++) {
		const struct fake_reserved *r = fake_devices[i].pci.reserved;

		if (!is_member(&fake_devices[i], group))
			continue;
		for (unsigned int j = 0; j < 3 && r[j].type != NULL; j++) {
			snprintf(line, sizeof(line), "0x%016" PRIx64 " 0x%016" PRIx64 " %s\n",
				 r[j].start, r[j].last, r[j].type);
			if (strstr(text, line) == NULL)
				strncat(text, line, sizeof(text) - strlen(text) - 1);
		}
	}
	snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%u/reserved_regions", root, group);
	write_bytes(path, text, strlen(text));
}

static void
add_to_group(const struct device *dev)
{
	uint32_t group = dev->pci.group;
	char path[PATH_MAX], target[96];

	make_dir("kernel/iommu_groups/%u", group);
	make_dir("kernel/iommu_groups/%u/devices", group);
	snprintf(target, sizeof(target), "../../../../devices/pci0000:00/%s", dev->bdf);
	snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%u/devices/%s", root, group, dev->bdf);
	if (symlink(target, path) < 0)
		fake_die("symlink %s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%u/type", root, group);
	write_bytes(path, "DMA-FQ\n", 7);
	snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%u", group);
	fake_sysfs_symlink(dev->bdf, "iommu_group", target);
	write_reserved_regions(group);
}

void
sysfs_add(const struct device *dev)
{
	char path[PATH_MAX], target[96];

	make_dir("devices/pci0000:00/%s", dev->bdf);
	snprintf(target, sizeof(target), "../../../devices/pci0000:00/%s", dev->bdf);
	snprintf(path, sizeof(path), "%s/%s", devices, dev->bdf);
	if (symlink(target, path) < 0)
		fake_die("symlink %s: %s", path, strerror(errno));
	write_number(dev, "vendor", "0x%04x\n", dev->pci.vendor);
	write_number(dev, "device", "0x%04x\n", dev->pci.device);
	write_number(dev, "class", "0x%06x\n", dev->pci.class_code);
	write_config(dev);
	sysfs_set_driver(dev);
	if (dev->pci.group != FAKE_NO_GROUP)
		add_to_group(dev);
}

void
sysfs_remove(const struct device *dev)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", devices, dev->bdf);
	remove_tree(path);
	snprintf(path, sizeof(path), "%s/devices/pci0000:00/%s", root, dev->bdf);
	remove_tree(path);
	if (dev->pci.group == FAKE_NO_GROUP)
		return;
	snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%u/devices/%s", root, dev->pci.group,
		 dev->bdf);
	remove_tree(path);
	write_reserved_regions(dev->pci.group);
}

const char *
sysfs_path(const char *path, char buf[PATH_MAX])
{
	if (strncmp(path, "/sys/", 5) == 0)
		snprintf(buf, PATH_MAX, "%s/%s", root, path + 5);
	else if (strncmp(path, "/proc/", 6) == 0)
		snprintf(buf, PATH_MAX, "%s/proc/%s", root, path + 6);
	else
		snprintf(buf, PATH_MAX, "%s", path);
	return buf;
}

void
fake_write(const char *path, const char *text)
{
	char real[PATH_MAX];

	sysfs_path(path, real);
	remove_tree(real);
	if (text != NULL)
		write_bytes(real, text, strlen(text));
}

void
sysfs_start(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%.40s/ioasid-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(root) == NULL)
		fake_die("mkdtemp %s: %s", root, strerror(errno));
	make_dir("bus");
	make_dir("bus/pci");
	make_dir("bus/pci/devices");
	make_dir("bus/pci/drivers");
	make_dir("devices");
	make_dir("devices/pci0000:00");
	make_dir("kernel");
	make_dir("kernel/iommu_groups");
	make_dir("module");
	make_dir("module/vfio");
	make_dir("module/vfio/parameters");
	make_dir("proc");
	fake_write("/proc/devices", "Character devices:\n  1 mem\n511 vfio-dev\n");
	snprintf(devices, sizeof(devices), "%s/bus/pci/devices", root);
}

void
sysfs_stop(void)
{
	remove_tree(root);
}
