/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Documentation/ABI/testing/sysfs-kernel-iommu_groups, sysfs-bus-pci. Everything read here
 * may be missing or change under us: devices come and go.
 */

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "error.h"
#include "sys.h"
#include "sysfs.h"

#define PCI_HEADER_TYPE      0x0e
#define PCI_HEADER_TYPE_MASK 0x7f
#define PCI_HEADER_NORMAL    0
#define PCI_HEADER_BRIDGE    1
#define PCI_HEADER_CARDBUS   2
#define PCI_CLASS_HOST       0x0600

/* A file of sysfs is a page at most. */
#define SYSFS_FILE 4096

/* What is given as a device becomes part of a path: nothing but a plain name. */
static bool
is_plain_name(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL &&
	       strlen(name) < IOASID_BDF_SIZE;
}

/* DOMAIN:BUS:DEVICE.FUNCTION: only PCI calls its devices so. */
static bool
is_pci_name(const char *name)
{
	unsigned int domain, bus, device, function;
	int end = 0;

	return sscanf(name, "%8x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) == 4 &&
	       name[end] == '\0';
}

/* dir/file; "" if that is too long, which then does not exist. */
static void
make_path(char path[PATH_MAX], const char *dir, const char *file)
{
	if (snprintf(path, PATH_MAX, "%s/%s", dir, file) >= PATH_MAX)
		path[0] = '\0';
}

/* A file of a device, by the same rule. */
static void
device_path(char path[PATH_MAX], const char *devices, const char *bdf, const char *file)
{
	if (snprintf(path, PATH_MAX, "%s/%s/%s", devices, bdf, file) >= PATH_MAX)
		path[0] = '\0';
}

static int
unreadable(int err, const char *path)
{
	return error_set(err == -ENOMEM ? ENOMEM : EPROTO, "%s: cannot be read (%s)", path,
			 strerror(-err));
}

/* A whole file as text, without its last newline: 0 or -errno without a sentence. */
static int
read_text(const char *path, char *buf, size_t size)
{
	ssize_t n = ioasid_sys->read_file(path, buf, size);

	if (n < 0)
		return (int)n;
	if ((size_t)n == size)
		return -EFBIG;
	buf[n] = '\0';
	if (n > 0 && buf[n - 1] == '\n')
		buf[n - 1] = '\0';
	return 0;
}

/* The last part of a symbolic link's target: 0 or -errno without a sentence. */
static int
read_link_name(const char *path, char *buf, size_t size)
{
	char target[PATH_MAX];
	const char *name;
	int ret = ioasid_sys->read_link(path, target, sizeof(target));

	if (ret < 0)
		return ret;
	name = strrchr(target, '/');
	name = name != NULL ? name + 1 : target;
	if (strlen(name) >= size)
		return -ENAMETOOLONG;
	strcpy(buf, name);
	return 0;
}

/* As strtoull(), but no space, no sign and no overflow; false: not a number. */
static bool
parse_number(const char *text, const char **end, int base, uint64_t *number)
{
	char *stop;

	if (!isxdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*number = strtoull(text, &stop, base);
	*end = stop;
	return errno == 0 && stop != text;
}

static bool
parse_whole(const char *text, int base, uint64_t max, uint64_t *number)
{
	const char *end;

	return parse_number(text, &end, base, number) && *end == '\0' && *number <= max;
}

/* A number in hexadecimal, as PCI's files hold it. */
static int
read_hex(const char *dir, const char *file, uint64_t max, uint64_t *number)
{
	char path[PATH_MAX], text[32];
	int ret;

	make_path(path, dir, file);
	ret = read_text(path, text, sizeof(text));
	if (ret < 0)
		return unreadable(ret, path);
	if (!parse_whole(text, 16, max, number))
		return error_set(EPROTO, "%s: \"%.16s\" is not a number", path, text);
	return 0;
}

/* ---- members */

/* To be exempt must be proven: a header that cannot be read is an error. */
static int
read_header(const char *dir, struct ioasid_member *m)
{
	unsigned char config[PCI_HEADER_TYPE + 1];
	char path[PATH_MAX];
	unsigned int header;
	ssize_t n;

	make_path(path, dir, "config");
	n = ioasid_sys->read_file(path, config, sizeof(config));
	if (n < 0)
		return unreadable((int)n, path);
	if (n < (ssize_t)sizeof(config))
		return error_set(EPROTO, "%s: has %zd bytes only", path, n);
	header = config[PCI_HEADER_TYPE] & PCI_HEADER_TYPE_MASK;
	m->bridge = header == PCI_HEADER_BRIDGE || header == PCI_HEADER_CARDBUS;
	m->host_bridge = header == PCI_HEADER_NORMAL && m->class_code >> 8 == PCI_CLASS_HOST;
	return 0;
}

static int
read_pci(const char *dir, struct ioasid_member *m)
{
	uint64_t vendor = 0, device = 0, class_code = 0;
	int ret = read_hex(dir, "vendor", UINT16_MAX, &vendor);

	if (ret == 0)
		ret = read_hex(dir, "device", UINT16_MAX, &device);
	if (ret == 0)
		ret = read_hex(dir, "class", UINT32_MAX, &class_code);
	if (ret < 0)
		return ret;
	m->vendor = (uint16_t)vendor;
	m->device = (uint16_t)device;
	m->class_code = (uint32_t)class_code;
	strcpy(m->bus, "pci");
	return read_header(dir, m);
}

static int
read_bus(const char *dir, struct ioasid_member *m)
{
	char path[PATH_MAX];
	int ret;

	make_path(path, dir, "subsystem");
	ret = read_link_name(path, m->bus, sizeof(m->bus));
	return ret < 0 ? unreadable(ret, path) : 0;
}

static void
free_entries(struct dirent **entries, int n)
{
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
}

/* "" if the device is not on a VFIO driver, or the kernel shows no vfio-dev (before 6.1). */
static int
read_cdev(const char *dir, char cdev[IOASID_CDEV_SIZE])
{
	struct dirent **entries = NULL;
	char path[PATH_MAX];
	int n, ret = 0;

	cdev[0] = '\0';
	make_path(path, dir, "vfio-dev");
	n = ioasid_sys->list(path, &entries);
	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return unreadable(n, path);
	if (n > 0 && strlen(entries[0]->d_name) >= IOASID_CDEV_SIZE)
		ret = error_set(EPROTO, "%s: a node with the strange name \"%.64s\"", path,
				entries[0]->d_name);
	else if (n > 0)
		strcpy(cdev, entries[0]->d_name);
	free_entries(entries, n);
	return ret;
}

static int
read_driver(const char *dir, struct ioasid_member *m)
{
	char path[PATH_MAX];
	int ret;

	make_path(path, dir, "driver");
	ret = read_link_name(path, m->driver, sizeof(m->driver));
	if (ret == 0)
		return 0;
	m->driver[0] = '\0';
	return ret == -ENOENT ? 0 : unreadable(ret, path);
}

static int
read_member(const char *devices, const char *name, struct ioasid_member *m)
{
	char dir[PATH_MAX];
	int ret;

	if (!is_plain_name(name))
		return error_set(EPROTO, "%s: a device with the strange name \"%.64s\"", devices,
				 name);
	make_path(dir, devices, name);
	*m = (struct ioasid_member){ 0 };
	strcpy(m->bdf, name);
	ret = is_pci_name(name) ? read_pci(dir, m) : read_bus(dir, m);
	if (ret == 0)
		ret = read_cdev(dir, m->cdev);
	if (ret == 0)
		ret = read_driver(dir, m);
	m->standing = ioasid_is_exempt(m) ? IOASID_EXEMPT : IOASID_AT_RISK;
	return ret;
}

/* Whether a member that could not be read was on its way out, and has gone. */
static bool
has_gone(const char *devices, const char *name)
{
	char path[PATH_MAX], target[PATH_MAX];

	make_path(path, devices, name);
	return ioasid_sys->read_link(path, target, sizeof(target)) == -ENOENT;
}

static int
read_entries(const char *path, struct dirent **entries, int n, struct ioasid_group_info *info)
{
	int ret;

	info->members = calloc((size_t)n + 1, sizeof(*info->members));
	if (info->members == NULL)
		return error_set(ENOMEM, "%s: out of memory", path);
	for (int i = 0; i < n; i++) {
		ret = read_member(path, entries[i]->d_name, &info->members[info->nmembers]);
		if (ret == 0)
			info->nmembers++;
		else if (!has_gone(path, entries[i]->d_name))
			return ret;
	}
	return 0;
}

static bool
exists(const char *dir)
{
	struct dirent **entries = NULL;
	int n = ioasid_sys->list(dir, &entries);

	if (n >= 0)
		free_entries(entries, n);
	return n != -ENOENT;
}

static int
read_members(const char *dir, struct ioasid_group_info *info)
{
	struct dirent **entries = NULL;
	char path[PATH_MAX];
	int n, ret;

	make_path(path, dir, "devices");
	n = ioasid_sys->list(path, &entries);
	if (n == -ENOENT && !exists(dir))
		return error_set(ENOENT, "IOMMU group %u: there is none, or no more", info->number);
	if (n < 0)
		return unreadable(n, path);
	ret = read_entries(path, entries, n, info);
	free_entries(entries, n);
	return ret;
}

/* ---- reserved regions */

/* "0xSTART 0xLAST TYPE" */
static bool
parse_reserved(const char *line, struct ioasid_reserved *r)
{
	size_t length;

	if (!parse_number(line, &line, 16, &r->range.start) || *line++ != ' ' ||
	    !parse_number(line, &line, 16, &r->range.last) || *line++ != ' ')
		return false;
	length = strcspn(line, " ");
	if (length == 0 || r->range.start > r->range.last)
		return false;
	/* A longer word is one that this library does not know: nothing is decided by its end. */
	snprintf(r->type, sizeof(r->type), "%.*s", (int)length, line);
	return true;
}

static int
add_reserved(const char *path, const char *line, struct ioasid_group_info *info)
{
	struct ioasid_reserved r, *bigger;

	if (!parse_reserved(line, &r))
		return error_set(EPROTO, "%s: cannot be understood: \"%.64s\"", path, line);
	bigger = reallocarray(info->reserved, info->nreserved + 1, sizeof(r));
	if (bigger == NULL)
		return error_set(ENOMEM, "%s: out of memory", path);
	info->reserved = bigger;
	info->reserved[info->nreserved++] = r;
	return 0;
}

static int
read_reserved(const char *dir, struct ioasid_group_info *info)
{
	char path[PATH_MAX], text[SYSFS_FILE + 1], *save = NULL;
	int ret;

	make_path(path, dir, "reserved_regions");
	ret = read_text(path, text, sizeof(text));
	if (ret < 0)
		return unreadable(ret, path);
	for (char *line = strtok_r(text, "\n", &save); line != NULL && ret == 0;
	     line = strtok_r(NULL, "\n", &save))
		ret = add_reserved(path, line, info);
	return ret;
}

bool
sysfs_reserves(const struct ioasid_reserved *r)
{
	/* Used by the firmware at boot only: the kernel lets it be mapped. */
	return strcmp(r->type, "direct-relaxable") != 0;
}

/* ---- groups */

/* VFIO gives a device without IOMMU a group of this name; others have none. */
static int
read_noiommu(const char *dir, struct ioasid_group_info *info)
{
	char path[PATH_MAX], name[64];
	int ret;

	make_path(path, dir, "name");
	ret = read_text(path, name, sizeof(name));
	if (ret < 0 && ret != -ENOENT)
		return unreadable(ret, path);
	info->noiommu = ret == 0 && strncmp(name, "vfio-noiommu", strlen("vfio-noiommu")) == 0;
	return 0;
}

static int
read_group(const char *dir, struct ioasid_group_info *info)
{
	int ret = read_members(dir, info);

	if (ret == 0)
		ret = read_reserved(dir, info);
	return ret == 0 ? read_noiommu(dir, info) : ret;
}

int
ioasid_group_info_by_number(const char *devices, unsigned int number,
			    struct ioasid_group_info **out)
{
	struct ioasid_group_info *info = calloc(1, sizeof(*info));
	char dir[PATH_MAX], target[64];
	int ret;

	if (info == NULL)
		return error_set(ENOMEM, "IOMMU group %u: out of memory", number);
	info->number = number;
	/* ROOT/bus/BUS/devices and ROOT/kernel/iommu_groups */
	snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%u", number);
	make_path(dir, devices, target);
	ret = read_group(dir, info);
	if (ret < 0) {
		ioasid_group_info_free(info);
		return ret;
	}
	*out = info;
	return 0;
}

int
ioasid_group_number(const char *devices, const char *bdf, unsigned int *number)
{
	char path[PATH_MAX], name[PATH_MAX];
	uint64_t n;
	int ret;

	if (!is_plain_name(bdf))
		return error_set(ENODEV, "\"%.40s\" is not the address of a device", bdf);
	make_path(path, devices, bdf);
	ret = ioasid_sys->read_link(path, name, sizeof(name));
	if (ret == -ENOENT)
		return error_set(ENODEV, "%s: no such device: see lspci -D", bdf);
	if (ret < 0)
		return unreadable(ret, path);
	device_path(path, devices, bdf, "iommu_group");
	ret = read_link_name(path, name, sizeof(name));
	if (ret == -ENOENT)
		return error_set(ENOENT,
				 "%s: has no IOMMU group: switch the IOMMU on in the firmware "
				 "and on the kernel's command line (intel_iommu=on)",
				 bdf);
	if (ret < 0)
		return unreadable(ret, path);
	if (!isdigit((unsigned char)name[0]) || !parse_whole(name, 10, UINT_MAX, &n))
		return error_set(EPROTO, "%s: \"%s\" is not a group number", path, name);
	*number = (unsigned int)n;
	return 0;
}

int
ioasid_group_info_read(const char *devices, const char *bdf, struct ioasid_group_info **info)
{
	unsigned int number;
	int ret = ioasid_group_number(devices, bdf, &number);

	return ret < 0 ? ret : ioasid_group_info_by_number(devices, number, info);
}

void
ioasid_group_info_free(struct ioasid_group_info *info)
{
	if (info == NULL)
		return;
	free(info->members);
	free(info->reserved);
	free(info);
}

const struct ioasid_member *
ioasid_group_member(const struct ioasid_group_info *info, const char *bdf)
{
	for (unsigned int i = 0; i < info->nmembers; i++)
		if (strcmp(info->members[i].bdf, bdf) == 0)
			return &info->members[i];
	return NULL;
}

unsigned int
ioasid_group_at_risk(const struct ioasid_group_info *info)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < info->nmembers; i++)
		n += info->members[i].standing == IOASID_AT_RISK;
	return n;
}

