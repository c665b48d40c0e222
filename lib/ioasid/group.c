/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * IOMMU groups as sysfs shows them (Documentation/ABI/testing/sysfs-kernel-iommu_groups).
 * Everything read here may be missing or change under us: devices come and go.
 */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "internal.h"

#define PCI_HEADER_TYPE      0x0e
#define PCI_HEADER_TYPE_MASK 0x7f
#define PCI_HEADER_BRIDGE    1
#define PCI_HEADER_CARDBUS   2

/* What is given as a device becomes part of a path: nothing but a plain name. */
static bool
is_plain_name(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL &&
	       strlen(name) < IOASID_BDF_SIZE;
}

/* dir/file; "" if that is too long, which then does not exist. */
static void
make_path(char path[PATH_MAX], const char *dir, const char *file)
{
	if (snprintf(path, PATH_MAX, "%s/%s", dir, file) >= PATH_MAX)
		path[0] = '\0';
}

/* First line of a file without its newline; "" if it cannot be read. */
static void
read_line(const char *dir, const char *file, char *buf, size_t size)
{
	char path[PATH_MAX];
	FILE *f;

	buf[0] = '\0';
	make_path(path, dir, file);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fgets(buf, (int)size, f) == NULL)
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	fclose(f);
}

static uint32_t
read_hex(const char *dir, const char *file)
{
	char buf[32];

	read_line(dir, file, buf, sizeof(buf));
	return (uint32_t)strtoul(buf, NULL, 16);
}

/* The last part of a symbolic link's target: 0 or -errno. */
static int
read_link_name(const char *dir, const char *file, char *buf, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *name;
	ssize_t n;

	make_path(path, dir, file);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name != NULL ? name + 1 : target;
	if (strlen(name) >= size)
		return -ENAMETOOLONG;
	strcpy(buf, name);
	return 0;
}

/* An unreadable header counts as an endpoint: to be exempt must be proven. */
static bool
is_bridge(const char *dir)
{
	unsigned char header = 0xff;
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	make_path(path, dir, "config");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = pread(fd, &header, 1, PCI_HEADER_TYPE);
	close(fd);
	header &= PCI_HEADER_TYPE_MASK;
	return n == 1 && (header == PCI_HEADER_BRIDGE || header == PCI_HEADER_CARDBUS);
}

int
group_read_cdev(const char *sysfs, const char *bdf, char cdev[IOASID_CDEV_SIZE])
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct dirent *e;
	int ret = -ENOENT;
	DIR *d;

	cdev[0] = '\0';
	make_path(dir, sysfs, bdf);
	make_path(path, dir, "vfio-dev");
	d = opendir(path);
	if (d == NULL)
		return -ENOENT;
	while (ret != 0 && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || strlen(e->d_name) >= IOASID_CDEV_SIZE)
			continue;
		strcpy(cdev, e->d_name);
		ret = 0;
	}
	closedir(d);
	return ret;
}

bool
ioasid_is_vfio(const char *sysfs, const char *bdf)
{
	char cdev[IOASID_CDEV_SIZE];

	return is_plain_name(bdf) && group_read_cdev(sysfs, bdf, cdev) == 0;
}

static void
read_member(const char *devices, const char *name, struct ioasid_member *m)
{
	char dir[PATH_MAX];

	make_path(dir, devices, name);
	strcpy(m->bdf, name);
	m->vendor = (uint16_t)read_hex(dir, "vendor");
	m->device = (uint16_t)read_hex(dir, "device");
	m->class_code = read_hex(dir, "class");
	m->bridge = is_bridge(dir);
	group_read_cdev(devices, name, m->cdev);
	if (read_link_name(dir, "driver", m->driver, sizeof(m->driver)) < 0)
		m->driver[0] = '\0';
}

static int
not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int
read_members(const char *dir, struct ioasid_group *group)
{
	char path[PATH_MAX];
	struct dirent **names;
	int n, ret = 0;

	make_path(path, dir, "devices");
	n = scandir(path, &names, not_hidden, alphasort);
	if (n < 0)
		return error_set(EPROTO, "%s: cannot be read (%s)", path, strerror(errno));

	group->members = calloc((size_t)n + 1, sizeof(*group->members));
	if (group->members == NULL)
		ret = error_set(ENOMEM, "%s: out of memory", path);
	for (int i = 0; i < n; i++) {
		if (ret == 0 && !is_plain_name(names[i]->d_name))
			ret = error_set(EPROTO, "%s: a device with the strange name \"%s\"", path,
					names[i]->d_name);
		if (ret == 0)
			read_member(path, names[i]->d_name, &group->members[group->nmembers++]);
		free(names[i]);
	}
	free(names);
	return ret;
}

