/* SPDX-License-Identifier: BSD-3-Clause */

#include <bsd/sys/queue.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kcmp.h>
#include <rte_version.h>
#include <rte_vfio.h>

#include "container.h"
#include "iova_fit.h"
#include "log.h"
#include "memory.h"
#include "report.h"
#include "space.h"
#include "user_map.h"

/* An IOMMU group that is bound to a container; all about the group is lib/ioasid's. */
struct binding {
	LIST_ENTRY(binding) entry;
	struct ioasid_group *group;
	int fd; /* its handle */
};

struct container {
	LIST_ENTRY(container) entry;
	int fd; /* its handle; -1: the default one, which has others */
	uint32_t ioasid;
	LIST_HEAD(, binding) bindings;
};

static struct container default_container = { .fd = -1 };
static LIST_HEAD(, container) containers = LIST_HEAD_INITIALIZER(containers);
/* The handle of the default container that is given out again and again; -1: not yet. */
static int default_fd = -1;

/* Of the lists; never held while something is asked of a group. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* One bind, unbind or destroy at a time, for as long as it takes. Before the other. */
static pthread_mutex_t work = PTHREAD_MUTEX_INITIALIZER;

static int
no_memory(void)
{
	IOASID_LOG(ERR, "out of memory for a container");
	return -ENOMEM;
}

/* ---- handles */

static int
checked(int fd)
{
	const int err = errno;

	if (fd >= 0)
		return fd;
	IOASID_LOG(ERR, "no file descriptor for a container: %s%s", strerror(err),
		   err == EMFILE ? ": raise `ulimit -n`" : "");
	return -err;
}

/*
 * Not a copy of /dev/ioasid: VFIO's own calls on that are about one and the same IOASID,
 * whichever copy they are made on. A map meant for this container would land in another,
 * so here they get ENOTTY.
 */
static int
new_handle(void)
{
	return checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

/* Here they work: for programs that map for the default container by ioctl(). */
static int
new_default_handle(void)
{
	if (ioasid_set_compat(space_ctx(), space_default()) < 0)
		IOASID_LOG(DEBUG, "%s", ioasid_error());
	return checked(fcntl(ioasid_fd(space_ctx()), F_DUPFD_CLOEXEC, 0));
}

static bool
is_same_device(int fd, int other)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstat(other, &b) == 0 && S_ISCHR(a.st_mode) &&
	       S_ISCHR(b.st_mode) && a.st_rdev == b.st_rdev;
}

/*
 * Whether a descriptor is a copy of /dev/ioasid: who closes the one that he was given, and
 * gets its number for another file, has none. Kernels without kcmp() cannot tell one open
 * /dev/iommu from another, and a process has hardly two.
 */
static bool
is_default_handle(int fd)
{
	long differ;

	if (fd < 0 || space_ctx() == NULL || !is_same_device(fd, ioasid_fd(space_ctx())))
		return false;
	differ = syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, ioasid_fd(space_ctx()));
	return differ <= 0;
}

static struct container *
find(int fd)
{
	struct container *c;

	if (fd == RTE_VFIO_DEFAULT_CONTAINER_FD || is_default_handle(fd))
		return &default_container;
	LIST_FOREACH(c, &containers, entry)
		if (c->fd == fd)
			return c;
	return NULL;
}

static struct container *
find_or_tell(int fd)
{
	struct container *c;

	pthread_mutex_lock(&lock);
	c = find(fd);
	pthread_mutex_unlock(&lock);
	if (c == NULL)
		IOASID_LOG(ERR, "%d is not the file descriptor of a container", fd);
	return c;
}

static uint32_t
ioasid_of(const struct container *c)
{
	return c == &default_container ? space_default() : c->ioasid;
}

/* ---- containers */

static int
create(struct container *c)
{
	int ret = ioasid_alloc(space_ctx(), &c->ioasid);

	if (ret < 0) {
		IOASID_LOG(ERR, "%s", ioasid_error());
		return ret;
	}
	c->fd = new_handle();
	if (c->fd < 0) {
		ioasid_free(space_ctx(), c->ioasid);
		return c->fd;
	}
	return 0;
}

int
container_create(void)
{
	struct container *c = calloc(1, sizeof(*c));
	int ret;

	if (c == NULL)
		return no_memory();
	ret = create(c);
	if (ret < 0) {
		free(c);
		return ret;
	}
	pthread_mutex_lock(&lock);
	LIST_INSERT_HEAD(&containers, c, entry);
	pthread_mutex_unlock(&lock);
	IOASID_LOG(DEBUG, "container %d is IOASID %u", c->fd, c->ioasid);
	return c->fd;
}

