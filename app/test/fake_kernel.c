/* SPDX-License-Identifier: BSD-3-Clause */

/* The fake kernel's device nodes, files, VFIO devices and IOMMU groups. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/sysmacros.h>

#include <linux/vfio.h>

#include "fake_internal.h"
#include "kernel_abi.h"
#include "sys.h"

/* Far from the numbers of real files, which a mixed-up test would otherwise hit. */
#define FIRST_FD 5000
#define FILES    1200
#define GROUPS   1100
#define FAULTS   4
#define KINDS    48

enum file_type { FILE_FREE, FILE_OTHER, FILE_IOMMUFD, FILE_CDEV };

struct file {
	enum file_type type;
	struct iommufd *iommufd; /* FILE_IOMMUFD */
	struct device *dev;      /* FILE_CDEV */
	bool bound;              /* the device was bound through this very file */
	bool read_only;
	bool inherited; /* not close-on-exec */
};

/* A group exists for as long as a test says so. */
struct group {
	uint32_t number;
	bool legacy_open;
	bool foreign_domain;
	bool require_direct;
};

struct fault {
	unsigned long request;
	unsigned int in; /* calls until it fires; 0: no fault */
	int err;
};

struct fake_machine fake_machine;
struct device fake_devices[FAKE_DEVICES];
unsigned int fake_ndevices;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file files[FILES];
static struct group groups[GROUPS];
static struct fault faults[FAULTS];
static unsigned int fired;
static struct {
	unsigned long request;
	unsigned int n;
} counts[KINDS];
static const struct ioasid_sys *real_sys;

void
fake_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "fake kernel: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	abort();
}

/* Faults and counters */

static unsigned int *
counter(unsigned long request)
{
	for (unsigned int i = 0; i < KINDS; i++) {
		if (counts[i].n == 0)
			counts[i].request = request;
		if (counts[i].request == request)
			return &counts[i].n;
	}
	fake_die("more than %d kinds of calls", KINDS);
}

/* Holds and surprises, of one kind at a time. */

static unsigned long hold_request, at_request;
static bool is_held;
static void (*at_fn)(void);
static pthread_cond_t hold_changed = PTHREAD_COND_INITIALIZER;

void
fake_hold(unsigned long request)
{
	pthread_mutex_lock(&lock);
	hold_request = request;
	pthread_mutex_unlock(&lock);
}

void
fake_wait_held(void)
{
	pthread_mutex_lock(&lock);
	while (!is_held)
		pthread_cond_wait(&hold_changed, &lock);
	pthread_mutex_unlock(&lock);
}

void
fake_let_go(void)
{
	pthread_mutex_lock(&lock);
	is_held = false;
	pthread_cond_broadcast(&hold_changed);
	pthread_mutex_unlock(&lock);
}

void
fake_at(unsigned long request, void (*fn)(void))
{
	at_request = request;
	at_fn = fn;
}

/* With the lock, which is let go meanwhile. */
static void
wait_if_held(unsigned long request)
{
	void (*fn)(void) = at_fn;

	if (fn != NULL && at_request == request) {
		at_fn = NULL;
		pthread_mutex_unlock(&lock);
		fn();
		pthread_mutex_lock(&lock);
	}
	if (hold_request != request)
		return;
	hold_request = 0;
	is_held = true;
	pthread_cond_broadcast(&hold_changed);
	while (is_held)
		pthread_cond_wait(&hold_changed, &lock);
}

/* At the beginning of every call: count it, and say whether it is to fail. */
static int
begin(unsigned long request)
{
	int err = 0;

	wait_if_held(request);
	++*counter(request);
	++*counter(FAKE_ANY);
	for (unsigned int i = 0; i < FAULTS; i++) {
		struct fault *f = &faults[i];

		if (f->in == 0 || (f->request != FAKE_ANY && f->request != request))
			continue;
		if (--f->in == 0) {
			err = -f->err;
			fired++;
		}
	}
	return err;
}

void
fake_fail(unsigned long request, unsigned int nth, int err)
{
	for (unsigned int i = 0; i < FAULTS; i++) {
		if (faults[i].in != 0)
			continue;
		faults[i] = (struct fault){ .request = request, .in = nth, .err = err };
		return;
	}
	fake_die("more than %d faults", FAULTS);
}

