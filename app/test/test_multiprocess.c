/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Messages between processes: what comes in is checked, whoever sent it. EAL's channel
 * is replaced: a test puts messages in at one end and sees the answers come out.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_alarm.h>
#include <rte_common.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "captured_log.h"
#include "device.h"
#include "explicit_set.h"
#include "ioasid.h"
#include "multiprocess.h"
#include "stock.h"
#include "stock_secondary.h"

#define BDF          "0000:01:00.0"
#define PEER         "/var/run/dpdk/rte/mp_socket_4711_1a2b"
#define STOCK_PEER   "/var/run/dpdk/rte/mp_socket_4714_1a2b"
#define STOCK_ACTION "eal_vfio_mp_sync"

#define VERSION 2

enum { QUERY = 1, DEVICE = 2, MODE = 3 };

/* As it travels. Another build of the plugin may be at the other end: fixed. */
struct message {
	uint32_t version;
	uint32_t request;
	char bdf[32];
	int32_t result;
	uint32_t has_list;
	uint32_t device_id;
	uint32_t ioasid;
	uint32_t stock;
};

static struct {
	enum rte_proc_type_t type;
	const char *peer, *runtime_dir;
	/* the primary's channel */
	rte_mp_t action, stock_action; /* ioasid_mp, STOCK_ACTION */
	int register_errno;
	rte_eal_alarm_callback alarm;
	void *alarm_arg;
	struct rte_mp_msg reply;
	int nreplies, reply_ret;
	/* its devices */
	int share_ret, nshares;
	char shared[64];
	int shared_fd; /* the copy that was given out last */
	bool stock;
	/* the secondary's channel: the answers to its requests, the last one for ever */
	struct rte_mp_msg request, answers[3];
	int nanswers, nrequests, request_errno;
	struct timespec patience;
} fake;

enum rte_proc_type_t
rte_eal_process_type(void)
{
	return fake.type;
}

const char *
rte_eal_get_runtime_dir(void)
{
	return fake.runtime_dir;
}

int
rte_mp_action_register(const char *name, rte_mp_t action)
{
	if (strcmp(name, STOCK_ACTION) == 0)
		fake.stock_action = action;
	else
		fake.action = action;
	rte_errno = fake.register_errno;
	return fake.register_errno != 0 ? -1 : 0;
}

void
rte_mp_action_unregister(const char *name)
{
	if (strcmp(name, STOCK_ACTION) == 0)
		fake.stock_action = NULL;
	else
		fake.action = NULL;
}

int
rte_mp_reply(struct rte_mp_msg *msg, const char *peer)
{
	assert_ptr_equal(peer, fake.peer);
	assert_true(msg->num_fds == 0 || msg->num_fds == 1);
	/* What is sent is open until it has been sent. */
	if (msg->num_fds == 1)
		assert_true(fcntl(msg->fds[0], F_GETFD) >= 0);
	fake.reply = *msg;
	fake.nreplies++;
	return fake.reply_ret;
}

int
rte_mp_request_sync(struct rte_mp_msg *req, struct rte_mp_reply *reply, const struct timespec *ts)
{
	int n = fake.nrequests < fake.nanswers ? fake.nrequests : fake.nanswers - 1;

	fake.request = *req;
	fake.nrequests++;
	fake.patience = *ts;
	memset(reply, 0, sizeof(*reply));
	if (fake.request_errno != 0) {
		rte_errno = fake.request_errno;
		return -1;
	}
	reply->nb_sent = 1;
	if (n < 0)
		return 0;
	reply->msgs = malloc(sizeof(*reply->msgs));
	assert_non_null(reply->msgs);
	*reply->msgs = fake.answers[n];
	reply->nb_received = 1;
	return 0;
}

int
rte_eal_alarm_set(uint64_t us, rte_eal_alarm_callback callback, void *arg)
{
	assert_int_equal(us, 5000000);
	fake.alarm = callback;
	fake.alarm_arg = arg;
	return 0;
}