/* ---- bindings */

static struct binding *
find_in(struct container *c, unsigned int number)
{
	struct binding *b;

	LIST_FOREACH(b, &c->bindings, entry)
		if (ioasid_group_get_number(b->group) == number && !ioasid_group_is_gone(b->group))
			return b;
	return NULL;
}

static struct binding *
find_binding(unsigned int number, struct container **out)
{
	struct container *c;
	struct binding *b = find_in(&default_container, number);

	*out = &default_container;
	if (b != NULL)
		return b;
	LIST_FOREACH(c, &containers, entry) {
		b = find_in(c, number);
		*out = c;
		if (b != NULL)
			return b;
	}
	return NULL;
}

/* A group that moves to DPDK's memory must be able to reach it, and find it there. */
static int
provide_memory(struct ioasid_group *group)
{
	char name[32];
	int ret;

	if (!ioasid_group_in_use(group))
		return 0;
	snprintf(name, sizeof(name), "IOMMU group %u", ioasid_group_get_number(group));
	ret = iova_fit_check(name);
	return ret == 0 ? memory_setup() : ret;
}

static int
bind_group(struct container *c, struct ioasid_group *group)
{
	int ret = ioasid_group_bind(group, ioasid_of(c));

	if (ret < 0) {
		if (ret != -EPERM)
			report_failure(REPORT_ATTACH, ret);
		return ret;
	}
	if (c == &default_container)
		ret = provide_memory(group);
	/* Rather nowhere than half-way. */
	if (ret < 0)
		ioasid_group_unbind(group);
	return ret;
}

static int
new_binding(struct container *c, unsigned int number, struct binding *b)
{
	int ret = ioasid_group_open(space_ctx(), SYSFS_PCI, number, &b->group);

	if (ret < 0) {
		report_failure(REPORT_JOIN, ret);
		return ret;
	}
	b->fd = new_handle();
	ret = b->fd < 0 ? b->fd : bind_group(c, b->group);
	if (ret == 0)
		return 0;
	if (b->fd >= 0)
		close(b->fd);
	ioasid_group_close(b->group);
	return ret;
}

/* Its handle or -errno. */
static int
bind_new(struct container *c, unsigned int number)
{
	struct binding *b = calloc(1, sizeof(*b));
	int ret;

	if (b == NULL)
		return no_memory();
	ret = new_binding(c, number, b);
	if (ret < 0) {
		free(b);
		return ret;
	}
	pthread_mutex_lock(&lock);
	LIST_INSERT_HEAD(&c->bindings, b, entry);
	pthread_mutex_unlock(&lock);
	IOASID_LOG(DEBUG, "IOMMU group %u is bound to IOASID %u", number, ioasid_of(c));
	return b->fd;
}

/* From the default container, where a group is without being bound, it may go elsewhere. */
static int
move_binding(struct binding *b, struct container *c)
{
	int ret = bind_group(c, b->group);

	if (ret < 0)
		return ret;
	pthread_mutex_lock(&lock);
	LIST_REMOVE(b, entry);
	LIST_INSERT_HEAD(&c->bindings, b, entry);
	pthread_mutex_unlock(&lock);
	return b->fd;
}

static int
bind_locked(int fd, unsigned int number)
{
	struct container *c = find_or_tell(fd), *other;
	struct binding *b;

	if (c == NULL)
		return -ENOENT;
	b = find_binding(number, &other);
	if (b == NULL)
		return bind_new(c, number);
	if (c == other)
		return b->fd;
	if (other == &default_container)
		return move_binding(b, c);
	IOASID_LOG(ERR, "IOMMU group %u is bound to container %d already: unbind it there", number,
		   other->fd);
	return -EBUSY;
}

int
container_group_bind(int fd, int group)
{
	int ret;

	if (group < 0) {
		IOASID_LOG(ERR, "%d is not the number of an IOMMU group", group);
		return -ENOENT;
	}
	pthread_mutex_lock(&work);
	ret = bind_locked(fd, (unsigned int)group);
	pthread_mutex_unlock(&work);
	return ret;
}

/* Its devices are attached nowhere then, and leave if none is in use. */
static int
end_binding(struct binding *b, bool closes)
{
	int ret = ioasid_group_unbind(b->group);

	if (ret < 0) {
		IOASID_LOG(ERR, "%s", ioasid_error());
		return ret;
	}
	pthread_mutex_lock(&lock);
	LIST_REMOVE(b, entry);
	pthread_mutex_unlock(&lock);
	ioasid_group_close(b->group);
	/* Callers of clear_group may have closed it already: the number could be another's. */
	if (closes)
		close(b->fd);
	free(b);
	return 0;
}