unsigned int
fake_fail_clear(void)
{
	unsigned int n = fired;

	memset(faults, 0, sizeof(faults));
	fired = 0;
	return n;
}

unsigned int
fake_count(unsigned long request)
{
	unsigned int n = 0;

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < KINDS; i++)
		if (counts[i].n != 0 && counts[i].request == request)
			n = counts[i].n;
	pthread_mutex_unlock(&lock);
	return n;
}

/* Devices and groups */

static struct device *
find_plugged(const char *bdf)
{
	for (unsigned int i = 0; i < fake_ndevices; i++)
		if (fake_devices[i].plugged && strcmp(fake_devices[i].bdf, bdf) == 0)
			return &fake_devices[i];
	return NULL;
}

static struct device *
get_plugged(const char *bdf)
{
	struct device *dev = find_plugged(bdf);

	if (dev == NULL)
		fake_die("there is no device %s", bdf);
	return dev;
}

static struct group *
find_group(uint32_t number)
{
	for (unsigned int i = 0; i < GROUPS; i++) {
		if (groups[i].number == number)
			return &groups[i];
		if (groups[i].number != FAKE_NO_GROUP)
			continue;
		groups[i].number = number;
		return &groups[i];
	}
	fake_die("more than %d groups", GROUPS);
}

bool
device_has_cdev(const struct device *dev)
{
	return strcmp(dev->driver, "vfio-pci") == 0;
}

