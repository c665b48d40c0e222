/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * kernel_abi.h against literal numbers, always, and against the kernel's own headers,
 * where they are installed and new enough (the build looks for them).
 */

#include <linux/ioctl.h>

#include "test.h"

#ifdef HAVE_LINUX_IOMMUFD
#include <linux/iommufd.h>
#endif
#ifdef HAVE_LINUX_VFIO_CDEV
#include <linux/vfio.h>
#endif

/* Literal numbers */

static const struct {
	unsigned long request;
	unsigned int nr;
	const char *name;
} requests[] = {
	{ KABI_DESTROY, 0x80, "DESTROY" },
	{ KABI_IOAS_ALLOC, 0x81, "IOAS_ALLOC" },
	{ KABI_ALLOW_IOVAS, 0x82, "ALLOW_IOVAS" },
	{ KABI_IOVA_RANGES, 0x84, "IOVA_RANGES" },
	{ KABI_MAP, 0x85, "MAP" },
	{ KABI_UNMAP, 0x86, "UNMAP" },
	{ KABI_FEATURE, 100 + 17, "FEATURE" },
	{ KABI_VFIO_IOAS, 0x88, "VFIO_IOAS" },
	{ KABI_MAP_FILE, 0x8f, "MAP_FILE" },
	{ KABI_BIND, 100 + 18, "BIND" },
	{ KABI_ATTACH, 100 + 19, "ATTACH" },
	{ KABI_DETACH, 100 + 20, "DETACH" },
};

static void
requests_have_their_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		print_message("%s\n", requests[i].name);
		CHECK_EQ(_IOC_TYPE(requests[i].request), 0x3b);
		CHECK_EQ(_IOC_NR(requests[i].request), requests[i].nr);
		CHECK_EQ(_IOC_SIZE(requests[i].request), 0);
		CHECK_EQ(_IOC_DIR(requests[i].request), _IOC_NONE);
#if defined(__x86_64__) || defined(__aarch64__)
		CHECK_EQ(requests[i].request, 0x3b00 + requests[i].nr);
#endif
	}
}

static void
structs_have_their_sizes(void **state)
{
	(void)state;
	CHECK_EQ(sizeof(struct kabi_destroy), 8);
	CHECK_EQ(sizeof(struct kabi_ioas_alloc), 12);
	CHECK_EQ(sizeof(struct kabi_iova_range), 16);
	CHECK_EQ(sizeof(struct kabi_iova_ranges), 32);
	CHECK_EQ(sizeof(struct kabi_allow_iovas), 24);
	CHECK_EQ(sizeof(struct kabi_map), 40);
	CHECK_EQ(sizeof(struct kabi_map_file), 40);
	CHECK_EQ(sizeof(struct kabi_unmap), 24);
	CHECK_EQ(sizeof(struct kabi_vfio_ioas), 12);
	/* As of Linux 6.6; later ones are longer, and take these. */
	CHECK_EQ(sizeof(struct kabi_bind), 16);
	CHECK_EQ(sizeof(struct kabi_bind_token), 24);
	CHECK_EQ(sizeof(struct kabi_feature_token), 24);
	CHECK_EQ(sizeof(struct kabi_attach), 12);
	CHECK_EQ(sizeof(struct kabi_detach), 8);
}

