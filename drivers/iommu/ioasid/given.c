/* SPDX-License-Identifier: BSD-3-Clause */

#include <bsd/sys/queue.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_pci.h>

#include "given.h"
#include "log.h"
#include "options.h"

struct given {
	TAILQ_ENTRY(given) entry;
	struct rte_pci_addr addr;
	char bdf[PCI_PRI_STR_SIZE];
	int fd;
	bool used;
	bool told; /* that it is not */
};

static TAILQ_HEAD(, given) devices = TAILQ_HEAD_INITIALIZER(devices);
static int ioasid = -1;

static struct given *
find_fd(int fd)
{
	struct given *g;

	TAILQ_FOREACH(g, &devices, entry)
		if (g->fd == fd)
			return g;
	return NULL;
}

static struct given *
find(const struct rte_pci_addr *addr)
{
	struct given *g;

	TAILQ_FOREACH(g, &devices, entry)
		if (rte_pci_addr_cmp(&g->addr, addr) == 0)
			return g;
	return NULL;
}

static int
parse_number(const char *text, int *fd)
{
	char *end;
	long n;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	n = strtol(text, &end, 10);
	if (*end != '\0' || errno != 0 || n > INT_MAX)
		return -EINVAL;
	*fd = (int)n;
	return 0;
}

/*
 * Now, before EAL opens files of its own, which could get the number of a closed one.
 * What it is shows when it is used.
 */
static int
check_fd(const char *option, const char *value, int fd)
{
	const struct given *g = find_fd(fd);

	if (g != NULL || fd == ioasid) {
		IOASID_LOG(ERR, "%s %s: fd %d is given for %s already", option, value, fd,
			   g != NULL ? g->bdf : "--ioasid-fd");
		return -EINVAL;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		IOASID_LOG(ERR,
			   "%s %s: fd %d is not open: whoever starts this program must let it be "
			   "inherited (no O_CLOEXEC)",
			   option, value, fd);
		return -EINVAL;
	}
	return 0;
}

int
given_set_ioasid(const char *value)
{
	int fd;

	if (parse_number(value, &fd) < 0) {
		IOASID_LOG(ERR, "--ioasid-fd \"%s\": give the number of an open descriptor", value);
		return -EINVAL;
	}
	if (ioasid >= 0 || options.dev != NULL) {
		IOASID_LOG(ERR, "--ioasid-fd %s: /dev/ioasid is given already by %s %s", value,
			   ioasid >= 0 ? "another" : "--ioasid-dev",
			   ioasid >= 0 ? "--ioasid-fd" : options.dev);
		return -EINVAL;
	}
	if (check_fd("--ioasid-fd", value, fd) < 0)
		return -EINVAL;
	ioasid = fd;
	return 0;
}

/* BDF=N, the BDF with or without its domain, as -a takes it. */
static int
parse_device(const char *value, struct given *g)
{
	const char *equals = strchr(value, '=');
	char bdf[PCI_PRI_STR_SIZE];
	size_t length = equals != NULL ? (size_t)(equals - value) : 0;

	if (length == 0 || length >= sizeof(bdf))
		return -EINVAL;
	memcpy(bdf, value, length);
	bdf[length] = '\0';
	if (rte_pci_addr_parse(bdf, &g->addr) < 0)
		return -EINVAL;
	rte_pci_device_name(&g->addr, g->bdf, sizeof(g->bdf));
	return parse_number(equals + 1, &g->fd);
}

static int
enter(const char *value, struct given *g)
{
	const struct given *other;

	if (parse_device(value, g) < 0) {
		IOASID_LOG(ERR,
			   "--vfio-device-fd \"%s\": give a PCI address and the number of an open "
			   "descriptor, such as 0000:01:00.0=5",
			   value);
		return -EINVAL;
	}
	other = find(&g->addr);
	if (other != NULL) {
		IOASID_LOG(ERR, "--vfio-device-fd %s: %s has fd %d already", value, g->bdf,
			   other->fd);
		return -EINVAL;
	}
	if (check_fd("--vfio-device-fd", value, g->fd) < 0)
		return -EINVAL;
	TAILQ_INSERT_TAIL(&devices, g, entry);
	return 0;
}

int
given_add_device(const char *value)
{
	struct given *g = calloc(1, sizeof(*g));
	int ret;

	if (g == NULL)
		return -ENOMEM;
	ret = enter(value, g);
	if (ret < 0)
		free(g);
	return ret;
}

int
given_ioasid(void)
{
	return ioasid;
}

int
given_device(const char *bdf)
{
	struct rte_pci_addr addr;
	struct given *g = NULL;

	if (!TAILQ_EMPTY(&devices) && rte_pci_addr_parse(bdf, &addr) == 0)
		g = find(&addr);
	if (g == NULL)
		return -1;
	if (g->used)
		IOASID_LOG(NOTICE,
			   "%s: fd %d of --vfio-device-fd was closed when the device was released, "
			   "its node is opened now",
			   bdf, g->fd);
	return g->used ? -1 : g->fd;
}

void
given_used(const char *bdf)
{
	struct rte_pci_addr addr;
	struct given *g = NULL;

	if (rte_pci_addr_parse(bdf, &addr) == 0)
		g = find(&addr);
	if (g != NULL)
		g->used = true;
}

void
given_ioasid_used(void)
{
	ioasid = -1;
}

void
given_report_stock(void)
{
	struct given *g;

	if (ioasid < 0 && TAILQ_EMPTY(&devices))
		return;
	IOASID_LOG(WARNING, "--ioasid-fd and --vfio-device-fd are not used then: it opens "
			    "/dev/vfio/vfio and /dev/vfio/GROUP itself");
	TAILQ_FOREACH(g, &devices, entry)
		g->told = true;
}

void
given_report_unused(void)
{
	struct given *g;

	TAILQ_FOREACH(g, &devices, entry) {
		if (g->used || g->told)
			continue;
		g->told = true;
		IOASID_LOG(NOTICE,
			   "--vfio-device-fd %s=%d is not in use: no such device has been set up. "
			   "Is it named by -a, and bound to vfio-pci?",
			   g->bdf, g->fd);
	}
}

void
given_close_all(void)
{
	struct given *g;

	while ((g = TAILQ_FIRST(&devices)) != NULL) {
		TAILQ_REMOVE(&devices, g, entry);
		if (!g->used)
			close(g->fd);
		free(g);
	}
	if (ioasid >= 0)
		close(ioasid);
	ioasid = -1;
}