/* Drivers that leave DMA to others (driver_managed_dma) do not own their group. */
static bool
driver_owns_dma(const struct device *dev)
{
	static const char *const harmless[] = { "", "vfio-pci", "pci-stub", "pcieport" };

	for (unsigned int i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (strcmp(dev->driver, harmless[i]) == 0)
			return false;
	return true;
}

/* One owner a group: an iommufd, or the kernel by a driver on any of its devices. */
static int
claim_dma_owner(const struct device *dev, const struct iommufd *ctx)
{
	const struct group *group = find_group(dev->pci.group);
	bool owned = false;

	for (unsigned int i = 0; i < fake_ndevices; i++) {
		const struct device *other = &fake_devices[i];

		if (!other->plugged || other->pci.group != dev->pci.group)
			continue;
		if (other->iommufd != NULL && other->iommufd != ctx)
			return -EPERM;
		if (other->iommufd == NULL && driver_owns_dma(other))
			return -EPERM;
		owned = owned || other->iommufd == ctx;
	}
	if (!owned && group->foreign_domain)
		return -EBUSY;
	return !owned && group->require_direct ? -EINVAL : 0;
}

/* Files */

static struct file *
find_file(int fd)
{
	if (fd < FIRST_FD || fd >= FIRST_FD + FILES || files[fd - FIRST_FD].type == FILE_FREE)
		return NULL;
	return &files[fd - FIRST_FD];
}

static int
new_file(const struct file *from)
{
	for (int i = 0; i < FILES; i++) {
		if (files[i].type != FILE_FREE)
			continue;
		files[i] = *from;
		return FIRST_FD + i;
	}
	fake_die("more than %d open files", FILES);
}

static int
open_cdev(const char *path)
{
	for (unsigned int i = 0; i < fake_ndevices; i++) {
		struct device *dev = &fake_devices[i];
		char node[64];

		snprintf(node, sizeof(node), "/dev/vfio/devices/vfio%u", dev->cdev);
		if (strcmp(path, node) == 0 && dev->plugged && device_has_cdev(dev))
			return new_file(&(struct file){ .type = FILE_CDEV, .dev = dev });
	}
	return -ENOENT;
}

static int
do_open(const char *path, int flags)
{
	bool ioasid = strcmp(path, "/dev/ioasid") == 0;
	bool iommu = strcmp(path, "/dev/iommu") == 0;

	if ((flags & O_ACCMODE) != O_RDWR)
		fake_die("%s opened with flags 0x%x", path, (unsigned int)flags);
	if (strcmp(path, "/dev/null") == 0)
		return new_file(&(struct file){ .type = FILE_OTHER });
	if ((ioasid && fake_machine.has_alias) || (iommu && fake_machine.has_iommufd))
		return new_file(&(struct file){ .type = FILE_IOMMUFD, .iommufd = iommufd_new() });
	return open_cdev(path);
}

static int
fake_open(const char *path, int flags)
{
	int ret;

	pthread_mutex_lock(&lock);
	ret = begin(FAKE_OPEN);
	if (ret == 0)
		ret = do_open(path, flags);
	pthread_mutex_unlock(&lock);
	return ret;
}

static void
unbind(struct device *dev)
{
	struct iommufd *ctx = dev->iommufd;

	iommufd_detach(dev);
	if (dev->pf != NULL)
		dev->pf->vfs--;
	iommufd_put_id(ctx, dev->id);
	dev->iommufd = NULL;
	dev->request_fd = -1;
	dev->command = 0;
	iommufd_put(ctx);
}

static void
fake_close(int fd)
{
	struct file *file;

	pthread_mutex_lock(&lock);
	wait_if_held(FAKE_CLOSE);
	++*counter(FAKE_CLOSE);
	file = find_file(fd);
	if (file == NULL)
		fake_die("close of fd %d, which is not open", fd);
	if (file->bound)
		unbind(file->dev);
	if (file->type == FILE_IOMMUFD)
		iommufd_put(file->iommufd);
	memset(file, 0, sizeof(*file));
	pthread_mutex_unlock(&lock);
}

/* VFIO */

/* Before 6.17 only as much as there is of the struct is looked at. */
static int
copy_bind(struct kabi_bind_token *cmd, const void *arg)
{
	const uint32_t known = fake_machine.asks_token ? KABI_BIND_TOKEN : 0;
	int ret = 0;

	if (fake_machine.asks_token)
		ret = copy_struct(cmd, sizeof(*cmd), sizeof(cmd->bind), arg);
	else
		memcpy(&cmd->bind, arg, sizeof(cmd->bind));
	if (ret < 0)
		return ret;
	if (cmd->bind.argsz < sizeof(cmd->bind) || cmd->bind.flags & ~known ||
	    cmd->bind.iommufd < 0)
		return -EINVAL;
	return 0;
}

static int
match_token(struct device *dev, const uint8_t *token)
{
	struct device *pf = dev->pf != NULL ? dev->pf : dev;

	if (dev->pf != NULL && !device_has_cdev(pf))
		return token == NULL ? 0 : -EINVAL;
	if (dev->pf == NULL && !dev->is_pf)
		return token == NULL ? 0 : -EINVAL;
	if (dev->pf == NULL && dev->vfs == 0) {
		if (token != NULL)
			memcpy(dev->token, token, sizeof(dev->token));
		return 0;
	}
	if (token == NULL || memcmp(token, pf->token, sizeof(pf->token)) != 0)
		return -EACCES;
	return 0;
}

static int
bind_device(struct file *file, void *arg)
{
	struct device *dev = file->dev;
	struct file *iommufd;
	struct kabi_bind_token with_token = { 0 };
	struct kabi_bind cmd;
	int ret = copy_bind(&with_token, arg);

	if (ret < 0)
		return ret;
	cmd = with_token.bind;
	if (find_group(dev->pci.group)->legacy_open)
		return -EBUSY;
	if (file->bound)
		return -EINVAL;
	if (fake_machine.asks_token) {
		ret = match_token(dev, cmd.flags & KABI_BIND_TOKEN
					       ? (const void *)(uintptr_t)with_token.token_uuid_ptr
					       : NULL);
		if (ret < 0)
			return ret;
	}
	iommufd = find_file(cmd.iommufd);
	if (iommufd == NULL)
		return -EBADF;
	if (iommufd->type != FILE_IOMMUFD)
		return -EBADFD;
	/* Through another file of the same cdev. */
	if (dev->iommufd != NULL)
		return -EINVAL;
	if (dev->pci.group == FAKE_NO_GROUP)
		return -ENODEV;
	if (fake_machine.not_coherent)
		return -EINVAL;
	if (fake_machine.unsafe_msi)
		return -EPERM;
	ret = claim_dma_owner(dev, iommufd->iommufd);
	if (ret < 0)
		return ret;
	dev->iommufd = iommufd->iommufd;
	dev->iommufd->refs++;
	dev->id = iommufd_take_id(dev->iommufd);
	if (dev->pf != NULL)
		dev->pf->vfs++;
	file->bound = true;
	((struct kabi_bind *)arg)->out_devid = dev->id;
	return 0;
}

static int
attach_device(struct file *file, void *arg)
{
	struct kabi_attach *cmd = arg;

	if (cmd->argsz < sizeof(*cmd) || cmd->flags != 0)
		return -EINVAL;
	return iommufd_attach(file->dev, cmd->pt_id, &cmd->pt_id);
}

static int
detach_device(struct file *file, void *arg)
{
	struct kabi_detach *cmd = arg;

	if (cmd->argsz < sizeof(*cmd) || cmd->flags != 0)
		return -EINVAL;
	iommufd_detach(file->dev);
	return 0;
}

/* Of all features only the token is there. */
static int
device_feature(struct file *file, void *arg)
{
	const struct kabi_feature_token *cmd = arg;

	if (cmd->argsz < sizeof(*cmd) || cmd->flags != KABI_FEATURE_SET_VF_TOKEN)
		return -EINVAL;
	if (!file->dev->is_pf)
		return -ENOTTY;
	memcpy(file->dev->token, cmd->uuid, sizeof(cmd->uuid));
	return 0;
}

static int
get_info(const struct device *dev, struct vfio_device_info *info)
{
	(void)dev;
	if (info->argsz < offsetof(struct vfio_device_info, cap_offset))
		return -EINVAL;
	info->flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	info->num_regions = VFIO_PCI_NUM_REGIONS;
	info->num_irqs = VFIO_PCI_NUM_IRQS;
	return 0;
}

static int
get_region_info(struct vfio_region_info *info)
{
	if (info->index != VFIO_PCI_CONFIG_REGION_INDEX)
		return -EINVAL;
	info->size = 4096;
	info->offset = (uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40;
	return 0;
}

static int
set_irqs(struct device *dev, const struct vfio_irq_set *set)
{
	if (set->index != VFIO_PCI_REQ_IRQ_INDEX)
		return set->index < VFIO_PCI_NUM_IRQS ? 0 : -EINVAL;
	dev->request_fd = -1;
	if (set->count == 1)
		memcpy(&dev->request_fd, set->data, sizeof(dev->request_fd));
	return 0;
}

static int
cdev_vfio(struct device *dev, unsigned long request, void *arg)
{
	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		return get_info(dev, arg);
	case VFIO_DEVICE_GET_REGION_INFO:
		return get_region_info(arg);
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(dev, arg);
	case VFIO_DEVICE_RESET:
		dev->resets++;
		return 0;
	default:
		return -ENOTTY;
	}
}

static int
cdev_ioctl(struct file *file, unsigned long request, void *arg)
{
	if (request == KABI_BIND)
		return bind_device(file, arg);
	/* Nothing else is allowed, or even looked at, before. */
	if (!file->bound)
		return -EINVAL;
	if (request == KABI_ATTACH)
		return attach_device(file, arg);
	if (request == KABI_DETACH)
		return detach_device(file, arg);
	if (request == KABI_FEATURE)
		return device_feature(file, arg);
	return cdev_vfio(file->dev, request, arg);
}

static int
do_ioctl(int fd, unsigned long request, void *arg)
{
	struct file *file = find_file(fd);

	if (file == NULL)
		return -EBADF;
	if (file->type == FILE_IOMMUFD)
		return iommufd_ioctl(file->iommufd, request, arg);
	return file->type == FILE_CDEV ? cdev_ioctl(file, request, arg) : -ENOTTY;
}

static int
fake_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	pthread_mutex_lock(&lock);
	ret = begin(request);
	if (ret == 0)
		ret = do_ioctl(fd, request, arg);
	pthread_mutex_unlock(&lock);
	return ret;
}

