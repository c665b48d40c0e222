/* SPDX-License-Identifier: BSD-3-Clause */

#include <bsd/sys/queue.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_vfio.h>

#include "container.h"
#include "device.h"
#include "log.h"
#include "space.h"

struct group {
	SLIST_ENTRY(group) entry;
	unsigned int number;
	int fd;
};

struct container {
	LIST_ENTRY(container) entry;
	int fd;
	uint32_t ioasid;
	SLIST_HEAD(, group) groups;
};

static LIST_HEAD(, container) containers = LIST_HEAD_INITIALIZER(containers);
static int default_fd = -1;
/* Never held while devices move: device.c asks container_of_group() under its own lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int
checked(int fd)
{
	const int err = errno;

	if (fd >= 0)
		return fd;
	IOASID_LOG(ERR, "no file descriptor left for a container: raise `ulimit -n`");
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

static struct container *
find(int fd)
{
	struct container *c;

	LIST_FOREACH(c, &containers, entry)
		if (c->fd == fd)
			return c;
	return NULL;
}

static struct container *
find_or_tell(int fd)
{
	struct container *c = find(fd);

	if (c == NULL)
		IOASID_LOG(ERR, "%d is not the file descriptor of a container", fd);
	return c;
}

static struct group *
find_group(struct container *c, unsigned int number)
{
	struct group *g;

	SLIST_FOREACH(g, &c->groups, entry)
		if (g->number == number)
			return g;
	return NULL;
}

static struct container *
find_by_group(unsigned int number)
{
	struct container *c;

	LIST_FOREACH(c, &containers, entry)
		if (find_group(c, number) != NULL)
			return c;
	return NULL;
}

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
		return -ENOMEM;
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

static void
forget_group(struct container *c, struct group *g, bool closes)
{
	SLIST_REMOVE(&c->groups, g, group, entry);
	if (closes)
		close(g->fd);
	free(g);
}

/* Any group of a container; false: it has none, or there is no such container. */
static bool
any_group(int fd, unsigned int *number)
{
	struct container *c;
	struct group *g;

	pthread_mutex_lock(&lock);
	c = find(fd);
	g = c != NULL ? SLIST_FIRST(&c->groups) : NULL;
	if (g != NULL)
		*number = g->number;
	pthread_mutex_unlock(&lock);
	return g != NULL;
}

int
container_destroy(int fd)
{
	struct container *c;
	unsigned int number;
	int ret;

	while (any_group(fd, &number)) {
		ret = container_group_unbind(fd, number);
		if (ret < 0)
			return ret;
	}
	pthread_mutex_lock(&lock);
	c = find_or_tell(fd);
	if (c != NULL)
		LIST_REMOVE(c, entry);
	pthread_mutex_unlock(&lock);
	if (c == NULL)
		return -ENOENT;
	if (ioasid_free(space_ctx(), c->ioasid) < 0)
		IOASID_LOG(ERR, "%s", ioasid_error());
	close(c->fd);
	free(c);
	return 0;
}

/* Enter a group into a container's list: its handle or -errno. */
static int
enter_group(int fd, unsigned int number, uint32_t *ioasid)
{
	struct container *c = find_or_tell(fd), *other = find_by_group(number);
	struct group *g;

	if (c == NULL)
		return -ENOENT;
	if (other != NULL) {
		IOASID_LOG(ERR, "IOMMU group %u is bound to container %d already: unbind it there",
			   number, other->fd);
		return -EBUSY;
	}
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return -ENOMEM;
	g->number = number;
	g->fd = new_handle();
	if (g->fd < 0) {
		int ret = g->fd;

		free(g);
		return ret;
	}
	SLIST_INSERT_HEAD(&c->groups, g, entry);
	*ioasid = c->ioasid;
	return g->fd;
}

static int
remove_group(int fd, unsigned int number, bool closes)
{
	struct container *c;
	struct group *g;

	pthread_mutex_lock(&lock);
	c = find_or_tell(fd);
	g = c != NULL ? find_group(c, number) : NULL;
	if (g != NULL)
		forget_group(c, g, closes);
	pthread_mutex_unlock(&lock);
	return g != NULL ? 0 : -ENOENT;
}