/* As strtoull(), but no space, no sign and no overflow; false: not a number. */
static bool
parse_number(const char *text, const char **end, int base, uint64_t *number)
{
	char *stop;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*number = strtoull(text, &stop, base);
	*end = stop;
	return errno == 0;
}

/* "0xSTART 0xLAST TYPE" */
static int
parse_reserved(const char *line, struct ioasid_reserved *r)
{
	if (!parse_number(line, &line, 16, &r->range.start) || *line++ != ' ' ||
	    !parse_number(line, &line, 16, &r->range.last) || *line++ != ' ' ||
	    sscanf(line, "%23s", r->type) != 1)
		return -EPROTO;
	return r->range.start <= r->range.last ? 0 : -EPROTO;
}

static int
read_reserved(const char *dir, struct ioasid_group *group)
{
	char path[PATH_MAX], line[128];
	struct ioasid_reserved r, *bigger;
	int ret = 0;
	FILE *f;

	make_path(path, dir, "reserved_regions");
	f = fopen(path, "re");
	if (f == NULL)
		return error_set(EPROTO, "%s: cannot be read (%s)", path, strerror(errno));
	while (ret == 0 && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		ret = parse_reserved(line, &r);
		if (ret < 0) {
			error_set(EPROTO, "%s: cannot be understood: \"%s\"", path, line);
			break;
		}
		bigger = reallocarray(group->reserved, group->nreserved + 1, sizeof(r));
		if (bigger == NULL) {
			ret = error_set(ENOMEM, "%s: out of memory", path);
			break;
		}
		group->reserved = bigger;
		group->reserved[group->nreserved++] = r;
	}
	fclose(f);
	return ret;
}

bool
group_reserves(const struct ioasid_reserved *r)
{
	/* Used by the firmware at boot only: the kernel lets it be mapped. */
	return strcmp(r->type, "direct-relaxable") != 0;
}

int
ioasid_group_number(const char *sysfs, const char *bdf, unsigned int *number)
{
	char dir[PATH_MAX], name[32];
	const char *end;
	uint64_t n;

	if (!is_plain_name(bdf))
		return error_set(ENODEV, "\"%.40s\" is not the address of a device", bdf);
	make_path(dir, sysfs, bdf);
	if (access(dir, F_OK) < 0)
		return error_set(ENODEV, "%s: no such device: see lspci -D", bdf);
	if (read_link_name(dir, "iommu_group", name, sizeof(name)) < 0)
		return error_set(ENOENT,
				 "%s: has no IOMMU group: switch the IOMMU on in the firmware "
				 "and on the kernel's command line (intel_iommu=on)",
				 bdf);
	if (!parse_number(name, &end, 10, &n) || *end != '\0' || n > UINT_MAX)
		return error_set(EPROTO, "%s/iommu_group: \"%s\" is not a group number", dir, name);
	*number = (unsigned int)n;
	return 0;
}

int
ioasid_group_read(const char *sysfs, const char *bdf, struct ioasid_group **out)
{
	struct ioasid_group *group;
	unsigned int number;
	char device[PATH_MAX], dir[PATH_MAX];
	int ret;

	ret = ioasid_group_number(sysfs, bdf, &number);
	if (ret < 0)
		return ret;
	group = calloc(1, sizeof(*group));
	if (group == NULL)
		return error_set(ENOMEM, "%s: out of memory", bdf);
	group->number = number;
	make_path(device, sysfs, bdf);
	make_path(dir, device, "iommu_group");
	ret = read_members(dir, group);
	if (ret == 0)
		ret = read_reserved(dir, group);
	if (ret < 0) {
		ioasid_group_free(group);
		return ret;
	}
	*out = group;
	return 0;
}

void
ioasid_group_free(struct ioasid_group *group)
{
	if (group == NULL)
		return;
	free(group->members);
	free(group->reserved);
	free(group);
}