static int
do_rdev(int fd, dev_t *rdev)
{
	struct file *file = find_file(fd);

	if (file == NULL)
		return -EBADF;
	if (file->type == FILE_CDEV)
		*rdev = makedev(FAKE_MAJOR, file->dev->cdev + (file->dev->stale ? 100 : 0));
	else
		*rdev = makedev(10, 63);
	return 0;
}

static int
fake_rdev(int fd, dev_t *rdev)
{
	int ret;

	pthread_mutex_lock(&lock);
	ret = begin(FAKE_RDEV);
	if (ret == 0)
		ret = do_rdev(fd, rdev);
	pthread_mutex_unlock(&lock);
	return ret;
}

static int
do_adopt(int fd)
{
	struct file *file = find_file(fd);

	if (file == NULL)
		return -EBADF;
	if (file->read_only)
		return -EACCES;
	file->inherited = false;
	return 0;
}

static int
fake_adopt(int fd)
{
	int ret;

	pthread_mutex_lock(&lock);
	ret = begin(FAKE_ADOPT);
	if (ret == 0)
		ret = do_adopt(fd);
	pthread_mutex_unlock(&lock);
	return ret;
}

/* Of the configuration space there is the command register only; the rest is 0. */
static ssize_t
config_access(int fd, unsigned long kind, void *in, const void *out, size_t size, uint64_t offset)
{
	const uint64_t command = ((uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) + 4;
	struct file *file;
	ssize_t ret;

	pthread_mutex_lock(&lock);
	ret = begin(kind);
	file = find_file(fd);
	if (ret == 0 && (file == NULL || file->type != FILE_CDEV || !file->bound))
		ret = -EINVAL;
	if (ret == 0 && out != NULL && (offset != command || size != sizeof(file->dev->command)))
		fake_die("write to 0x%" PRIx64 " of a device", offset);
	if (ret == 0 && in != NULL)
		memset(in, 0, size);
	if (ret == 0 && in != NULL && offset == command && size == sizeof(file->dev->command))
		memcpy(in, &file->dev->command, size);
	if (ret == 0 && out != NULL)
		memcpy(&file->dev->command, out, size);
	pthread_mutex_unlock(&lock);
	return ret < 0 ? ret : (ssize_t)size;
}

static ssize_t
fake_pread(int fd, void *buf, size_t size, uint64_t offset)
{
	return config_access(fd, FAKE_PREAD, buf, NULL, size, offset);
}

static ssize_t
fake_pwrite(int fd, const void *buf, size_t size, uint64_t offset)
{
	return config_access(fd, FAKE_PWRITE, NULL, buf, size, offset);
}

/* Files are real ones, in the tree that stands for sysfs. */

static int
begin_file(unsigned long kind)
{
	int ret;

	pthread_mutex_lock(&lock);
	ret = begin(kind);
	pthread_mutex_unlock(&lock);
	return ret;
}

static ssize_t
fake_read_file(const char *path, void *buf, size_t size)
{
	char real[PATH_MAX];
	int ret = begin_file(FAKE_READ_FILE);

	return ret < 0 ? ret : real_sys->read_file(sysfs_path(path, real), buf, size);
}

static int
fake_read_link(const char *path, char *buf, size_t size)
{
	char real[PATH_MAX];
	int ret = begin_file(FAKE_READ_LINK);

	return ret < 0 ? ret : real_sys->read_link(sysfs_path(path, real), buf, size);
}

static int
fake_list(const char *path, struct dirent ***entries)
{
	char real[PATH_MAX];
	int ret = begin_file(FAKE_LIST);

	return ret < 0 ? ret : real_sys->list(sysfs_path(path, real), entries);
}

static const struct ioasid_sys fake_sys = {
	.open = fake_open,
	.close = fake_close,
	.ioctl = fake_ioctl,
	.pread = fake_pread,
	.pwrite = fake_pwrite,
	.rdev = fake_rdev,
	.adopt = fake_adopt,
	.read_file = fake_read_file,
	.read_link = fake_read_link,
	.list = fake_list,
};

/* The machine */

static void
reset(void)
{
	memset(fake_devices, 0, sizeof(fake_devices));
	fake_ndevices = 0;
	memset(files, 0, sizeof(files));
	memset(groups, 0, sizeof(groups));
	for (unsigned int i = 0; i < GROUPS; i++)
		groups[i].number = FAKE_NO_GROUP;
	memset(counts, 0, sizeof(counts));
	hold_request = 0;
	is_held = false;
	at_fn = NULL;
	fake_fail_clear();
	iommufd_forget();
}

void
fake_start(void)
{
	reset();
	fake_machine = (struct fake_machine){
		.has_iommufd = true,
		.aperture_last = (UINT64_C(1) << 48) - 1,
		.memlock = UINT64_C(1) << 40,
	};
	real_sys = ioasid_sys;
	sysfs_start();
	ioasid_sys = &fake_sys;
}

unsigned int
fake_left(void)
{
	return fake_open_files() + iommufd_left();
}

unsigned int
fake_stop(void)
{
	unsigned int left = fake_left();

	if (left > 0) {
		fprintf(stderr, "left in the kernel: %u open files, ", fake_open_files());
		iommufd_print_left();
	}
	ioasid_sys = real_sys;
	sysfs_stop();
	return left;
}

static void
set_driver(struct device *dev, const char *driver)
{
	snprintf(dev->driver, sizeof(dev->driver), "%s", driver != NULL ? driver : "");
}

void
fake_plug(const struct fake_pci *pci)
{
	struct device *dev = &fake_devices[fake_ndevices];

	if (fake_ndevices == FAKE_DEVICES)
		fake_die("more than %d devices", FAKE_DEVICES);
	pthread_mutex_lock(&lock);
	dev->pci = *pci;
	snprintf(dev->bdf, sizeof(dev->bdf), "%s", pci->bdf);
	set_driver(dev, pci->driver);
	dev->request_fd = -1;
	dev->cdev = fake_ndevices++;
	dev->plugged = true;
	sysfs_add(dev);
	pthread_mutex_unlock(&lock);
}

void
fake_unplug(const char *bdf)
{
	struct device *dev;

	pthread_mutex_lock(&lock);
	dev = get_plugged(bdf);
	dev->plugged = false;
	sysfs_remove(dev);
	pthread_mutex_unlock(&lock);
}

void
fake_set_driver(const char *bdf, const char *driver)
{
	struct device *dev = get_plugged(bdf);

	if (dev->iommufd != NULL)
		fake_die("%s is open", bdf);
	set_driver(dev, driver);
	sysfs_set_driver(dev);
}

void
fake_set_stale(const char *bdf)
{
	get_plugged(bdf)->stale = true;
}

void
fake_set_physical(const char *bdf)
{
	get_plugged(bdf)->is_pf = true;
	fake_sysfs_write(bdf, "sriov_totalvfs", "7\n");
}

void
fake_set_virtual(const char *bdf, const char *physical)
{
	get_plugged(bdf)->pf = get_plugged(physical);
	fake_sysfs_symlink(bdf, "physfn", physical);
}

const uint8_t *
fake_token(const char *bdf)
{
	return get_plugged(bdf)->token;
}

int
fake_open_elsewhere(const char *path, bool read_only)
{
	struct file *file;
	int fd;

	pthread_mutex_lock(&lock);
	fd = do_open(path, O_RDWR);
	file = find_file(fd);
	if (file == NULL)
		fake_die("there is no %s", path);
	file->read_only = read_only;
	file->inherited = true;
	pthread_mutex_unlock(&lock);
	return fd;
}

bool
fake_is_close_on_exec(int fd)
{
	return !find_file(fd)->inherited;
}

void
fake_set_legacy_open(uint32_t group, bool open)
{
	find_group(group)->legacy_open = open;
}

void
fake_set_foreign_domain(uint32_t group, bool foreign)
{
	find_group(group)->foreign_domain = foreign;
}

void
fake_set_require_direct(uint32_t group, bool direct)
{
	find_group(group)->require_direct = direct;
}

/* What is so in the kernel */

unsigned int
fake_open_files(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < FILES; i++)
		n += files[i].type != FILE_FREE;
	return n;
}