static void
fields_have_their_places(void **state)
{
	(void)state;
	CHECK_EQ(offsetof(struct kabi_destroy, id), 4);
	CHECK_EQ(offsetof(struct kabi_ioas_alloc, flags), 4);
	CHECK_EQ(offsetof(struct kabi_ioas_alloc, out_ioas_id), 8);
	CHECK_EQ(offsetof(struct kabi_iova_range, last), 8);
	CHECK_EQ(offsetof(struct kabi_iova_ranges, ioas_id), 4);
	CHECK_EQ(offsetof(struct kabi_iova_ranges, num_iovas), 8);
	CHECK_EQ(offsetof(struct kabi_iova_ranges, allowed_iovas), 16);
	CHECK_EQ(offsetof(struct kabi_iova_ranges, out_iova_alignment), 24);
	CHECK_EQ(offsetof(struct kabi_allow_iovas, ioas_id), 4);
	CHECK_EQ(offsetof(struct kabi_allow_iovas, num_iovas), 8);
	CHECK_EQ(offsetof(struct kabi_allow_iovas, allowed_iovas), 16);
	CHECK_EQ(offsetof(struct kabi_map, flags), 4);
	CHECK_EQ(offsetof(struct kabi_map, ioas_id), 8);
	CHECK_EQ(offsetof(struct kabi_map, user_va), 16);
	CHECK_EQ(offsetof(struct kabi_map, length), 24);
	CHECK_EQ(offsetof(struct kabi_map, iova), 32);
	CHECK_EQ(offsetof(struct kabi_map_file, flags), 4);
	CHECK_EQ(offsetof(struct kabi_map_file, ioas_id), 8);
	CHECK_EQ(offsetof(struct kabi_map_file, fd), 12);
	CHECK_EQ(offsetof(struct kabi_map_file, start), 16);
	CHECK_EQ(offsetof(struct kabi_map_file, length), 24);
	CHECK_EQ(offsetof(struct kabi_map_file, iova), 32);
	CHECK_EQ(offsetof(struct kabi_unmap, ioas_id), 4);
	CHECK_EQ(offsetof(struct kabi_unmap, iova), 8);
	CHECK_EQ(offsetof(struct kabi_unmap, length), 16);
	CHECK_EQ(offsetof(struct kabi_vfio_ioas, ioas_id), 4);
	CHECK_EQ(offsetof(struct kabi_vfio_ioas, op), 8);
	CHECK_EQ(offsetof(struct kabi_bind, flags), 4);
	CHECK_EQ(offsetof(struct kabi_bind, iommufd), 8);
	CHECK_EQ(offsetof(struct kabi_bind, out_devid), 12);
	CHECK_EQ(offsetof(struct kabi_bind_token, token_uuid_ptr), 16);
	CHECK_EQ(KABI_BIND_TOKEN, 1);
	CHECK_EQ(offsetof(struct kabi_feature_token, flags), 4);
	CHECK_EQ(offsetof(struct kabi_feature_token, uuid), 8);
	CHECK_EQ(KABI_FEATURE_SET_VF_TOKEN, 1 << 17);
	CHECK_EQ(offsetof(struct kabi_attach, flags), 4);
	CHECK_EQ(offsetof(struct kabi_attach, pt_id), 8);
	CHECK_EQ(offsetof(struct kabi_detach, flags), 4);
	CHECK_EQ(KABI_MAP_FIXED_IOVA, 1);
	CHECK_EQ(KABI_MAP_WRITEABLE, 2);
	CHECK_EQ(KABI_MAP_READABLE, 4);
	CHECK_EQ(KABI_VFIO_IOAS_SET, 1);
}

/* The kernel's headers */

#define SAME(a, b) CHECK_EQ(a, b)
#define SAME_FIELD(ours, theirs, field, their_field)                                               \
	do {                                                                                       \
		SAME(offsetof(struct ours, field), offsetof(struct theirs, their_field));          \
		SAME(sizeof(((struct ours *)0)->field),                                            \
		     sizeof(((struct theirs *)0)->their_field));                                   \
	} while (0)
/* A struct may have grown at its end since. */
#define NOT_LONGER(ours, theirs) CHECK(sizeof(struct ours) <= sizeof(struct theirs))

