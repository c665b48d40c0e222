/* SPDX-License-Identifier: BSD-3-Clause */

#include <assert.h>
#include <bsd/sys/queue.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "device.h"
#include "explicit_set.h"
#include "log.h"
#include "multiprocess.h"
#include "space.h"
#include "stock.h"
#include "stock_secondary.h"
#include "survivor.h"

#define ACTION  "ioasid_mp"
#define VERSION 2

#define TIMEOUT_S 5

/* Linux has no greater errno. */
#define LAST_ERRNO 4095

enum request {
	REQUEST_QUERY = 1, /* has the device joined? */
	REQUEST_DEVICE,    /* a copy of its fd */
	REQUEST_MODE,      /* who does the work? Of no device */
};

/* A request, and with the rest filled in, the reply to it. */
struct message {
	uint32_t version;
	uint32_t request;
	char bdf[IOASID_BDF_SIZE];
	int32_t result;    /* 0 or -errno */
	uint32_t has_list; /* the primary was started with -a */
	uint32_t device_id;
	uint32_t ioasid;
	uint32_t stock; /* stock EAL does the work in the primary */
};
static_assert(sizeof(struct message) <= RTE_MP_MAX_PARAM_LEN, "fits into a message of DPDK");

/* ---- primary */

/*
 * Other processes wait for this thread while they hold EAL's memory lock, which a
 * set-up takes under the lock of the devices: so no lock is waited for here, and
 * "busy" is an answer.
 */
static int
answer_request(struct message *m, int *fd)
{
	struct device_share share;
	int ret;

	if (memchr(m->bdf, '\0', sizeof(m->bdf)) == NULL)
		return -EINVAL;
	m->has_list = explicit_set_is_list();
	m->stock = stock_in_charge() != NULL;
	switch (m->request) {
	case REQUEST_QUERY:
		return device_share(m->bdf, NULL);
	case REQUEST_DEVICE:
		ret = device_share(m->bdf, &share);
		if (ret < 0)
			return ret;
		*fd = share.fd;
		m->device_id = share.id;
		m->ioasid = share.ioasid;
		return 0;
	case REQUEST_MODE:
		return 0;
	default:
		return -EINVAL;
	}
}

/*
 * Nothing in the message is to be believed. Descriptors in it are refused and not even
 * closed: EAL passes on their claimed number, whether or not any came along.
 */
static void
answer(const struct rte_mp_msg *msg, struct message *m, int *fd)
{
	struct message asked;

	*m = (struct message){ .version = VERSION, .result = -EPROTO };
	*fd = -1;
	if (msg->len_param != (int)sizeof(asked) || msg->num_fds != 0)
		return;
	memcpy(&asked, msg->param, sizeof(asked));
	if (asked.version != VERSION)
		return;
	m->request = asked.request;
	memcpy(m->bdf, asked.bdf, sizeof(m->bdf));
	m->result = answer_request(m, fd);
}

static int
handle_request(const struct rte_mp_msg *msg, const void *peer)
{
	struct rte_mp_msg reply = { .name = ACTION, .len_param = sizeof(struct message) };
	struct message m;
	int fd, state, ret;

	/* rte_eal_cleanup() cancels this thread: not while it holds a lock or the copy. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	answer(msg, &m, &fd);
	stock_secondary_is_not(peer);
	memcpy(reply.param, &m, sizeof(m));
	if (fd >= 0) {
		reply.num_fds = 1;
		reply.fds[0] = fd;
	}
	ret = rte_mp_reply(&reply, peer);
	if (fd >= 0)
		close(fd);
	pthread_setcancelstate(state, NULL);
	return ret;
}

static int
serve(void)
{
	if (rte_mp_action_register(ACTION, handle_request) == 0 || rte_errno == EEXIST) {
		survivor_report();
		return 0;
	}
	if (rte_errno == ENOTSUP)
		return 0;
	IOASID_LOG(ERR, "secondary processes cannot be served: %s", rte_strerror(rte_errno));
	return -rte_errno;
}

void
multiprocess_stop(void)
{
	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return;
	rte_mp_action_unregister(ACTION);
	stock_secondary_stop();
}

/* ---- secondary: requests */

/* DPDK allows one request of a name at a time. */
static pthread_mutex_t request_lock = PTHREAD_MUTEX_INITIALIZER;
/* Why the primary could not be asked: said once, and after silence no long wait again. */
static int told;

/* " (PID)" of the primary, which holds a lock on EAL's configuration; else "". */
static const char *
primary_pid(char *text, size_t size)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX];
	int fd;

	text[0] = '\0';
	snprintf(path, sizeof(path), "%s/config", rte_eal_get_runtime_dir());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return text;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0)
		snprintf(text, size, " (%d)", (int)lock.l_pid);
	close(fd);
	return text;
}