unsigned int
ioasid_group_past_iommu(const struct ioasid_group_info *info)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < info->nmembers; i++)
		n += info->members[i].past_iommu;
	return n;
}

bool
ioasid_is_exempt(const struct ioasid_member *m)
{
	return m->bridge || m->host_bridge;
}

static bool
ends_in(const char *text, const char *end)
{
	const size_t length = strlen(text), n = strlen(end);

	return length >= n && strcmp(text + length - n, end) == 0;
}

/* vfio-pci, vfio-platform; mlx5_vfio_pci, hisi_acc_vfio_pci, nvgrace-gpu-vfio-pci. */
bool
ioasid_is_on_vfio(const struct ioasid_member *m)
{
	/* Kernels before 6.1 show no vfio-dev/ for a device: look at the driver's name, too. */
	return m->cdev[0] != '\0' || strncmp(m->driver, "vfio-", 5) == 0 ||
	       ends_in(m->driver, "_vfio_pci") || ends_in(m->driver, "-vfio-pci");
}

/* ---- devices */

int
ioasid_is_vfio(const char *devices, const char *bdf)
{
	char dir[PATH_MAX], cdev[IOASID_CDEV_SIZE];
	int ret;

	if (!is_plain_name(bdf))
		return 0;
	make_path(dir, devices, bdf);
	ret = read_cdev(dir, cdev);
	return ret < 0 ? ret : cdev[0] != '\0';
}