static void
iommufd_header_agrees(void **state)
{
	(void)state;
#ifdef HAVE_LINUX_IOMMUFD
	SAME(KABI_DESTROY, IOMMU_DESTROY);
	SAME(KABI_IOAS_ALLOC, IOMMU_IOAS_ALLOC);
	SAME(KABI_IOVA_RANGES, IOMMU_IOAS_IOVA_RANGES);
	SAME(KABI_ALLOW_IOVAS, IOMMU_IOAS_ALLOW_IOVAS);
	SAME(KABI_MAP, IOMMU_IOAS_MAP);
	SAME(KABI_UNMAP, IOMMU_IOAS_UNMAP);
	SAME(KABI_MAP_FIXED_IOVA, IOMMU_IOAS_MAP_FIXED_IOVA);
	SAME(KABI_MAP_WRITEABLE, IOMMU_IOAS_MAP_WRITEABLE);
	SAME(KABI_MAP_READABLE, IOMMU_IOAS_MAP_READABLE);
	NOT_LONGER(kabi_destroy, iommu_destroy);
	SAME_FIELD(kabi_destroy, iommu_destroy, size, size);
	SAME_FIELD(kabi_destroy, iommu_destroy, id, id);
	NOT_LONGER(kabi_ioas_alloc, iommu_ioas_alloc);
	SAME_FIELD(kabi_ioas_alloc, iommu_ioas_alloc, size, size);
	SAME_FIELD(kabi_ioas_alloc, iommu_ioas_alloc, flags, flags);
	SAME_FIELD(kabi_ioas_alloc, iommu_ioas_alloc, out_ioas_id, out_ioas_id);
	SAME(sizeof(struct kabi_iova_range), sizeof(struct iommu_iova_range));
	SAME_FIELD(kabi_iova_range, iommu_iova_range, start, start);
	SAME_FIELD(kabi_iova_range, iommu_iova_range, last, last);
	NOT_LONGER(kabi_iova_ranges, iommu_ioas_iova_ranges);
	SAME_FIELD(kabi_iova_ranges, iommu_ioas_iova_ranges, size, size);
	SAME_FIELD(kabi_iova_ranges, iommu_ioas_iova_ranges, ioas_id, ioas_id);
	SAME_FIELD(kabi_iova_ranges, iommu_ioas_iova_ranges, num_iovas, num_iovas);
	SAME_FIELD(kabi_iova_ranges, iommu_ioas_iova_ranges, reserved, __reserved);
	SAME_FIELD(kabi_iova_ranges, iommu_ioas_iova_ranges, allowed_iovas, allowed_iovas);
	SAME_FIELD(kabi_iova_ranges, iommu_ioas_iova_ranges, out_iova_alignment,
		   out_iova_alignment);
	NOT_LONGER(kabi_allow_iovas, iommu_ioas_allow_iovas);
	SAME_FIELD(kabi_allow_iovas, iommu_ioas_allow_iovas, size, size);
	SAME_FIELD(kabi_allow_iovas, iommu_ioas_allow_iovas, ioas_id, ioas_id);
	SAME_FIELD(kabi_allow_iovas, iommu_ioas_allow_iovas, num_iovas, num_iovas);
	SAME_FIELD(kabi_allow_iovas, iommu_ioas_allow_iovas, reserved, __reserved);
	SAME_FIELD(kabi_allow_iovas, iommu_ioas_allow_iovas, allowed_iovas, allowed_iovas);
	NOT_LONGER(kabi_map, iommu_ioas_map);
	SAME_FIELD(kabi_map, iommu_ioas_map, size, size);
	SAME_FIELD(kabi_map, iommu_ioas_map, flags, flags);
	SAME_FIELD(kabi_map, iommu_ioas_map, ioas_id, ioas_id);
	SAME_FIELD(kabi_map, iommu_ioas_map, reserved, __reserved);
	SAME_FIELD(kabi_map, iommu_ioas_map, user_va, user_va);
	SAME_FIELD(kabi_map, iommu_ioas_map, length, length);
	SAME_FIELD(kabi_map, iommu_ioas_map, iova, iova);
#ifdef HAVE_IOMMU_MAP_FILE
	SAME(KABI_MAP_FILE, IOMMU_IOAS_MAP_FILE);
	NOT_LONGER(kabi_map_file, iommu_ioas_map_file);
	SAME_FIELD(kabi_map_file, iommu_ioas_map_file, size, size);
	SAME_FIELD(kabi_map_file, iommu_ioas_map_file, flags, flags);
	SAME_FIELD(kabi_map_file, iommu_ioas_map_file, ioas_id, ioas_id);
	SAME_FIELD(kabi_map_file, iommu_ioas_map_file, fd, fd);
	SAME_FIELD(kabi_map_file, iommu_ioas_map_file, start, start);
	SAME_FIELD(kabi_map_file, iommu_ioas_map_file, length, length);
	SAME_FIELD(kabi_map_file, iommu_ioas_map_file, iova, iova);
#endif
	NOT_LONGER(kabi_unmap, iommu_ioas_unmap);
	SAME_FIELD(kabi_unmap, iommu_ioas_unmap, size, size);
	SAME_FIELD(kabi_unmap, iommu_ioas_unmap, ioas_id, ioas_id);
	SAME_FIELD(kabi_unmap, iommu_ioas_unmap, iova, iova);
	SAME_FIELD(kabi_unmap, iommu_ioas_unmap, length, length);
	SAME(KABI_VFIO_IOAS, IOMMU_VFIO_IOAS);
	SAME(KABI_VFIO_IOAS_SET, IOMMU_VFIO_IOAS_SET);
	NOT_LONGER(kabi_vfio_ioas, iommu_vfio_ioas);
	SAME_FIELD(kabi_vfio_ioas, iommu_vfio_ioas, size, size);
	SAME_FIELD(kabi_vfio_ioas, iommu_vfio_ioas, ioas_id, ioas_id);
	SAME_FIELD(kabi_vfio_ioas, iommu_vfio_ioas, op, op);
	SAME_FIELD(kabi_vfio_ioas, iommu_vfio_ioas, reserved, __reserved);
#else
	print_message("skipped: <linux/iommufd.h> is not installed (Linux 6.2)\n");
	skip();
#endif
}

