/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What an errno of the kernel becomes: the same errno, and a sentence that names the
 * device, the path or the range, the cause, and what to do.
 */

#include <pthread.h>
#include <sys/resource.h>

#include <linux/vfio.h>

#include "error.h"
#include "test.h"

static struct ioasid_device *dev;

/*
 * RLIMIT_MEMLOCK as the library sees it (--wrap), for the real one cannot be raised by
 * everybody. The second name is that of the first where off_t is told to have 64 bits.
 */
static rlim_t memlock = 64 << 10;

int __wrap_getrlimit(int resource, struct rlimit *limit);
int __wrap_getrlimit64(int resource, struct rlimit *limit);

int
__wrap_getrlimit(int resource, struct rlimit *limit)
{
	/* A sanitizer's run time may ask for other limits. */
	if (resource != RLIMIT_MEMLOCK)
		return prlimit(0, resource, NULL, limit);
	*limit = (struct rlimit){ .rlim_cur = memlock, .rlim_max = memlock };
	return 0;
}

int
__wrap_getrlimit64(int resource, struct rlimit *limit)
{
	return __wrap_getrlimit(resource, limit);
}

/* The calls, as a row can name them. */

static int
call_open(void)
{
	return ioasid_open("/dev/iommu", NULL, &ctx);
}

static int
call_join(void)
{
	return ioasid_join(ctx, fake_sysfs(), NIC0, &dev);
}

static int
call_attach(void)
{
	return ioasid_attach(dev, ioas);
}

static int
call_detach(void)
{
	return ioasid_detach(dev);
}

static int
call_alloc(void)
{
	uint32_t id;

	return ioasid_alloc(ctx, &id);
}

static int
call_free(void)
{
	return ioasid_free(ctx, ioas);
}

static int
call_ranges(void)
{
	struct ioasid_range *ranges;
	unsigned int count;

	return ioasid_iova_ranges(ctx, ioas, &ranges, &count);
}

static int
call_allow(void)
{
	const struct ioasid_range range = { 0, 16 * PAGE };

	return ioasid_allow_iovas(ctx, ioas, &range, 1);
}

static int
call_reach(void)
{
	struct ioasid_range *ranges;
	unsigned int count;

	return ioasid_device_reach(dev, ioas, &ranges, &count);
}

static int
call_request(void)
{
	return ioasid_device_on_request(dev, 3);
}

static int
call_map(void)
{
	return ioasid_map(ctx, ioas, VA, 4 * PAGE, PAGE, RW);
}

static int
call_map_file(void)
{
	return ioasid_map_file(ctx, ioas, VA, 4 * PAGE, PAGE, RW, 5, 2 * PAGE);
}

static int
call_unmap(void)
{
	return ioasid_unmap(ctx, ioas, 0, PAGE);
}

struct row {
	int (*call)(void);
	unsigned long request; /* that fails */
	int err;
	const char *subject;
	const char *cause;
	const char *step; /* what to do, NULL: nothing to be said */
};

#define MAP_RANGE   "IOVA 0x4000 length 0x1000 (VA 0x7f0000000000)"
#define FILE_RANGE  "IOVA 0x4000 length 0x1000 (VA 0x7f0000000000, file 5 offset 0x2000)"
#define UNMAP_RANGE "IOVA 0x0-0xfff"

/* Before anything is open. */
static const struct row open_rows[] = {
	{ call_open, FAKE_OPEN, ENOENT, "/dev/iommu", "no iommufd", "module iommufd" },
	{ call_open, FAKE_OPEN, ENODEV, "/dev/iommu", "no driver behind it", "load the module" },
	{ call_open, FAKE_OPEN, ENXIO, "/dev/iommu", "no driver behind it", "load the module" },
	{ call_open, FAKE_OPEN, EACCES, "/dev/iommu", "by this user", "udev rule" },
	{ call_open, FAKE_OPEN, EPERM, "/dev/iommu", "device cgroup", "--device" },
	{ call_open, KABI_IOAS_ALLOC, ENOTTY, "/dev/iommu", "not an iommufd", "name the node" },
};