int
container_group_bind(int fd, unsigned int group)
{
	uint32_t ioasid = 0;
	int handle, ret;

	pthread_mutex_lock(&lock);
	handle = enter_group(fd, group, &ioasid);
	pthread_mutex_unlock(&lock);
	if (handle < 0)
		return handle;
	ret = device_move_group(group, ioasid);
	if (ret < 0) {
		remove_group(fd, group, true);
		return ret;
	}
	return handle;
}

static int
move_out(int fd, unsigned int group, bool closes)
{
	int ret = device_move_group(group, space_default());

	return ret < 0 ? ret : remove_group(fd, group, closes);
}

int
container_group_unbind(int fd, unsigned int group)
{
	struct container *c;
	int ret;

	pthread_mutex_lock(&lock);
	c = find_or_tell(fd);
	ret = c != NULL && find_group(c, group) != NULL ? 0 : -ENOENT;
	pthread_mutex_unlock(&lock);
	if (ret < 0) {
		IOASID_LOG(ERR, "IOMMU group %u is not bound to container %d", group, fd);
		return ret;
	}
	return move_out(fd, group, true);
}

int
container_group_fd(unsigned int group)
{
	struct container *c;
	int fd;

	pthread_mutex_lock(&lock);
	c = find_by_group(group);
	fd = c != NULL ? find_group(c, group)->fd : -ENOENT;
	pthread_mutex_unlock(&lock);
	return fd;
}

static struct group *
find_group_fd(int fd, struct container **container)
{
	struct group *g;

	LIST_FOREACH(*container, &containers, entry)
		SLIST_FOREACH(g, &(*container)->groups, entry)
			if (g->fd == fd)
				return g;
	return NULL;
}

int
container_clear_group(int group_fd)
{
	struct container *c;
	struct group *g;
	unsigned int number = 0;
	int fd = -1;

	pthread_mutex_lock(&lock);
	g = find_group_fd(group_fd, &c);
	if (g != NULL) {
		number = g->number;
		fd = c->fd;
	}
	pthread_mutex_unlock(&lock);
	if (g == NULL) {
		IOASID_LOG(ERR, "%d is not the file descriptor of a group", group_fd);
		return -ENOENT;
	}
	/* Callers may have closed it already, so that the number could be another's. */
	return move_out(fd, number, false);
}

bool
container_is_known(int fd)
{
	bool known;

	if (fd == RTE_VFIO_DEFAULT_CONTAINER_FD)
		return true;
	pthread_mutex_lock(&lock);
	known = fd == default_fd || find(fd) != NULL;
	pthread_mutex_unlock(&lock);
	return known;
}

int
container_ioasid(int fd, uint32_t *ioasid)
{
	struct container *c;

	if (fd == RTE_VFIO_DEFAULT_CONTAINER_FD) {
		*ioasid = space_default();
		return 0;
	}
	pthread_mutex_lock(&lock);
	if (fd == default_fd) {
		*ioasid = space_default();
	} else {
		c = find_or_tell(fd);
		*ioasid = c != NULL ? c->ioasid : 0;
	}
	pthread_mutex_unlock(&lock);
	return *ioasid != 0 ? 0 : -ENOENT;
}

uint32_t
container_of_group(unsigned int group)
{
	struct container *c;
	uint32_t ioasid;

	pthread_mutex_lock(&lock);
	c = find_by_group(group);
	ioasid = c != NULL ? c->ioasid : space_default();
	pthread_mutex_unlock(&lock);
	return ioasid;
}

int
container_default_fd(void)
{
	int fd;

	pthread_mutex_lock(&lock);
	fd = default_fd >= 0 ? default_fd : new_default_handle();
	if (fd >= 0)
		default_fd = fd;
	pthread_mutex_unlock(&lock);
	return fd;
}

void
container_close_all(void)
{
	struct container *c;
	struct group *g;

	pthread_mutex_lock(&lock);
	while ((c = LIST_FIRST(&containers)) != NULL) {
		while ((g = SLIST_FIRST(&c->groups)) != NULL)
			forget_group(c, g, true);
		LIST_REMOVE(c, entry);
		close(c->fd);
		free(c);
	}
	if (default_fd >= 0)
		close(default_fd);
	default_fd = -1;
	pthread_mutex_unlock(&lock);
}
