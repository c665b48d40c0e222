/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The one feature that matters of a virtio device, by a configuration space that behaves as
 * virtio 1.2, 4.1.4 says: what is read and written in the window is the BAR's.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#include "ioasid.h"

#define REGION 0x70000000000 /* where VFIO has the configuration space */
#define WINDOW 0x60
#define COMMON 0x48

static struct {
	uint8_t config[256];
	uint64_t features;
	uint32_t select;
	off_t at;
	int error;
	unsigned int strays;
} device;

ssize_t __wrap_pread(int fd, void *buf, size_t count, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t count, off_t offset);

static uint32_t
window_offset(void)
{
	uint32_t offset;

	memcpy(&offset, device.config + WINDOW + 8, sizeof(offset));
	return offset;
}

/* The common structure is in BAR 4, from 0x1000 on. */
static uint32_t
read_bar(void)
{
	if (device.config[WINDOW + 4] != 4)
		return 0xffffffff;
	if (window_offset() == 0x1004 && device.select < 2)
		return (uint32_t)(device.features >> (32 * device.select));
	return window_offset() == 0x1000 ? device.select : 0;
}

ssize_t
__wrap_pread(int fd, void *buf, size_t count, off_t offset)
{
	const off_t at = offset - device.at;
	uint32_t value;

	(void)fd;
	if (device.error != 0) {
		errno = device.error;
		return -1;
	}
	if (at < 0 || at + (off_t)count > (off_t)sizeof(device.config))
		return 0;
	memcpy(buf, device.config + at, count);
	if (at == WINDOW + 16) {
		value = read_bar();
		memcpy(buf, &value, count);
	}
	return (ssize_t)count;
}

ssize_t
__wrap_pwrite(int fd, const void *buf, size_t count, off_t offset)
{
	const off_t at = offset - device.at;

	(void)fd;
	if (at < WINDOW + 4 || at + (off_t)count > WINDOW + 20) {
		device.strays++;
		return (ssize_t)count;
	}
	if (at < WINDOW + 16)
		memcpy(device.config + at, buf, count);
	else if (window_offset() == 0x1000)
		memcpy(&device.select, buf, count);
	else
		device.strays++;
	return (ssize_t)count;
}

/* By these names the C library has them where off_t has 64 bits by choice. */
ssize_t __wrap_pread64(int fd, void *buf, size_t count, off_t offset)
	__attribute__((alias("__wrap_pread")));
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t count, off_t offset)
	__attribute__((alias("__wrap_pwrite")));

/* Capabilities: MSI-X, common, another one, window. */
static int
set_up(void **state)
{
	static const uint8_t capabilities[] = { 0x11, COMMON, 0, 0 };
	static const uint8_t common[] = { 0x09, 0x58, 16, 1, 4, 0, 0, 0, 0x00, 0x10, 0, 0 };
	static const uint8_t isr[] = { 0x09, WINDOW, 16, 3, 4 };
	static const uint8_t window[] = { 0x09, 0, 20, 5 };

	(void)state;
	memset(&device, 0, sizeof(device));
	device.config[0x34] = 0x40;
	memcpy(device.config + 0x40, capabilities, sizeof(capabilities));
	memcpy(device.config + COMMON, common, sizeof(common));
	memcpy(device.config + 0x58, isr, sizeof(isr));
	memcpy(device.config + WINDOW, window, sizeof(window));
	return 0;
}

static void
test_offered(void **state)
{
	(void)state;
	device.features = 1ull << 33 | 1;
	assert_int_equal(ioasid_virtio_access_platform(3, 0), 1);
	device.features = ~(1ull << 33);
	assert_int_equal(ioasid_virtio_access_platform(3, 0), 0);
	assert_int_equal(device.strays, 0);
}

static void
test_vfio_region(void **state)
{
	(void)state;
	device.at = REGION;
	device.features = 1ull << 33;
	assert_int_equal(ioasid_virtio_access_platform(3, REGION), 1);
	assert_int_equal(device.strays, 0);
}

/* A legacy device has 32 feature bits. */
static void
test_legacy(void **state)
{
	(void)state;
	device.config[0x41] = 0;
	assert_int_equal(ioasid_virtio_access_platform(3, 0), 0);
	device.config[0x34] = 0;
	assert_int_equal(ioasid_virtio_access_platform(3, 0), 0);
}

/* What cannot be asked is no "no". */
static void
test_unknown(void **state)
{
	(void)state;
	device.config[0x59] = 0;
	assert_int_equal(ioasid_virtio_access_platform(3, 0), -ENOTSUP);
	device.error = EACCES;
	assert_int_equal(ioasid_virtio_access_platform(3, 0), -EACCES);
	device.error = 0;
	device.at = REGION;
	assert_int_equal(ioasid_virtio_access_platform(3, 0), -EIO);
}

/* A list that never ends. */
static void
test_loop(void **state)
{
	(void)state;
	device.config[WINDOW + 1] = 0x40;
	device.features = 1ull << 33;
	assert_int_equal(ioasid_virtio_access_platform(3, 0), 1);
}

static void
test_ids(void **state)
{
	(void)state;
	assert_true(
		ioasid_is_virtio(&(struct ioasid_member){ .vendor = 0x1af4, .device = 0x1000 }));
	assert_true(
		ioasid_is_virtio(&(struct ioasid_member){ .vendor = 0x1af4, .device = 0x1041 }));
	assert_false(ioasid_is_virtio(&(struct ioasid_member){
		.vendor = 0x1af4, .device = 0x1100 })); /* QEMU's, and not virtio */
	assert_false(
		ioasid_is_virtio(&(struct ioasid_member){ .vendor = 0x8086, .device = 0x1041 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_offered, set_up),
		cmocka_unit_test_setup(test_vfio_region, set_up),
		cmocka_unit_test_setup(test_legacy, set_up),
		cmocka_unit_test_setup(test_unknown, set_up),
		cmocka_unit_test_setup(test_loop, set_up),
		cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