static void
vfio_header_agrees(void **state)
{
	(void)state;
#ifdef HAVE_LINUX_VFIO_CDEV
	SAME(KABI_BIND, VFIO_DEVICE_BIND_IOMMUFD);
	SAME(KABI_ATTACH, VFIO_DEVICE_ATTACH_IOMMUFD_PT);
	SAME(KABI_DETACH, VFIO_DEVICE_DETACH_IOMMUFD_PT);
	NOT_LONGER(kabi_bind, vfio_device_bind_iommufd);
	SAME_FIELD(kabi_bind, vfio_device_bind_iommufd, argsz, argsz);
	SAME_FIELD(kabi_bind, vfio_device_bind_iommufd, flags, flags);
	SAME_FIELD(kabi_bind, vfio_device_bind_iommufd, iommufd, iommufd);
	SAME_FIELD(kabi_bind, vfio_device_bind_iommufd, out_devid, out_devid);
#ifdef VFIO_DEVICE_BIND_FLAG_TOKEN
	NOT_LONGER(kabi_bind_token, vfio_device_bind_iommufd);
	SAME_FIELD(kabi_bind_token, vfio_device_bind_iommufd, token_uuid_ptr, token_uuid_ptr);
	SAME(KABI_BIND_TOKEN, VFIO_DEVICE_BIND_FLAG_TOKEN);
#endif
	SAME(KABI_FEATURE, VFIO_DEVICE_FEATURE);
	SAME(KABI_FEATURE_SET_VF_TOKEN, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PCI_VF_TOKEN);
	SAME(sizeof(struct kabi_feature_token), sizeof(struct vfio_device_feature) + 16);
	NOT_LONGER(kabi_attach, vfio_device_attach_iommufd_pt);
	SAME_FIELD(kabi_attach, vfio_device_attach_iommufd_pt, argsz, argsz);
	SAME_FIELD(kabi_attach, vfio_device_attach_iommufd_pt, flags, flags);
	SAME_FIELD(kabi_attach, vfio_device_attach_iommufd_pt, pt_id, pt_id);
	NOT_LONGER(kabi_detach, vfio_device_detach_iommufd_pt);
	SAME_FIELD(kabi_detach, vfio_device_detach_iommufd_pt, argsz, argsz);
	SAME_FIELD(kabi_detach, vfio_device_detach_iommufd_pt, flags, flags);
#else
	print_message("skipped: <linux/vfio.h> has no VFIO_DEVICE_BIND_IOMMUFD (Linux 6.6)\n");
	skip();
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_have_their_numbers),
		cmocka_unit_test(structs_have_their_sizes),
		cmocka_unit_test(fields_have_their_places),
		cmocka_unit_test(iommufd_header_agrees),
		cmocka_unit_test(vfio_header_agrees),
	};

	return cmocka_run_group_tests_name("kernel_abi", tests, NULL, NULL);
}