/* With a context open and NIC0 not joined. */
static const struct row join_rows[] = {
	{ call_join, FAKE_OPEN, ENOENT, NIC0, "node is missing", "udev" },
	{ call_join, FAKE_OPEN, EACCES, NIC0, "by this user", "udev rule" },
	{ call_join, FAKE_OPEN, EPERM, NIC0, "device cgroup", "--device" },
	{ call_join, FAKE_OPEN, ENODEV, NIC0, "going away", NULL },
	{ call_join, FAKE_OPEN, EBUSY, NIC0, "exclusive use", NULL },
	{ call_join, KABI_BIND, EBUSY, NIC0, "/dev/vfio/GROUP", "stop the program" },
	{ call_join, KABI_BIND, EBUSY, NIC0, "default domain", NULL },
	{ call_join, KABI_BIND, EPERM, NIC0, "a kernel driver, another process", "release" },
	{ call_join, KABI_BIND, EPERM, NIC0, "interrupts are not isolated",
	  "iommufd.allow_unsafe_interrupts=1" },
	{ call_join, KABI_BIND, EINVAL, NIC0, "bound already", NULL },
	{ call_join, KABI_BIND, EINVAL, NIC0, "1:1", "kernel log" },
	{ call_join, KABI_BIND, EINVAL, NIC0, "cache-coherent", "kernel log" },
	{ call_join, KABI_BIND, EBADF, NIC0, "not an iommufd", NULL },
	{ call_join, KABI_BIND, EBADFD, NIC0, "not an iommufd", NULL },
	{ call_join, KABI_BIND, EKEYREJECTED, NIC0, "virtual function", "give the VF token" },
	{ call_join, KABI_BIND, ENODEV, NIC0, "going away", NULL },
	{ call_join, KABI_BIND, ENOTTY, NIC0, "no device cdevs", "Linux 6.6" },
};

/* With NIC0 joined, and one page mapped. */
static const struct row attach_rows[] = {
	{ call_attach, KABI_ATTACH, EINVAL, NIC0, "has not joined", NULL },
	{ call_attach, KABI_ATTACH, EINVAL, NIC0, "attached to another IOASID", NULL },
	{ call_attach, KABI_ATTACH, ENOENT, NIC0, "no such IOASID", NULL },
	{ call_attach, KABI_ATTACH, EADDRINUSE, NIC0, "reserves or cannot reach", "move it" },
	{ call_attach, KABI_ATTACH, EBUSY, NIC0, "another page table", "try again" },
	{ call_attach, KABI_ATTACH, EBUSY, NIC0, "being reset", "try again" },
	{ call_attach, KABI_ATTACH, ENOMEM, NIC0, "could not be pinned", "RLIMIT_MEMLOCK" },
	{ call_attach, KABI_ATTACH, EFAULT, NIC0, "gone from the process", NULL },
	{ call_attach, KABI_ATTACH, ENODEV, NIC0, "going away", NULL },
	{ call_free, KABI_DESTROY, ENOENT, "IOASID 1", "does not exist", NULL },
	{ call_free, KABI_DESTROY, EBUSY, "IOASID 1", "devices attached", "leave first" },
	{ call_ranges, KABI_IOVA_RANGES, ENOENT, "IOASID 1", "does not exist", NULL },
	{ call_allow, KABI_ALLOW_IOVAS, ENOENT, "IOASID 1", "does not exist", NULL },
	{ call_allow, KABI_ALLOW_IOVAS, EINVAL, "IOASID 1", "empty or overlap", NULL },
	{ call_allow, KABI_ALLOW_IOVAS, EADDRINUSE, "IOASID 1", "device reserves",
	  "choose another range" },
	{ call_allow, KABI_ALLOW_IOVAS, EOPNOTSUPP, "IOASID 1", "no support", NULL },
	{ call_allow, KABI_ALLOW_IOVAS, ENOMEM, "IOASID 1", "kernel is out of memory", NULL },
	{ call_map, KABI_MAP, EEXIST, MAP_RANGE, "mapped already", NULL },
	{ call_map, KABI_MAP, EINVAL, MAP_RANGE, "is reserved", "choose other addresses" },
	{ call_map, KABI_MAP, EINVAL, MAP_RANGE, "beyond what the IOMMU can address",
	  "choose other addresses" },
	{ call_map, KABI_MAP, EADDRINUSE, MAP_RANGE, "reserved by an attached device", NULL },
	{ call_map, KABI_MAP, EFAULT, MAP_RANGE, "not memory of this process", NULL },
	{ call_map, KABI_MAP, EFAULT, MAP_RANGE, "read-only", NULL },
	{ call_map, KABI_MAP, EFAULT, MAP_RANGE, "BAR", NULL },
	{ call_map, KABI_MAP, ENOMEM, MAP_RANGE, "could not be pinned", "RLIMIT_MEMLOCK" },
	{ call_map, KABI_MAP, ENOMEM, MAP_RANGE, "memory cgroup", "LimitMEMLOCK=" },
	{ call_map, KABI_MAP, EOVERFLOW, MAP_RANGE, "wraps around", NULL },
	{ call_map, KABI_MAP, ENOENT, MAP_RANGE, "no such IOASID", NULL },
	{ call_map_file, KABI_MAP_FILE, EEXIST, FILE_RANGE, "mapped already", NULL },
	{ call_map_file, KABI_MAP_FILE, EINVAL, FILE_RANGE, "neither hugetlbfs nor", NULL },
	{ call_map_file, KABI_MAP_FILE, EINVAL, FILE_RANGE, "too short", NULL },
	{ call_map_file, KABI_MAP_FILE, EADDRINUSE, FILE_RANGE, "reserved by an attached", NULL },
	{ call_map_file, KABI_MAP_FILE, EBADF, FILE_RANGE, "not open", NULL },
	{ call_map_file, KABI_MAP_FILE, ENOMEM, FILE_RANGE, "could not be pinned",
	  "RLIMIT_MEMLOCK" },
	{ call_map_file, KABI_MAP_FILE, EOVERFLOW, FILE_RANGE, "or of the file", NULL },
	{ call_map_file, KABI_MAP_FILE, ENOENT, FILE_RANGE, "no such IOASID", NULL },
	{ call_unmap, KABI_UNMAP, ENOENT, UNMAP_RANGE, "is not mapped", NULL },
	{ call_unmap, KABI_UNMAP, ENOENT, UNMAP_RANGE, "part of a larger map", NULL },
};

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];

		print_message("%s: %s, \"%s\"\n", r->subject, strerror(r->err), r->cause);
		fake_fail(r->request, 1, r->err);
		CHECK_ERR(r->call(), r->err);
		CHECK_EQ(fake_fail_clear(), 1);
		/* The subject comes first, and the kernel's word is not withheld. */
		CHECK(strncmp(ioasid_error(), r->subject, strlen(r->subject)) == 0);
		CHECK_SAYS(strerror(r->err));
		CHECK_SAYS(r->cause);
		if (r->step != NULL)
			CHECK_SAYS(r->step);
	}
}