static const char *
reason(int err)
{
	switch (err) {
	case -ETIMEDOUT:
		return "does not answer: it runs without dpdk-ioasid, or hangs. Start both "
		       "processes under dpdk-ioasid, or neither";
	case -ECONNREFUSED:
	case -ENOENT:
		return "has ended";
	case -EPROTO:
		return "runs another version of dpdk-ioasid: start both processes under the same";
	case -ENODEV:
		return "does not use this device: give both processes the same -a list";
	case -EAGAIN:
		return "is busy setting up devices: try again";
	case -ENOTSUP:
		return "cannot be asked: this process runs without shared configuration";
	default:
		return rte_strerror(-err);
	}
}

/* bdf: "" where it is about none. */
static void
report(const char *bdf, int err)
{
	char pid[32];

	if (err != -ENODEV && err == told)
		return;
	told = err;
	IOASID_LOG(ERR, "%s%sthe primary process%s %s", bdf, bdf[0] != '\0' ? ": " : "",
		   primary_pid(pid, sizeof(pid)), reason(err));
}

/* The reply must be to this request, and bring a descriptor where it promises one. */
static int
read_reply(const struct rte_mp_msg *msg, struct message *m, int *fd)
{
	struct message reply;

	if (msg->len_param != (int)sizeof(reply))
		return -EPROTO;
	memcpy(&reply, msg->param, sizeof(reply));
	if (reply.version != VERSION || reply.request != m->request || reply.result > 0 ||
	    reply.result < -LAST_ERRNO || memcmp(reply.bdf, m->bdf, sizeof(reply.bdf)) != 0)
		return -EPROTO;
	if (reply.result == 0 && fd != NULL) {
		/* EAL passes on what was promised, whether or not it came along. */
		if (msg->num_fds != 1 || fcntl(msg->fds[0], F_SETFD, FD_CLOEXEC) < 0)
			return -EPROTO;
		*fd = msg->fds[0];
	}
	*m = reply;
	return reply.result;
}

static int
ask_once(struct message *m, int *fd)
{
	const struct timespec patience = { .tv_sec = TIMEOUT_S };
	const struct timespec impatience = { .tv_nsec = 1000L * 1000 * 100 };
	struct rte_mp_msg msg = { .name = ACTION, .len_param = sizeof(*m) };
	struct rte_mp_reply reply;
	int ret;

	memcpy(msg.param, m, sizeof(*m));
	if (rte_mp_request_sync(&msg, &reply, told == -ETIMEDOUT ? &impatience : &patience) < 0)
		return -rte_errno;
	ret = reply.nb_received == 1 ? read_reply(&reply.msgs[0], m, fd) : -ETIMEDOUT;
	free(reply.msgs);
	return ret;
}

/* Ask about a device, again while the primary is busy. fd: NULL if none is asked for. */
static int
ask(enum request request, const char *bdf, struct message *m, int *fd)
{
	const struct timespec pause = { .tv_nsec = 1000L * 1000 * 10 };
	const time_t deadline = time(NULL) + TIMEOUT_S;
	int ret;

	*m = (struct message){ .version = VERSION, .request = request };
	if (strlen(bdf) >= sizeof(m->bdf))
		return -ENODEV;
	memcpy(m->bdf, bdf, strlen(bdf) + 1);
	pthread_mutex_lock(&request_lock);
	while ((ret = ask_once(m, fd)) == -EAGAIN && time(NULL) < deadline)
		nanosleep(&pause, NULL);
	pthread_mutex_unlock(&request_lock);
	return ret;
}