int
rte_eal_alarm_cancel(rte_eal_alarm_callback callback, void *arg)
{
	(void)arg;
	assert_true(fake.alarm == NULL || fake.alarm == callback);
	fake.alarm = NULL;
	return 0;
}

int
device_share(const char *bdf, struct device_share *share)
{
	fake.nshares++;
	snprintf(fake.shared, sizeof(fake.shared), "%s", bdf);
	if (fake.share_ret < 0)
		return fake.share_ret;
	if (strcmp(bdf, BDF) != 0)
		return -ENODEV;
	if (share == NULL)
		return 0;
	fake.shared_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(fake.shared_fd >= 0);
	*share = (struct device_share){ .fd = fake.shared_fd, .id = 7, .ioasid = 3 };
	return 0;
}

bool
explicit_set_has_vfio(const char *bdf)
{
	(void)bdf;
	return false;
}

bool
explicit_set_is_list(void)
{
	return true;
}

int
ioasid_is_vfio(const char *sysfs, const char *bdf)
{
	(void)sysfs;
	(void)bdf;
	return false;
}

const struct stock *
stock_in_charge(void)
{
	static const struct stock stock;

	return fake.stock ? &stock : NULL;
}

/* ---- what is common */

static int
setup(enum rte_proc_type_t type)
{
	memset(&fake, 0, sizeof(fake));
	fake.type = type;
	fake.peer = PEER;
	fake.runtime_dir = "/nonexistent";
	fake.shared_fd = -1;
	return log_capture();
}

static int
setup_primary(void **state)
{
	(void)state;
	return setup(RTE_PROC_PRIMARY) < 0 ? -1 : multiprocess_start();
}

static int
setup_secondary(void **state)
{
	(void)state;
	return setup(RTE_PROC_SECONDARY);
}

static int
teardown(void **state)
{
	(void)state;
	multiprocess_release_all();
	log_release();
	return 0;
}

static void
assert_logged_nothing(void)
{
	assert_string_equal(logged(), "");
}

static struct message
message(enum rte_proc_type_t sender, uint32_t request)
{
	struct message m = { .version = VERSION, .request = request };

	strcpy(m.bdf, BDF);
	if (sender == RTE_PROC_PRIMARY) {
		m.device_id = 7;
		m.ioasid = 3;
	}
	return m;
}