static void
errors_of_open(void **state)
{
	(void)state;
	check_rows(open_rows, ARRAY_SIZE(open_rows));
}

static void
errors_of_join(void **state)
{
	(void)state;
	check_rows(join_rows, ARRAY_SIZE(join_rows));
	CHECK(!fake_is_bound(NIC0));
}

static void
errors_with_a_device(void **state)
{
	(void)state;
	dev = join(NIC0);
	map(0, PAGE);
	check_rows(attach_rows, ARRAY_SIZE(attach_rows));
	CHECK_EQ(fake_attached(NIC0), 0);
	CHECK_EQ(fake_areas(ioasid_fd(ctx), ioas), 1);
}

/* What the table does not know is told by the system's word, with the subject. */
static const struct row unknown_rows[] = {
	{ call_join, FAKE_OPEN, ELOOP, NIC0, "the kernel refused", NULL },
	{ call_join, KABI_BIND, EIO, NIC0, "the kernel refused", NULL },
	{ call_alloc, KABI_IOAS_ALLOC, EIO, "/dev/iommu", "the kernel refused", NULL },
	/* what an errno means of whatever call */
	{ call_alloc, KABI_IOAS_ALLOC, ENOMEM, "/dev/iommu", "the kernel is out of memory", NULL },
	{ call_open, FAKE_OPEN, EMFILE, "/dev/iommu", "may not open more files", "ulimit -n" },
	{ call_join, FAKE_OPEN, EMFILE, NIC0, "may not open more files", "ulimit -n" },
	{ call_join, FAKE_OPEN, ENFILE, NIC0, "may not open more files", "fs.file-max" },
	/* what says nothing of whether it is an iommufd */
	{ call_open, KABI_IOAS_ALLOC, ENOMEM, "/dev/iommu", "the kernel is out of memory", NULL },
	{ call_open, KABI_IOAS_ALLOC, EPERM, "/dev/iommu", "seccomp", NULL },
	{ call_open, KABI_IOAS_ALLOC, EACCES, "/dev/iommu", "security module", NULL },
	{ call_free, KABI_DESTROY, EIO, "IOASID 1", "the kernel refused", NULL },
	{ call_ranges, KABI_IOVA_RANGES, EIO, "IOASID 1", "the kernel refused", NULL },
	{ call_allow, KABI_ALLOW_IOVAS, EIO, "IOASID 1", "the kernel refused", NULL },
	{ call_map, KABI_MAP, EIO, MAP_RANGE, "the kernel refused", NULL },
	{ call_map_file, KABI_MAP_FILE, EIO, FILE_RANGE, "the kernel refused", NULL },
	{ call_unmap, KABI_UNMAP, EDEADLK, UNMAP_RANGE, "the kernel refused", NULL },
};

