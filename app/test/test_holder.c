/* SPDX-License-Identifier: BSD-3-Clause */

/* Who holds a group, added to the sentence of a JOIN that was refused. */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "process.h"
#include "test.h"

static char text[256];

/* Of the group of a device, as it is now. */
static void
describe(const char *bdf, char *buf, size_t size)
{
	struct ioasid_group_info *info;

	CHECK_OK(ioasid_group_info_read(fake_sysfs(), bdf, &info));
	holder_describe(info, buf, size);
	ioasid_group_info_free(info);
}

static const char *
holders(const char *bdf)
{
	describe(bdf, text, sizeof(text));
	return text;
}

static void
check_holders(const char *bdf, const char *want)
{
	CHECK_STR(holders(bdf), want);
}

/* Drivers */

static void
nobody_holds_it(void **state)
{
	(void)state;
	check_holders(NIC0, "");
	check_holders(GROUP_NIC, "");
	fake_set_driver(GROUP_HD, NULL);
	check_holders(GROUP_NIC, "");
}

static void
kernel_driver_holds_it(void **state)
{
	(void)state;
	fake_set_driver(GROUP_HD, "sym53c8xx");
	check_holders(GROUP_NIC, GROUP_HD " is held by the kernel driver sym53c8xx");
}

static void
several_drivers_hold_it(void **state)
{
	(void)state;
	fake_set_driver(GROUP_HD, "sym53c8xx");
	fake_set_driver(GROUP_NIC, "e1000");
	check_holders(GROUP_NIC, GROUP_NIC " is held by the kernel driver e1000, " GROUP_HD
					   " is held by the kernel driver sym53c8xx");
}

static void
drivers_that_hold_nothing(void **state)
{
	const struct fake_pci host = { .bdf = "0000:04:00.0",
				       .group = THE_GROUP,
				       .class_code = 0x060000,
				       .driver = "skx_uncore" };

	(void)state;
	fake_plug(&host);
	fake_set_driver(BRIDGE, "pcieport");
	fake_set_driver(GROUP_HD, "pci-stub");
	check_holders(GROUP_NIC, "");
}

static void
users_of_what_cannot_be_read(void **state)
{
	char buf[16];

	(void)state;
	strcpy(buf, "before");
	CHECK_ERR(ioasid_group_users(fake_sysfs(), "0000:77:00.0", buf, sizeof(buf)), ENODEV);
	CHECK_STR(buf, "");
	fake_sysfs_write(NIC0, "iommu_group/reserved_regions", "garbage\n");
	strcpy(buf, "before");
	CHECK_ERR(ioasid_group_users(fake_sysfs(), NIC0, buf, sizeof(buf)), EPROTO);
	CHECK_STR(buf, "");
}

/* More than there is room for: cut, and ended. */
static void
more_holders_than_fit(void **state)
{
	char bdf[] = "0000:20:00.0", small[40];

	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		bdf[11] = (char)('0' + i);
		fake_plug(
			&(struct fake_pci){ .bdf = bdf, .group = 70, .driver = "a_kernel_driver" });
	}
	CHECK_EQ(strlen(holders(bdf)), sizeof(text) - 1);
	for (size_t size = 1; size <= sizeof(small); size++) {
		memset(small, 'x', sizeof(small));
		describe(bdf, small, size);
		CHECK_EQ(strlen(small), size - 1);
		CHECK(size == sizeof(small) || small[size] == 'x');
	}
}

/*
 * Processes. A node of the group can be had without touching this machine's /dev: a
 * child makes its own in a mount namespace, and waits to be found.
 */

