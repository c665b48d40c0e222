/* SPDX-License-Identifier: BSD-3-Clause */

/* Whether a virtio device does its DMA through the IOMMU: the one feature that matters here. */

#include <errno.h>

#include "ioasid.h"
#include "sys.h"

/* PCI */
#define CAPABILITIES 0x34
#define CAP_VENDOR   0x09
#define CAP_MOST     48 /* in 256 bytes */
/* virtio 1.2, 4.1.4: struct virtio_pci_cap, and behind it the window */
#define CAP_TYPE    3
#define CAP_BAR     4
#define CAP_OFFSET  8
#define CAP_LENGTH  12
#define CAP_WINDOW  16
#define TYPE_COMMON 1
#define TYPE_WINDOW 5
/* 4.1.4.3: struct virtio_pci_common_cfg */
#define FEATURE_SELECT  0
#define FEATURE         4
#define ACCESS_PLATFORM 33

/* Where a configuration space is. */
struct config {
	int fd;
	uint64_t at;
};

bool
ioasid_is_virtio(const struct ioasid_member *m)
{
	return m->vendor == 0x1af4 && m->device >= 0x1000 && m->device <= 0x107f;
}

static int
get(const struct config *c, unsigned int at, void *bytes, size_t size)
{
	const ssize_t n = ioasid_sys->pread(c->fd, bytes, size, c->at + at);

	return n == (ssize_t)size ? 0 : n < 0 ? (int)n : -EIO;
}

static int
put(const struct config *c, unsigned int at, const void *bytes, size_t size)
{
	const ssize_t n = ioasid_sys->pwrite(c->fd, bytes, size, c->at + at);

	return n == (ssize_t)size ? 0 : n < 0 ? (int)n : -EIO;
}

/* Little endian, whatever this processor is. */
static int
get32(const struct config *c, unsigned int at, uint32_t *value)
{
	uint8_t b[4];
	const int ret = get(c, at, b, sizeof(b));

	*value = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
	return ret;
}

static int
put32(const struct config *c, unsigned int at, uint32_t value)
{
	const uint8_t b[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
			       (uint8_t)(value >> 24) };

	return put(c, at, b, sizeof(b));
}

/* Where the two structures are; 0: not there. */
static int
find(const struct config *c, unsigned int *common, unsigned int *window)
{
	uint8_t at, cap[4];
	int ret;

	*common = *window = 0;
	ret = get(c, CAPABILITIES, &at, 1);
	for (unsigned int i = 0; ret == 0 && at >= 0x40 && i < CAP_MOST; i++, at = cap[1]) {
		at &= 0xfc;
		ret = get(c, at, cap, sizeof(cap));
		if (ret < 0 || cap[0] != CAP_VENDOR)
			continue;
		if (cap[CAP_TYPE] == TYPE_COMMON && *common == 0)
			*common = at;
		else if (cap[CAP_TYPE] == TYPE_WINDOW)
			*window = at;
	}
	return ret;
}

/* Point the window at a field of the common structure, four bytes. */
static int
point(const struct config *c, unsigned int common, unsigned int window, uint32_t field)
{
	uint32_t offset;
	uint8_t bar;
	int ret;

	ret = get(c, common + CAP_BAR, &bar, 1);
	if (ret == 0)
		ret = get32(c, common + CAP_OFFSET, &offset);
	if (ret == 0)
		ret = put(c, window + CAP_BAR, &bar, 1);
	if (ret == 0)
		ret = put32(c, window + CAP_OFFSET, offset + field);
	return ret == 0 ? put32(c, window + CAP_LENGTH, 4) : ret;
}

int
ioasid_virtio_access_platform(int fd, uint64_t config)
{
	const struct config c = { fd, config };
	unsigned int common, window;
	uint32_t features = 0;
	int ret;

	ret = find(&c, &common, &window);
	if (ret < 0)
		return ret;
	if (common == 0)
		return 0;
	if (window == 0)
		return -ENOTSUP;
	ret = point(&c, common, window, FEATURE_SELECT);
	if (ret == 0)
		ret = put32(&c, window + CAP_WINDOW, ACCESS_PLATFORM / 32);
	if (ret == 0)
		ret = point(&c, common, window, FEATURE);
	if (ret == 0)
		ret = get32(&c, window + CAP_WINDOW, &features);
	return ret < 0 ? ret : (int)(features >> (ACCESS_PLATFORM % 32) & 1);
}