bool
multiprocess_primary_is_stock(void)
{
	struct message m;
	int ret = ask(REQUEST_MODE, "", &m, NULL);

	if (ret < 0)
		report("", ret);
	return ret == 0 && m.stock;
}

/* ---- secondary: devices */

struct copy {
	SLIST_ENTRY(copy) entry;
	char bdf[IOASID_BDF_SIZE];
	int fd;
};

static SLIST_HEAD(, copy) copies = SLIST_HEAD_INITIALIZER(copies);
static pthread_mutex_t copies_lock = PTHREAD_MUTEX_INITIALIZER;

int
multiprocess_setup_device(const char *bdf, int *fd)
{
	struct copy *copy = calloc(1, sizeof(*copy));
	struct message m;
	int ret;

	if (copy == NULL)
		return -ENOMEM;
	ret = ask(REQUEST_DEVICE, bdf, &m, &copy->fd);
	if (ret < 0) {
		report(bdf, ret);
		free(copy);
		return ret;
	}
	memcpy(copy->bdf, m.bdf, sizeof(copy->bdf));
	*fd = copy->fd;
	pthread_mutex_lock(&copies_lock);
	SLIST_INSERT_HEAD(&copies, copy, entry);
	pthread_mutex_unlock(&copies_lock);
	IOASID_LOG(INFO, "%s: from the primary process, device id %u, IOASID %u", bdf, m.device_id,
		   m.ioasid);
	return 0;
}

int
multiprocess_release_device(const char *bdf, int fd)
{
	struct copy *copy;

	pthread_mutex_lock(&copies_lock);
	SLIST_FOREACH(copy, &copies, entry)
		if (copy->fd == fd && strcmp(copy->bdf, bdf) == 0)
			break;
	if (copy != NULL)
		SLIST_REMOVE(&copies, copy, copy, entry);
	pthread_mutex_unlock(&copies_lock);
	if (copy == NULL)
		return -ENODEV;
	close(copy->fd);
	free(copy);
	return 0;
}

void
multiprocess_release_all(void)
{
	struct copy *copy;

	pthread_mutex_lock(&copies_lock);
	while ((copy = SLIST_FIRST(&copies)) != NULL) {
		SLIST_REMOVE_HEAD(&copies, entry);
		close(copy->fd);
		free(copy);
	}
	pthread_mutex_unlock(&copies_lock);
}

/* ---- secondary: another -a list */

/* Ask about one device of ours; "" or the device's name for the list of strangers. */
static int
check_device(const char *bdf, FILE *strangers)
{
	struct message m;
	int ret = ask(REQUEST_QUERY, bdf, &m, NULL);

	if (ret == -ENODEV && (m.has_list || explicit_set_is_list()))
		fprintf(strangers, "%s%s", ftell(strangers) > 0 ? " " : "", bdf);
	if (ret == 0 || ret == -ENODEV)
		return 0;
	report(bdf, ret);
	return ret;
}

static void
check_devices(DIR *dir, FILE *strangers)
{
	struct dirent *e;

	while ((e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.' && ioasid_is_vfio(SYSFS_PCI, e->d_name) == 1 &&
		    explicit_set_has_vfio(e->d_name) && check_device(e->d_name, strangers) < 0)
			return;
}

/*
 * EAL itself says of such a device only "cannot find TAILQ entry for PCI device!",
 * before it calls us.
 */
static void
check_list(void)
{
	DIR *dir = opendir(SYSFS_PCI);
	char *text = NULL, pid[32];
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (dir != NULL && f != NULL)
		check_devices(dir, f);
	if (dir != NULL)
		closedir(dir);
	if (f != NULL)
		fclose(f);
	if (size > 0)
		IOASID_LOG(WARNING,
			   "the primary process%s does not use these devices, so they cannot be "
			   "used here: [%s]. Give both processes the same -a list",
			   primary_pid(pid, sizeof(pid)), text);
	free(text);
}

int
multiprocess_start(void)
{
	if (rte_eal_process_type() == RTE_PROC_PRIMARY)
		return serve();
	if (stock_in_charge() == NULL)
		check_list();
	return 0;
}