static struct rte_mp_msg
envelope(const struct message *m)
{
	struct rte_mp_msg msg = { .name = "ioasid_mp", .len_param = sizeof(*m) };

	/* What the sender did not fill in is anything. */
	memset(msg.param, 0xee, sizeof(msg.param));
	memset(msg.fds, 0xee, sizeof(msg.fds));
	memcpy(msg.param, m, sizeof(*m));
	return msg;
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* ---- the primary */

/* The only reply to a message; its descriptor, if any, is closed again by then. */
static struct message
reply_to(const struct rte_mp_msg *msg)
{
	struct message m;

	fake.nreplies = 0;
	assert_int_equal(fake.action(msg, fake.peer), fake.reply_ret);
	assert_int_equal(fake.nreplies, 1);
	assert_string_equal(fake.reply.name, "ioasid_mp");
	assert_int_equal(fake.reply.len_param, sizeof(m));
	memcpy(&m, fake.reply.param, sizeof(m));
	assert_int_equal(m.version, VERSION);
	if (fake.reply.num_fds == 1) {
		assert_int_equal(fake.reply.fds[0], fake.shared_fd);
		assert_false(is_open(fake.shared_fd));
	}
	return m;
}

static struct message
reply_to_message(const struct message *m)
{
	struct rte_mp_msg msg = envelope(m);

	return reply_to(&msg);
}

static void
requests_are_answered(void **state)
{
	struct message m = message(RTE_PROC_SECONDARY, QUERY);
	struct message reply = reply_to_message(&m);

	(void)state;
	assert_int_equal(reply.result, 0);
	assert_int_equal(reply.has_list, 1);
	assert_int_equal(fake.reply.num_fds, 0);

	m.request = DEVICE;
	reply = reply_to_message(&m);
	assert_int_equal(reply.result, 0);
	assert_int_equal(reply.request, DEVICE);
	assert_string_equal(reply.bdf, BDF);
	assert_int_equal(reply.device_id, 7);
	assert_int_equal(reply.ioasid, 3);
	assert_int_equal(fake.reply.num_fds, 1);

	/* The copy does not stay if the reply could not be sent. */
	fake.reply_ret = -1;
	reply_to_message(&m);
	fake.reply_ret = 0;

	fake.share_ret = -EAGAIN;
	reply = reply_to_message(&m);
	assert_int_equal(reply.result, -EAGAIN);
	assert_int_equal(fake.reply.num_fds, 0);
	assert_logged_nothing();
}

static void
the_mode_is_told(void **state)
{
	struct message m = message(RTE_PROC_SECONDARY, MODE), reply;

	(void)state;
	m.bdf[0] = '\0';
	m.stock = 1;
	reply = reply_to_message(&m);
	assert_int_equal(reply.result, 0);
	assert_int_equal(reply.stock, 0);
	fake.stock = true;
	reply = reply_to_message(&m);
	assert_int_equal(reply.result, 0);
	assert_int_equal(reply.stock, 1);
	assert_int_equal(fake.reply.num_fds, 0);
	assert_int_equal(fake.nshares, 0);
}

static void
refused(const struct rte_mp_msg *msg, int error)
{
	int nshares = fake.nshares;
	struct message reply = reply_to(msg);

	assert_int_equal(reply.result, error);
	assert_int_equal(fake.reply.num_fds, 0);
	assert_int_equal(reply.device_id, 0);
	assert_int_equal(reply.ioasid, 0);
	assert_int_equal(fake.nshares, nshares);
	assert_logged_nothing();
}

static void
wrong_lengths_are_refused(void **state)
{
	static const int lengths[] = { INT_MIN,
				       -1,
				       0,
				       1,
				       sizeof(struct message) - 1,
				       sizeof(struct message) + 1,
				       RTE_MP_MAX_PARAM_LEN,
				       INT_MAX };
	struct message m = message(RTE_PROC_SECONDARY, DEVICE);
	struct rte_mp_msg msg = envelope(&m);

	(void)state;
	for (size_t i = 0; i < RTE_DIM(lengths); i++) {
		msg.len_param = lengths[i];
		refused(&msg, -EPROTO);
	}
}

static void
descriptors_are_refused_and_left_alone(void **state)
{
	static const int counts[] = { INT_MIN, -1, 1, RTE_MP_MAX_FD_NUM, INT_MAX };
	struct message m = message(RTE_PROC_SECONDARY, DEVICE);
	struct rte_mp_msg msg = envelope(&m);

	(void)state;
	/* The numbers are the sender's word: they may be any of ours. */
	for (int i = 0; i < RTE_MP_MAX_FD_NUM; i++)
		msg.fds[i] = STDERR_FILENO;
	for (size_t i = 0; i < RTE_DIM(counts); i++) {
		msg.num_fds = counts[i];
		refused(&msg, -EPROTO);
		assert_true(is_open(STDERR_FILENO));
	}
}

static void
wrong_fields_are_refused(void **state)
{
	static const uint32_t requests[] = { 0, 4, 0x01000000, UINT32_MAX };
	static const uint32_t versions[] = { 0, 1, 3, 0x01000000, UINT32_MAX };
	struct message m = message(RTE_PROC_SECONDARY, DEVICE);
	struct rte_mp_msg msg;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(requests); i++) {
		m.request = requests[i];
		msg = envelope(&m);
		refused(&msg, -EINVAL);
	}
	m.request = DEVICE;
	for (size_t i = 0; i < RTE_DIM(versions); i++) {
		m.version = versions[i];
		msg = envelope(&m);
		refused(&msg, -EPROTO);
	}
	m.version = VERSION;
	memset(m.bdf, 'A', sizeof(m.bdf));
	msg = envelope(&m);
	refused(&msg, -EINVAL);
}