static bool
write_file(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Without root, one becomes root of a user namespace first. */
static bool
enter_namespace(void)
{
	char uids[32], gids[32];

	if (unshare(CLONE_NEWNS) == 0)
		return true;
	snprintf(uids, sizeof(uids), "0 %u 1", (unsigned int)getuid());
	snprintf(gids, sizeof(gids), "0 %u 1", (unsigned int)getgid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
	       write_file("/proc/self/uid_map", uids) &&
	       write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/gid_map", gids);
}

/* What a child calls itself; NULL: nothing else. */
static const char *child_name;

static void
child_opens(const char *node, int ready)
{
	if (child_name != NULL)
		prctl(PR_SET_NAME, child_name);
	if (!enter_namespace())
		_exit(77);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/dev", "tmpfs", 0, NULL) < 0)
		_exit(77);
	mkdir("/dev/vfio", 0755);
	mkdir("/dev/vfio/devices", 0755);
	if (open(node, O_RDWR | O_CREAT, 0600) < 0 || write(ready, "x", 1) != 1)
		_exit(77);
	pause();
	_exit(0);
}

/* A process that has the node open; -1: this machine does not let us. */
static pid_t
start_child(const char *node)
{
	int pipes[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(pipes[0]);
		child_opens(node, pipes[1]);
	}
	close(pipes[1]);
	if (read(pipes[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(pipes[0]);
	return pid;
}

static void
end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
check_process_found(const char *bdf, const char *node)
{
	char want[128], own[32] = "";
	pid_t pid = start_child(node);
	FILE *f;

	if (pid < 0) {
		print_message("skipped: no mount namespace may be made here\n");
		skip();
	}
	holders(bdf);
	end_child(pid);
	f = fopen("/proc/self/comm", "re");
	assert_non_null(f);
	assert_non_null(fgets(own, sizeof(own), f));
	fclose(f);
	own[strcspn(own, "\n")] = '\0';
	snprintf(want, sizeof(want), "process %d (%s) has %s open", (int)pid, own, node);
	CHECK_STR(text, want);
}

static void
process_has_the_cdev_open(void **state)
{
	(void)state;
	check_process_found(NIC1, "/dev/vfio/devices/vfio1");
}

static void
process_has_a_siblings_cdev_open(void **state)
{
	(void)state;
	check_process_found(GROUP_NIC, "/dev/vfio/devices/vfio4");
}

static void
process_has_the_legacy_group_open(void **state)
{
	(void)state;
	check_process_found(GROUP_NIC, "/dev/vfio/13");
}

/* Whoever may open a device chooses the name: nothing of it may steer the terminal. */
static void
process_name_is_printable(void **state)
{
	pid_t pid;

	(void)state;
	child_name = "\033[2K\rinit\x9b\n";
	pid = start_child("/dev/vfio/devices/vfio1");
	child_name = NULL;
	if (pid < 0) {
		print_message("skipped: no mount namespace may be made here\n");
		skip();
	}
	holders(NIC1);
	end_child(pid);
	CHECK(strstr(text, "(?[2K?init") != NULL);
}

static void
no_process_has_no_name(void **state)
{
	char name[PROCESS_NAME_SIZE];

	(void)state;
	process_name("0", name);
	CHECK_STR(name, "?");
}

static void
process_with_another_groups_node_is_not_told(void **state)
{
	pid_t pid = start_child("/dev/vfio/devices/vfio0");

	(void)state;
	if (pid < 0) {
		print_message("skipped: no mount namespace may be made here\n");
		skip();
	}
	holders(NIC1);
	end_child(pid);
	CHECK_STR(text, "");
}

/* Of a group's users only processes count, not the drivers of its members. */
static void
users_are_processes(void **state)
{
	pid_t pid = start_child("/dev/vfio/devices/vfio4");
	int ret;

	(void)state;
	if (pid < 0) {
		print_message("skipped: no mount namespace may be made here\n");
		skip();
	}
	fake_set_driver(GROUP_NIC, "e1000");
	ret = ioasid_group_users(fake_sysfs(), GROUP_NIC, text, sizeof(text));
	end_child(pid);
	CHECK_OK(ret);
	CHECK(strstr(text, "/dev/vfio/devices/vfio4 open") != NULL);
	CHECK(strstr(text, "e1000") == NULL);
	CHECK_OK(ioasid_group_users(fake_sysfs(), NIC0, text, sizeof(text)));
	CHECK_STR(text, "");
}

/* Which refusals it is added to */

static void
told_with_refusals_that_may_have_a_holder(void **state)
{
	const struct {
		int err;
		bool told;
	} rows[] = {
		{ EPERM, true },   { EBUSY, true },  { EINVAL, true },
		{ ENODEV, false }, { EBADF, false },
	};
	struct ioasid_device *dev;

	(void)state;
	fake_set_driver(GROUP_HD, "sym53c8xx");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fake_fail(KABI_BIND, 1, rows[i].err);
		CHECK_ERR(ioasid_join(ctx, fake_sysfs(), GROUP_NIC, &dev), rows[i].err);
		CHECK_EQ(strstr(ioasid_error(), "sym53c8xx") != NULL, rows[i].told);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_MACHINE(nobody_holds_it),
		TEST_MACHINE(kernel_driver_holds_it),
		TEST_MACHINE(several_drivers_hold_it),
		TEST_MACHINE(drivers_that_hold_nothing),
		TEST_MACHINE(users_of_what_cannot_be_read),
		TEST_MACHINE(more_holders_than_fit),
		TEST_MACHINE(process_has_the_cdev_open),
		TEST_MACHINE(process_has_a_siblings_cdev_open),
		TEST_MACHINE(process_has_the_legacy_group_open),
		TEST_MACHINE(process_name_is_printable),
		TEST_MACHINE(no_process_has_no_name),
		TEST_MACHINE(process_with_another_groups_node_is_not_told),
		TEST_MACHINE(users_are_processes),
		TEST(told_with_refusals_that_may_have_a_holder),
	};

	return cmocka_run_group_tests_name("holder", tests, NULL, NULL);
}