static int
unbind_locked(int fd, int group)
{
	struct container *c = find_or_tell(fd);
	struct binding *b = c != NULL && group >= 0 ? find_in(c, (unsigned int)group) : NULL;

	if (c == NULL)
		return -ENOENT;
	if (b == NULL) {
		IOASID_LOG(ERR, "IOMMU group %d is not bound to container %d", group, fd);
		return -ENOENT;
	}
	return end_binding(b, true);
}

int
container_group_unbind(int fd, int group)
{
	int ret;

	pthread_mutex_lock(&work);
	ret = unbind_locked(fd, group);
	pthread_mutex_unlock(&work);
	return ret;
}

static struct binding *
find_by_handle(int fd)
{
	struct container *c;
	struct binding *b;

	LIST_FOREACH(b, &default_container.bindings, entry)
		if (b->fd == fd)
			return b;
	LIST_FOREACH(c, &containers, entry)
		LIST_FOREACH(b, &c->bindings, entry)
			if (b->fd == fd)
				return b;
	return NULL;
}

int
container_clear_group(int group_fd)
{
	struct binding *b;
	int ret = -ENOENT;

	pthread_mutex_lock(&work);
	b = find_by_handle(group_fd);
	if (b != NULL)
		ret = end_binding(b, false);
	else
		IOASID_LOG(ERR, "%d is not the file descriptor of a group", group_fd);
	pthread_mutex_unlock(&work);
	return ret;
}

static int
destroy_locked(int fd)
{
	struct container *c = find_or_tell(fd);
	struct binding *b;
	int ret;

	if (c == NULL || c == &default_container)
		return -ENOENT;
	while ((b = LIST_FIRST(&c->bindings)) != NULL) {
		ret = end_binding(b, true);
		if (ret < 0)
			return ret;
	}
	ret = ioasid_free(space_ctx(), c->ioasid);
	if (ret < 0) {
		IOASID_LOG(ERR, "%s", ioasid_error());
		return ret;
	}
	user_map_forget(c->ioasid);
	pthread_mutex_lock(&lock);
	LIST_REMOVE(c, entry);
	pthread_mutex_unlock(&lock);
	close(c->fd);
	free(c);
	return 0;
}

int
container_destroy(int fd)
{
	int ret;

	pthread_mutex_lock(&work);
	ret = destroy_locked(fd);
	pthread_mutex_unlock(&work);
	return ret;
}

/* ---- look-ups */

int
container_group_fd(int group)
{
	struct container *c;
	struct binding *b;
	int fd;

	pthread_mutex_lock(&lock);
	b = group >= 0 ? find_binding((unsigned int)group, &c) : NULL;
	fd = b != NULL ? b->fd : -ENOENT;
	pthread_mutex_unlock(&lock);
	return fd;
}

bool
container_is_known(int fd)
{
	bool known;

	pthread_mutex_lock(&lock);
	known = find(fd) != NULL;
	pthread_mutex_unlock(&lock);
	return known;
}

int
container_ioasid(int fd, uint32_t *ioasid)
{
	struct container *c = find_or_tell(fd);

	*ioasid = c != NULL ? ioasid_of(c) : 0;
	return c != NULL ? 0 : -ENOENT;
}

/* EAL of 23.11 and 24.11 opens one for each caller, who closes it; the others have one for all. */
static bool
callers_own_handles(void)
{
	return RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0) &&
	       RTE_VERSION < RTE_VERSION_NUM(25, 11, 0, 0);
}

int
container_default_fd(void)
{
	int fd;

	if (callers_own_handles())
		return new_default_handle();
	pthread_mutex_lock(&lock);
	if (!is_default_handle(default_fd))
		default_fd = new_default_handle();
	fd = default_fd;
	pthread_mutex_unlock(&lock);
	return fd;
}

static void
close_bindings(struct container *c)
{
	struct binding *b;

	while ((b = LIST_FIRST(&c->bindings)) != NULL)
		if (end_binding(b, true) < 0) {
			/* It goes with /dev/ioasid. */
			LIST_REMOVE(b, entry);
			close(b->fd);
			free(b);
		}
}

void
container_close_all(void)
{
	struct container *c;

	pthread_mutex_lock(&work);
	close_bindings(&default_container);
	while ((c = LIST_FIRST(&containers)) != NULL) {
		close_bindings(c);
		LIST_REMOVE(c, entry);
		user_map_forget(c->ioasid);
		close(c->fd);
		free(c);
	}
	if (is_default_handle(default_fd))
		close(default_fd);
	default_fd = -1;
	pthread_mutex_unlock(&work);
}