int
sysfs_cdev_number(const char *devices, const struct ioasid_member *m, dev_t *rdev)
{
	char path[PATH_MAX], file[IOASID_CDEV_SIZE + 16], text[32];
	unsigned int major, minor;
	int ret, end = 0;

	snprintf(file, sizeof(file), "vfio-dev/%s/dev", m->cdev);
	device_path(path, devices, m->bdf, file);
	ret = read_text(path, text, sizeof(text));
	if (ret == -ENOENT)
		return error_set(ENOENT,
				 "%s: the kernel's VFIO has no device nodes (no %s): it needs "
				 "Linux 6.6 and CONFIG_VFIO_DEVICE_CDEV",
				 m->bdf, path);
	if (ret < 0)
		return unreadable(ret, path);
	if (sscanf(text, "%u:%u%n", &major, &minor, &end) != 2 || text[end] != '\0')
		return error_set(EPROTO, "%s: %s holds no device number", m->bdf, path);
	*rdev = makedev(major, minor);
	return 0;
}

int
sysfs_is_physical_function(const char *devices, const char *bdf, bool *physical)
{
	char path[PATH_MAX], text[32];
	int ret;

	device_path(path, devices, bdf, "sriov_totalvfs");
	ret = read_text(path, text, sizeof(text));
	if (ret < 0 && ret != -ENOENT)
		return unreadable(ret, path);
	*physical = ret == 0;
	return 0;
}