/* The sender's results and ids are not handed back as ours. */
static void
a_name_is_only_looked_up(void **state)
{
	static const char *const names[] = { "", "0000:7f:00.0", "../../../../dev/mem", "%n%n%s%s",
					     "\033[2J\n" };
	struct message m = message(RTE_PROC_SECONDARY, DEVICE), reply;

	(void)state;
	m.result = 1;
	m.device_id = m.ioasid = UINT32_MAX;
	for (size_t i = 0; i < RTE_DIM(names); i++) {
		memset(m.bdf, 0xee, sizeof(m.bdf));
		snprintf(m.bdf, sizeof(m.bdf), "%s", names[i]);
		reply = reply_to_message(&m);
		assert_int_equal(reply.result, -ENODEV);
		assert_int_equal(reply.device_id, 0);
		assert_int_equal(reply.ioasid, 0);
		assert_int_equal(fake.reply.num_fds, 0);
		assert_string_equal(fake.shared, names[i]);
	}
	assert_logged_nothing();
}

static int
another_action(const struct rte_mp_msg *msg, const void *peer)
{
	(void)msg;
	(void)peer;
	return 0;
}

static int
count(const char *text, const char *word)
{
	int n = 0;

	while ((text = strstr(text, word)) != NULL) {
		text += strlen(word);
		n++;
	}
	return n;
}

static void
ask_as_stock(rte_mp_t action, const char *peer, int length)
{
	struct rte_mp_msg msg = { .name = STOCK_ACTION, .len_param = length };

	fake.peer = peer;
	assert_int_equal(action(&msg, peer), 0);
	assert_string_equal(fake.reply.name, STOCK_ACTION);
	assert_int_equal(fake.reply.len_param, length);
	assert_int_equal(fake.reply.num_fds, 0);
	for (int i = 0; i < length; i++)
		assert_int_equal(fake.reply.param[i], 0xff);
}

static void
stock_secondaries_are_told_of(void **state)
{
	struct message m = message(RTE_PROC_SECONDARY, QUERY);

	(void)state;
	/* Stock EAL does the work: it answers itself. */
	fake.stock = true;
	fake.stock_action = another_action;
	stock_secondary_answer(false);
	assert_ptr_equal(fake.stock_action, another_action);
	assert_false(stock_secondary_keeps_action(STOCK_ACTION));
	fake.stock = false;
	fake.register_errno = ENOTSUP;
	stock_secondary_answer(false);
	assert_logged_nothing();
	fake.register_errno = ENOMEM;
	stock_secondary_answer(false);
	assert_int_equal(count(logged(), "will not be told of here"), 1);
	assert_false(stock_secondary_keeps_action(STOCK_ACTION));
	fake.register_errno = 0;

	stock_secondary_answer(false);
	assert_true(stock_secondary_keeps_action(STOCK_ACTION));
	assert_false(stock_secondary_keeps_action("ioasid_mp"));
	assert_false(stock_secondary_keeps_action(NULL));
	/* Whatever it asks for, and however often. */
	ask_as_stock(fake.stock_action, STOCK_PEER, 12);
	ask_as_stock(fake.stock_action, STOCK_PEER, 0);
	ask_as_stock(fake.stock_action, STOCK_PEER, RTE_MP_MAX_PARAM_LEN);
	assert_int_equal(count(logged(), "a secondary process (4714) runs without dpdk-ioasid"), 1);
	assert_int_equal(count(logged(), "IOASID"), 2);
	/* Not even the name of its socket is passed on. */
	ask_as_stock(fake.stock_action, "/tmp/\033[2Jmp_socket_\n%n", 12);
	ask_as_stock(fake.stock_action, "", 12);
	ask_as_stock(fake.stock_action, "mp_socket_", 12);
	assert_int_equal(count(logged(), "IOASID"), 3);
	assert_null(strchr(logged(), '\033'));
	/* One of ours, whose EAL asks all the same. */
	fake.peer = "mp_socket_4713_1a2b";
	reply_to_message(&m);
	ask_as_stock(fake.stock_action, fake.peer, 12);
	assert_int_equal(count(logged(), "IOASID"), 3);
}

