/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_KERNEL_ABI_H
#define IOASID_KERNEL_ABI_H

/*
 * The part of the kernel's iommufd and VFIO cdev interface that is used here, for
 * systems whose <linux/iommufd.h> and <linux/vfio.h> are older than Linux 6.6 or
 * missing. Names are our own, so that both can be included side by side:
 * app/test/test_kernel_abi.c compares them with the real headers where installed.
 * Source: Documentation/userspace-api/iommufd.rst, Documentation/driver-api/vfio.rst.
 */

#include <stdint.h>
#include <sys/ioctl.h>

#define KABI_IOMMUFD(nr) _IO(';', 0x80 + (nr))
#define KABI_VFIO(nr)    _IO(';', 100 + (nr))

/* On /dev/iommu. Every struct starts with its size. */
#define KABI_DESTROY     KABI_IOMMUFD(0x0)
#define KABI_IOAS_ALLOC  KABI_IOMMUFD(0x1)
#define KABI_ALLOW_IOVAS KABI_IOMMUFD(0x2)
#define KABI_IOVA_RANGES KABI_IOMMUFD(0x4)
#define KABI_MAP         KABI_IOMMUFD(0x5)
#define KABI_UNMAP       KABI_IOMMUFD(0x6)
#define KABI_VFIO_IOAS   KABI_IOMMUFD(0x8)
#define KABI_MAP_FILE    KABI_IOMMUFD(0xf) /* Linux 6.13 */

/* On a VFIO device cdev. */
#define KABI_FEATURE KABI_VFIO(17)
#define KABI_BIND    KABI_VFIO(18)
#define KABI_ATTACH  KABI_VFIO(19)
#define KABI_DETACH  KABI_VFIO(20)

struct kabi_destroy {
	uint32_t size;
	uint32_t id;
};

struct kabi_ioas_alloc {
	uint32_t size;
	uint32_t flags;
	uint32_t out_ioas_id;
};

struct kabi_iova_range {
	uint64_t start;
	uint64_t last;
};

struct kabi_iova_ranges {
	uint32_t size;
	uint32_t ioas_id;
	uint32_t num_iovas;
	uint32_t reserved;
	uint64_t allowed_iovas;
	uint64_t out_iova_alignment;
};

struct kabi_allow_iovas {
	uint32_t size;
	uint32_t ioas_id;
	uint32_t num_iovas;
	uint32_t reserved;
	uint64_t allowed_iovas;
};

#define KABI_MAP_FIXED_IOVA (1u << 0)
#define KABI_MAP_WRITEABLE  (1u << 1)
#define KABI_MAP_READABLE   (1u << 2)

struct kabi_map {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas_id;
	uint32_t reserved;
	uint64_t user_va;
	uint64_t length;
	uint64_t iova;
};

/* Its flags are those of MAP. */
struct kabi_map_file {
	uint32_t size;
	uint32_t flags;
	uint32_t ioas_id;
	int32_t fd;
	uint64_t start;
	uint64_t length;
	uint64_t iova;
};

struct kabi_unmap {
	uint32_t size;
	uint32_t ioas_id;
	uint64_t iova;
	uint64_t length;
};

#define KABI_VFIO_IOAS_SET 1

struct kabi_vfio_ioas {
	uint32_t size;
	uint32_t ioas_id;
	uint16_t op;
	uint16_t reserved;
};

struct kabi_bind {
	uint32_t argsz;
	uint32_t flags;
	int32_t iommufd;
	uint32_t out_devid;
};

/* The same since Linux 6.17, with a pointer to a UUID of 16 bytes. */
struct kabi_bind_token {
	struct kabi_bind bind;
	uint64_t token_uuid_ptr;
};

#define KABI_BIND_TOKEN (1u << 0) /* in flags */

/* Set the VF token of a physical function that is bound. */
struct kabi_feature_token {
	uint32_t argsz;
	uint32_t flags;
	uint8_t uuid[16];
};

#define KABI_FEATURE_SET_VF_TOKEN (1u << 17) /* in flags: SET, and feature 0 */

struct kabi_attach {
	uint32_t argsz;
	uint32_t flags;
	uint32_t pt_id;
};

struct kabi_detach {
	uint32_t argsz;
	uint32_t flags;
};

#endif /* IOASID_KERNEL_ABI_H */