int
ioasid_physical_function(const char *devices, const char *bdf, char *physical)
{
	char path[PATH_MAX];
	int ret;

	device_path(path, devices, bdf, "physfn");
	ret = read_link_name(path, physical, IOASID_BDF_SIZE);
	if (ret < 0 && ret != -ENOENT)
		return unreadable(ret, path);
	return ret == 0;
}

/* ---- the kernel */

int
ioasid_kernel_is_noiommu(void)
{
	static const char path[] = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";
	static const char iommus[] = "/sys/class/iommu";
	struct dirent **entries = NULL;
	char on[8];
	int n, ret = read_text(path, on, sizeof(on));

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return unreadable(ret, path);
	if (on[0] != 'Y')
		return 0;
	/* The kernel lists each IOMMU that is in use. */
	n = ioasid_sys->list(iommus, &entries);
	if (n < 0 && n != -ENOENT)
		return unreadable(n, iommus);
	if (n >= 0)
		free_entries(entries, n);
	return n <= 0;
}

/*
 * The region of device numbers is called "vfio-dev" (drivers/vfio/device_cdev.c); sysfs has
 * a class of that name with or without cdevs.
 */
int
ioasid_kernel_lacks_cdevs(void)
{
	static const char vfio[] = "/sys/module/vfio", devices[] = "/proc/devices";
	struct dirent **entries = NULL;
	char text[16384];
	int n, ret;

	n = ioasid_sys->list(vfio, &entries);
	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return unreadable(n, vfio);
	free_entries(entries, n);
	ret = read_text(devices, text, sizeof(text));
	if (ret < 0)
		return unreadable(ret, devices);
	return strstr(text, " vfio-dev") == NULL;
}