static void
errors_without_a_meaning(void **state)
{
	(void)state;
	map(0, PAGE);
	check_rows(unknown_rows, ARRAY_SIZE(unknown_rows));
}

static void
errors_with_a_device_that_is_not_attached(void **state)
{
	const struct row rows[] = {
		{ call_reach, KABI_IOAS_ALLOC, EIO, NIC0, "IOVA ranges failed", NULL },
		{ call_reach, KABI_ATTACH, EINVAL, NIC0, "IOVA ranges failed", NULL },
		{ call_reach, KABI_IOVA_RANGES, EIO, NIC0, "IOVA ranges failed", NULL },
		{ call_request, VFIO_DEVICE_GET_INFO, EIO, NIC0, "ask VFIO failed", NULL },
		{ call_request, VFIO_DEVICE_SET_IRQS, EIO, NIC0, "ask VFIO failed", NULL },
	};

	(void)state;
	dev = join(NIC0);
	check_rows(rows, ARRAY_SIZE(rows));
}

static void
errors_with_an_attached_device(void **state)
{
	const struct row rows[] = {
		{ call_detach, KABI_DETACH, EIO, NIC0, "DETACH failed", NULL },
	};

	(void)state;
	dev = join(NIC0);
	attach(dev, ioas);
	check_rows(rows, ARRAY_SIZE(rows));
}

/* The kernel's EACCES of BIND must not be taken for that of a node. */
static void
refused_token_is_an_errno_of_its_own(void **state)
{
	(void)state;
	fake_fail(KABI_BIND, 1, EACCES);
	CHECK_ERR(call_join(), EKEYREJECTED);
	CHECK_SAYS(strerror(EKEYREJECTED));
	CHECK_SAYS(NIC0 ": JOIN failed");
	CHECK_SAYS("give the VF token");
	CHECK(!fake_is_bound(NIC0));
}

/* The library is used by others than DPDK: its sentences name no option of that. */
static void
sentences_name_no_option_of_dpdk(void **state)
{
	static const int errs[] = { EPERM,  ENOENT, EIO,       EBADF,  EAGAIN,     ENOMEM,
				    EACCES, EFAULT, EBUSY,     EEXIST, ENODEV,     EINVAL,
				    ENOTTY, ENOSPC, EOVERFLOW, EBADFD, EADDRINUSE, EKEYREJECTED };

	(void)state;
	for (int call = CALL_OPEN; call <= CALL_INFO; call++) {
		for (size_t i = 0; i < ARRAY_SIZE(errs); i++) {
			error_call((enum ioasid_call)call, errs[i], "subject", NULL);
			CHECK(strstr(ioasid_error(), "--base") == NULL);
			CHECK(strstr(ioasid_error(), "--vfio") == NULL);
			CHECK(strstr(ioasid_error(), "--iova") == NULL);
			CHECK(strstr(ioasid_error(), "EAL") == NULL);
			CHECK(strstr(ioasid_error(), "DPDK") == NULL);
		}
	}
}

/* EMSGSIZE of IOVA_RANGES is no error: it is asked again. */
static void
message_size_is_not_told(void **state)
{
	(void)state;
	CHECK_ERR(ioasid_free(ctx, 99), ENOENT);
	dev = join(NIC0);
	attach(dev, ioas);
	fake_fail(KABI_IOVA_RANGES, 1, EMSGSIZE);
	fake_fail(KABI_IOVA_RANGES, 2, EIO);
	CHECK_ERR(call_ranges(), EIO);
	CHECK_EQ(fake_fail_clear(), 2);
}