bool
fake_is_bound(const char *bdf)
{
	return get_plugged(bdf)->iommufd != NULL;
}

uint32_t
fake_attached(const char *bdf)
{
	const struct ioas *ioas = get_plugged(bdf)->ioas;

	return ioas != NULL ? ioas->id : 0;
}

static struct ioas *
get_ioas(int iommufd, uint32_t id)
{
	struct file *file = find_file(iommufd);
	struct ioas *ioas =
		file != NULL && file->type == FILE_IOMMUFD ? iommufd_find(file->iommufd, id) : NULL;

	if (ioas == NULL)
		fake_die("there is no IOAS %u in fd %d", id, iommufd);
	return ioas;
}

unsigned int
fake_areas(int iommufd, uint32_t ioas)
{
	struct area *area;
	unsigned int n = 0;

	TAILQ_FOREACH(area, &get_ioas(iommufd, ioas)->areas, entry)
		n++;
	return n;
}

static const struct area *
find_area(int iommufd, uint32_t ioas, uint64_t iova)
{
	struct area *area;

	TAILQ_FOREACH(area, &get_ioas(iommufd, ioas)->areas, entry)
		if (area->iova == iova)
			return area;
	return NULL;
}

bool
fake_has_area(int iommufd, uint32_t ioas, uint64_t iova, uint64_t va, uint64_t length)
{
	const struct area *area = find_area(iommufd, ioas, iova);

	return area != NULL && area->fd < 0 && area->va == va &&
	       area->last - area->iova + 1 == length;
}

