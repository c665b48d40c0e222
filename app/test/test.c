/* SPDX-License-Identifier: BSD-3-Clause */

#include "test.h"

static void failed(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));

static void
failed(const char *file, int line, const char *fmt, ...)
{
	char text[1536];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_error("%s\n", text);
	_fail(file, line);
	/* _fail() is not declared noreturn in every version. */
	__builtin_unreachable();
}

void
check_true(bool ok, const char *expr, const char *file, int line)
{
	if (!ok)
		failed(file, line, "not so: %s (ioasid_error: \"%s\")", expr, ioasid_error());
}

void
check_eq(uint64_t a, uint64_t b, const char *expr, const char *file, int line)
{
	if (a != b)
		failed(file, line, "not so: %s: 0x%" PRIx64 " and 0x%" PRIx64, expr, a, b);
}

void
check_str(const char *a, const char *b, const char *expr, const char *file, int line)
{
	if (strcmp(a, b) != 0)
		failed(file, line, "not so: %s: \"%s\" and \"%s\"", expr, a, b);
}

void
check_ret(int ret, int want, const char *expr, const char *file, int line)
{
	if (ret != want)
		failed(file, line, "%s: %d (%s), not %d (%s); ioasid_error: \"%s\"", expr, ret,
		       strerror(ret < 0 ? -ret : 0), want, strerror(want < 0 ? -want : 0),
		       ioasid_error());
}

void
check_err(int ret, int err, const char *expr, const char *file, int line)
{
	check_ret(ret, -err, expr, file, line);
	if (ioasid_error()[0] == '\0')
		failed(file, line, "%s: failed without a sentence", expr);
}

void
check_says(const char *text, const char *file, int line)
{
	if (strstr(ioasid_error(), text) == NULL)
		failed(file, line, "the sentence does not say \"%s\": \"%s\"", text,
		       ioasid_error());
}

#define MSI                                                                                        \
	{                                                                                          \
		.start = MSI_START, .last = MSI_LAST, .type = "msi"                                \
	}

const struct fake_pci pci_nic0 = {
	.bdf = NIC0,
	.group = NIC0_GROUP,
	.vendor = 0x8086,
	.device = 0x10c9,
	.class_code = 0x020000,
	.driver = "vfio-pci",
	.reserved = { MSI },
};

const struct fake_pci pci_nic1 = {
	.bdf = NIC1,
	.group = NIC1_GROUP,
	.vendor = 0x8086,
	.device = 0x10d3,
	.class_code = 0x020000,
	.driver = "vfio-pci",
	.reserved = { MSI },
};

const struct fake_pci pci_bridge = {
	.bdf = BRIDGE,
	.group = THE_GROUP,
	.vendor = 0x1b36,
	.device = 0x000e,
	.class_code = 0x060400,
	.header = 1,
	.reserved = { MSI },
};

const struct fake_pci pci_group_nic = {
	.bdf = GROUP_NIC,
	.group = THE_GROUP,
	.vendor = 0x8086,
	.device = 0x100e,
	.class_code = 0x020000,
	.driver = "vfio-pci",
	.reserved = { MSI },
};

const struct fake_pci pci_group_hd = {
	.bdf = GROUP_HD, .group = THE_GROUP, .vendor = 0x1000, .device = 0x0012,
	.class_code = 0x010000, .driver = "vfio-pci",
	.reserved = {
		MSI,
		{ .start = HD_START, .last = HD_LAST, .type = "reserved" },
		{ .start = RELAXABLE_START, .last = RELAXABLE_LAST, .type = "direct-relaxable" },
	},
};

struct ioasid_ctx *ctx;
uint32_t ioas;

int
setup_machine(void **state)
{
	(void)state;
	fake_start();
	fake_plug(&pci_nic0);
	fake_plug(&pci_nic1);
	fake_plug(&pci_bridge);
	fake_plug(&pci_group_nic);
	fake_plug(&pci_group_hd);
	return 0;
}

int
setup_ctx(void **state)
{
	setup_machine(state);
	if (ioasid_open(NULL, NULL, &ctx) == 0 && ioasid_alloc(ctx, &ioas) == 0)
		return 0;
	/* teardown() is not called after a setup that failed. */
	print_error("setup: %s\n", ioasid_error());
	teardown(state);
	return -1;
}

int
teardown(void **state)
{
	(void)state;
	fake_fail_clear();
	ioasid_close(ctx);
	ctx = NULL;
	return fake_stop() == 0 ? 0 : -1;
}

struct ioasid_device *
join(const char *bdf)
{
	struct ioasid_device *dev = NULL;

	CHECK_OK(ioasid_join(ctx, fake_sysfs(), bdf, &dev));
	return dev;
}

struct ioasid_device *
join_implicit(const char *bdf)
{
	const struct ioasid_join_how how = { .flags = IOASID_IMPLICIT_GROUP, .fd = -1 };
	struct ioasid_device *dev = NULL;

	CHECK_OK(ioasid_join_with(ctx, fake_sysfs(), bdf, &how, &dev));
	return dev;
}

void
attach(struct ioasid_device *dev, uint32_t ioasid)
{
	CHECK_OK(ioasid_attach(dev, ioasid));
}

uint32_t
alloc(void)
{
	uint32_t ioasid = 0;

	CHECK_OK(ioasid_alloc(ctx, &ioasid));
	return ioasid;
}

void
map(uint64_t iova, uint64_t length)
{
	CHECK_OK(ioasid_map(ctx, ioas, VA + iova, iova, length, RW));
}

uint64_t
total_mapped(struct ioasid_ctx *of)
{
	struct ioasid_info list[8];
	unsigned int total, n = ioasid_list(of, 0, list, ARRAY_SIZE(list), &total);
	uint64_t bytes = 0;

	CHECK_EQ(n, total);
	for (unsigned int i = 0; i < n; i++)
		bytes += list[i].mapped;
	return bytes;
}