/* Another process, forked: what has been replaced stays so. Nothing of the parent's changes. */
static void
in_a_child(void (*test)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		test();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
asks_first(void)
{
	struct message m = message(RTE_PROC_SECONDARY, QUERY);

	fake.stock_action = another_action;
	stock_secondary_answer(true);
	ask_as_stock(fake.stock_action, "mp_socket_4712_1a2b", 12);
	assert_logged_nothing();
	fake.alarm(fake.alarm_arg);
	assert_int_equal(count(logged(), "a secondary process (4712) runs without dpdk-ioasid"), 1);
	/* One of ours, for which EAL asks first. */
	ask_as_stock(fake.stock_action, "mp_socket_4715_1a2b", 12);
	fake.peer = "mp_socket_4715_1a2b";
	reply_to_message(&m);
	fake.alarm(fake.alarm_arg);
	assert_int_equal(count(logged(), "IOASID"), 1);
	multiprocess_stop();
	assert_null(fake.alarm);
}

/* EAL's own action did not come to us: it is replaced once EAL is up. */
static void
stock_action_is_replaced(void **state)
{
	(void)state;
	in_a_child(asks_first);
}

/* A secondary has no list of its own, and the action is the primary's. */
static void
stock_action_of_a_secondary_is_left_alone(void **state)
{
	(void)state;
	fake.stock_action = another_action;
	stock_secondary_answer(true);
	assert_ptr_equal(fake.stock_action, another_action);
}

static void
no_channel_is_no_error(void **state)
{
	(void)state;
	fake.register_errno = ENOTSUP;
	assert_int_equal(multiprocess_start(), 0);
	fake.register_errno = EEXIST;
	assert_int_equal(multiprocess_start(), 0);
	assert_logged_nothing();
	fake.register_errno = ENOMEM;
	assert_int_equal(multiprocess_start(), -ENOMEM);
	assert_non_null(strstr(logged(), "secondary processes cannot be served"));
	multiprocess_stop();
	assert_null(fake.action);
}

/* A file that is open in this process and its children. */
static int
touch(const char *dir, const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static void
remove_file(const char *dir, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

/* It lives for as long as the other end of the pipe is open. */
static pid_t
start_process(int end[2])
{
	pid_t pid;
	char c;

	assert_int_equal(pipe(end), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(end[1]);
		_exit(read(end[0], &c, 1) == 0 ? 0 : 1);
	}
	close(end[0]);
	return pid;
}

static void
secondaries_of_an_earlier_primary_are_named(void **state)
{
	char dir[] = "/tmp/ioasid-test-XXXXXX", name[64], text[64];
	int end[2], fd;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fake.runtime_dir = dir;
	fd = touch(dir, "fbarray_memseg-2048k-0-0");
	pid = start_process(end);
	close(fd);
	close(touch(dir, "mp_socket"));
	/* The id has been used anew, by a process that is no business of ours. */
	close(touch(dir, "mp_socket_1_1a2b"));
	snprintf(name, sizeof(name), "mp_socket_%ld_1a2b", (long)pid);
	close(touch(dir, name));

	assert_int_equal(multiprocess_start(), 0);
	snprintf(text, sizeof(text), "process %ld (test_multiproce) was a secondary", (long)pid);
	assert_int_equal(count(logged(), text), 1);
	assert_int_equal(count(logged(), "IOASID"), 1);

	close(end[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(multiprocess_start(), 0);
	assert_int_equal(count(logged(), "IOASID"), 1);
	remove_file(dir, name);
	remove_file(dir, "mp_socket_1_1a2b");
	remove_file(dir, "mp_socket");
	remove_file(dir, "fbarray_memseg-2048k-0-0");
	assert_int_equal(rmdir(dir), 0);
}

/* ---- a secondary */

static int
new_fd(void)
{
	int fd = open("/dev/null", O_RDONLY);

	assert_true(fd >= 0);
	return fd;
}

static struct rte_mp_msg
answer(int result, int fd)
{
	struct message m = message(RTE_PROC_PRIMARY, DEVICE);
	struct rte_mp_msg msg;

	m.result = result;
	msg = envelope(&m);
	if (fd >= 0) {
		msg.num_fds = 1;
		msg.fds[0] = fd;
	}
	return msg;
}

static void
add_answer(struct rte_mp_msg msg)
{
	fake.answers[fake.nanswers++] = msg;
}

static void
a_copy_is_ours_until_released(void **state)
{
	struct message m;
	int fd = new_fd(), got = -1;

	(void)state;
	add_answer(answer(0, fd));
	assert_int_equal(multiprocess_setup_device(BDF, &got), 0);
	assert_int_equal(got, fd);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fake.request.len_param, sizeof(m));
	assert_int_equal(fake.request.num_fds, 0);
	memcpy(&m, fake.request.param, sizeof(m));
	assert_string_equal(m.bdf, BDF);

	assert_int_equal(multiprocess_release_device(BDF, fd + 1), -ENODEV);
	assert_int_equal(multiprocess_release_device("0000:02:00.0", fd), -ENODEV);
	assert_true(is_open(fd));
	assert_int_equal(multiprocess_release_device(BDF, fd), 0);
	assert_false(is_open(fd));
	assert_int_equal(multiprocess_release_device(BDF, fd), -ENODEV);

	fd = new_fd();
	fake.nanswers = 0;
	add_answer(answer(0, fd));
	assert_int_equal(multiprocess_setup_device(BDF, &got), 0);
	multiprocess_release_all();
	assert_false(is_open(fd));
}

/* The one message there is, and no device. */
static void
setup_fails(int error, const char *text)
{
	int fd = -1;

	assert_int_equal(multiprocess_setup_device(BDF, &fd), error);
	assert_int_equal(fd, -1);
	if (text != NULL)
		assert_non_null(strstr(logged(), text));
}

static void
no_answer_is_waited_for_once(void **state)
{
	(void)state;
	setup_fails(-ETIMEDOUT, BDF ": the primary process does not answer");
	assert_int_equal(fake.patience.tv_sec, 5);
	setup_fails(-ETIMEDOUT, NULL);
	assert_int_equal(fake.patience.tv_sec, 0);
	fake.request_errno = ETIMEDOUT;
	setup_fails(-ETIMEDOUT, NULL);
	assert_int_equal(count(logged(), "IOASID"), 1);

	fake.request_errno = ECONNREFUSED;
	setup_fails(-ECONNREFUSED, BDF ": the primary process has ended");
}

static struct rte_mp_msg
answer_of_mode(int result, uint32_t stock)
{
	struct message m = {
		.version = VERSION, .request = MODE, .result = result, .stock = stock
	};

	return envelope(&m);
}

static void
the_primary_decides_the_mode(void **state)
{
	struct message m;

	(void)state;
	fake.nanswers = 1;
	fake.answers[0] = answer_of_mode(0, 1);
	assert_true(multiprocess_primary_is_stock());
	memcpy(&m, fake.request.param, sizeof(m));
	assert_int_equal(m.request, MODE);
	assert_string_equal(m.bdf, "");
	fake.answers[0] = answer_of_mode(0, 0);
	assert_false(multiprocess_primary_is_stock());
	assert_logged_nothing();
	/* One that cannot be asked has no device for us, so stock's way is not tried. */
	fake.answers[0] = answer_of_mode(-EPROTO, 1);
	assert_false(multiprocess_primary_is_stock());
	assert_non_null(strstr(logged(), "IOASID: the primary process runs another version"));
	fake.nanswers = 0;
	assert_false(multiprocess_primary_is_stock());
	assert_non_null(strstr(logged(), "IOASID: the primary process does not answer"));
	/* Told already: nothing more for each device. */
	setup_fails(-ETIMEDOUT, NULL);
	assert_int_equal(count(logged(), "IOASID"), 2);
}

static void
wrong_answers_are_refused(void **state)
{
	struct message m = message(RTE_PROC_PRIMARY, DEVICE), good = m;
	struct rte_mp_msg right = answer(0, new_fd()), wrong[11];
	int n = 0;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(wrong); i++)
		wrong[i] = right;
	wrong[n++].len_param--;
	wrong[n++].len_param++;
	wrong[n++].len_param = 0;
	wrong[n++].num_fds = 0;
	wrong[n++].num_fds = 2;
	/* One was promised, none came. */
	wrong[n++].fds[0] = -1;
	m.version = VERSION - 1;
	memcpy(wrong[n++].param, &m, sizeof(m));
	m = good;
	m.request = QUERY;
	memcpy(wrong[n++].param, &m, sizeof(m));
	m = good;
	m.bdf[0] = '1';
	memcpy(wrong[n++].param, &m, sizeof(m));
	m = good;
	m.result = 1;
	memcpy(wrong[n++].param, &m, sizeof(m));
	m.result = INT32_MIN;
	memcpy(wrong[n++].param, &m, sizeof(m));
	assert_int_equal(n, RTE_DIM(wrong));

	fake.nanswers = 1;
	for (size_t i = 0; i < RTE_DIM(wrong); i++) {
		fake.answers[0] = wrong[i];
		setup_fails(-EPROTO, "runs another version of dpdk-ioasid");
	}
	assert_int_equal(count(logged(), "IOASID"), 1);
	close(right.fds[0]);
}

static void
a_busy_primary_is_asked_again(void **state)
{
	int fd = new_fd(), got = -1;

	(void)state;
	add_answer(answer(-EAGAIN, -1));
	add_answer(answer(-EAGAIN, -1));
	add_answer(answer(0, fd));
	assert_int_equal(multiprocess_setup_device(BDF, &got), 0);
	assert_int_equal(got, fd);
	assert_int_equal(fake.nrequests, 3);
}

static void
a_device_that_the_primary_has_not(void **state)
{
	char name[64];
	int fd = -1;

	(void)state;
	add_answer(answer(-ENODEV, -1));
	setup_fails(-ENODEV, "does not use this device: give both processes the same -a list");
	/* Nothing is cut off to fit. */
	memset(name, 'A', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	fake.nrequests = 0;
	assert_int_equal(multiprocess_setup_device(name, &fd), -ENODEV);
	assert_int_equal(fake.nrequests, 0);
}

#define PRIMARY(test)   cmocka_unit_test_setup_teardown(test, setup_primary, teardown)
#define SECONDARY(test) cmocka_unit_test_setup_teardown(test, setup_secondary, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PRIMARY(requests_are_answered),
		PRIMARY(wrong_lengths_are_refused),
		PRIMARY(descriptors_are_refused_and_left_alone),
		PRIMARY(wrong_fields_are_refused),
		PRIMARY(a_name_is_only_looked_up),
		PRIMARY(the_mode_is_told),
		PRIMARY(stock_action_is_replaced), /* before what EAL registers has been seen */
		PRIMARY(stock_secondaries_are_told_of),
		SECONDARY(stock_action_of_a_secondary_is_left_alone),
		PRIMARY(no_channel_is_no_error),
		PRIMARY(secondaries_of_an_earlier_primary_are_named),
		SECONDARY(a_copy_is_ours_until_released),
		SECONDARY(no_answer_is_waited_for_once),
		SECONDARY(the_primary_decides_the_mode),
		SECONDARY(wrong_answers_are_refused),
		SECONDARY(a_busy_primary_is_asked_again),
		SECONDARY(a_device_that_the_primary_has_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