bool
fake_has_file_area(int iommufd, uint32_t ioas, uint64_t iova, int fd, uint64_t offset,
		   uint64_t length)
{
	const struct area *area = find_area(iommufd, ioas, iova);

	return area != NULL && area->fd == fd && area->va == offset &&
	       area->last - area->iova + 1 == length;
}

unsigned int
fake_area_flags(int iommufd, uint32_t ioas, uint64_t iova)
{
	const struct area *area = find_area(iommufd, ioas, iova);

	return area != NULL ? area->flags : 0;
}

uint32_t
fake_compat(int iommufd)
{
	const struct file *file = find_file(iommufd);

	if (file == NULL || file->type != FILE_IOMMUFD)
		fake_die("fd %d is not an iommufd", iommufd);
	return file->iommufd->compat;
}

/* A device that was unplugged but is still open keeps its page table, and its group's. */
static bool
is_group_attached(uint32_t group, const struct iommufd **owner)
{
	for (unsigned int i = 0; i < fake_ndevices; i++) {
		if (fake_devices[i].pci.group != group || fake_devices[i].ioas == NULL)
			continue;
		*owner = fake_devices[i].iommufd;
		return true;
	}
	return false;
}

unsigned int
fake_exposed(const char **bdfs, unsigned int room)
{
	const struct iommufd *owner;
	unsigned int n = 0;

	for (unsigned int i = 0; i < fake_ndevices; i++) {
		const struct device *dev = &fake_devices[i];
		const unsigned int header = dev->pci.header & 0x7f;
		const bool exempt = header == 1 || header == 2 ||
				    (header == 0 && dev->pci.class_code >> 8 == 0x0600);

		if (!dev->plugged || exempt || dev->pci.group == FAKE_NO_GROUP ||
		    !is_group_attached(dev->pci.group, &owner) || dev->iommufd == owner)
			continue;
		if (n < room)
			bdfs[n] = dev->bdf;
		n++;
	}
	return n;
}

bool
fake_is_bus_master(const char *bdf)
{
	return get_plugged(bdf)->command & 4;
}

void
fake_set_bus_master(const char *bdf, bool on)
{
	get_plugged(bdf)->command = on ? 4 : 0;
}

unsigned int
fake_resets(const char *bdf)
{
	return get_plugged(bdf)->resets;
}

bool
fake_request(const char *bdf)
{
	const int fd = get_plugged(bdf)->request_fd;

	if (fd < 0)
		return false;
	/* VFIO has taken its node away by then. */
	fake_sysfs_write(bdf, "vfio-dev", NULL);
	return eventfd_write(fd, 1) == 0;
}

uint64_t
fake_pinned(void)
{
	return iommufd_pinned();
}