/* ENOMEM tells how much is wanted and how much may be. */
static void
check_memlock(rlim_t limit, const char *says)
{
	memlock = limit;
	map(0, 16 * PAGE);
	fake_fail(KABI_MAP, 1, ENOMEM);
	CHECK_ERR(ioasid_map(ctx, ioas, VA, 64 * PAGE, 8 * PAGE, RW), ENOMEM);
	CHECK_SAYS(says);
}

static void
memlock_is_told(void **state)
{
	(void)state;
	check_memlock(64 << 10, "at least 96 KiB needed, RLIMIT_MEMLOCK is 64 KiB");
}

/* Then it is the cgroup, or memory there is none of. */
static void
memlock_unlimited_is_told(void **state)
{
	(void)state;
	check_memlock(RLIM_INFINITY, "64 KiB are mapped already, 32 KiB more wanted; "
				     "RLIMIT_MEMLOCK is unlimited");
}

/* The sentence itself */

static void
sentence_is_never_null(void **state)
{
	(void)state;
	CHECK(ioasid_error() != NULL);
}

static void
success_leaves_the_sentence(void **state)
{
	char before[256];

	(void)state;
	CHECK_ERR(ioasid_free(ctx, 99), ENOENT);
	snprintf(before, sizeof(before), "%s", ioasid_error());
	map(0, PAGE);
	dev = join(NIC0);
	attach(dev, ioas);
	CHECK_OK(ioasid_detach(dev));
	CHECK_STR(ioasid_error(), before);
}

static void *
fail_in_thread(void *arg)
{
	const bool was_empty = ioasid_error()[0] == '\0';

	ioasid_free(arg, 77);
	return was_empty && strstr(ioasid_error(), "IOASID 77") != NULL ? arg : NULL;
}

static void
sentence_is_the_threads_own(void **state)
{
	pthread_t thread;
	void *ok = NULL;

	(void)state;
	CHECK_ERR(ioasid_free(ctx, 99), ENOENT);
	assert_int_equal(pthread_create(&thread, NULL, fail_in_thread, ctx), 0);
	pthread_join(thread, &ok);
	CHECK(ok != NULL);
	CHECK_SAYS("IOASID 99");
}

/* Functions return -errno and leave errno alone. */
static void
errno_is_not_set(void **state)
{
	(void)state;
	fake_fail(KABI_MAP, 1, ENOMEM);
	errno = EXDEV;
	call_map();
	ioasid_free(ctx, 99);
	CHECK_EQ(errno, EXDEV);
}

static void
internal_error_set_and_call(void **state)
{
	char longest[2048];

	(void)state;
	CHECK_RET(error_set(EXDEV, "%s %d", "text", 7), -EXDEV);
	CHECK_STR(ioasid_error(), "text 7");
	/* Either sign of errno will do. */
	CHECK_RET(error_call(CALL_FREE, -EBUSY, "IOASID 7", NULL), -EBUSY);
	CHECK_RET(error_call(CALL_FREE, EBUSY, "IOASID 7", ""), -EBUSY);
	CHECK(strchr(ioasid_error(), '(') == strrchr(ioasid_error(), '('));
	CHECK_RET(error_call(CALL_FREE, EBUSY, "IOASID 7", "detail"), -EBUSY);
	CHECK_SAYS(" (detail)");
	/* Too long is cut. */
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	CHECK_RET(error_set(EXDEV, "%s", longest), -EXDEV);
	CHECK_EQ(strlen(ioasid_error()), 1023);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_MACHINE(sentence_is_never_null),
		TEST_MACHINE(errors_of_open),
		TEST(errors_of_join),
		TEST(errors_with_a_device),
		TEST(errors_without_a_meaning),
		TEST(errors_with_a_device_that_is_not_attached),
		TEST(errors_with_an_attached_device),
		TEST(refused_token_is_an_errno_of_its_own),
		TEST_MACHINE(sentences_name_no_option_of_dpdk),
		TEST(message_size_is_not_told),
		TEST(memlock_is_told),
		TEST(memlock_unlimited_is_told),
		TEST(success_leaves_the_sentence),
		TEST(sentence_is_the_threads_own),
		TEST(errno_is_not_set),
		TEST(internal_error_set_and_call),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
