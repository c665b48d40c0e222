/* SPDX-License-Identifier: BSD-3-Clause */

/* The fake kernel's iommufd: objects, areas, reserved IOVAs, attachment of groups. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_internal.h"
#include "kernel_abi.h"

/* The page size of the IOMMU, and so the alignment of IOVAs once it is in use. */
#define IOMMU_PAGE FAKE_PAGE

static unsigned int n_iommufds, n_ioases, n_areas;
static uint64_t pinned;

/* The kernel's memory is its own: not of calloc(), which test_faults.c makes fail. */
static void *
zalloc(size_t size)
{
	void *p;

	if (posix_memalign(&p, sizeof(void *), size) != 0)
		fake_die("out of memory");
	return memset(p, 0, size);
}

int
copy_struct(void *to, size_t size, size_t min, const void *from)
{
	const unsigned char *bytes = from;
	uint32_t given;

	memcpy(&given, from, sizeof(given));
	if (given < min)
		return -EINVAL;
	for (size_t i = size; i < given; i++)
		if (bytes[i] != 0)
			return -E2BIG;
	memset(to, 0, size);
	memcpy(to, from, given < size ? given : size);
	return 0;
}

uint32_t
iommufd_take_id(struct iommufd *ctx)
{
	for (uint32_t id = 1; id < FAKE_IDS; id++) {
		if (ctx->used[id])
			continue;
		ctx->used[id] = true;
		return id;
	}
	fake_die("more than %d objects in one iommufd", FAKE_IDS - 1);
}

void
iommufd_put_id(struct iommufd *ctx, uint32_t id)
{
	ctx->used[id] = false;
}

struct ioas *
iommufd_find(struct iommufd *ctx, uint32_t id)
{
	struct ioas *ioas;

	LIST_FOREACH(ioas, &ctx->ioases, entry)
		if (ioas->id == id)
			return ioas;
	return NULL;
}

static bool
has_domain(const struct ioas *ioas)
{
	return ioas->domain_id != 0;
}

/* Areas */

static uint64_t
area_length(const struct area *area)
{
	return area->last - area->iova + 1;
}

/* The first area that touches a range, in order of IOVA. */
static struct area *
area_first(const struct ioas *ioas, uint64_t start, uint64_t last)
{
	struct area *area;

	TAILQ_FOREACH(area, &ioas->areas, entry)
		if (area->iova <= last && area->last >= start)
			return area;
	return NULL;
}

/* Pinning happens when there is a page table; the limit is the user's, not the IOAS's. */
static int
area_pin(const struct area *area)
{
	uint64_t va_last = area->va + (area->last - area->iova);

	if (area->fd >= 0) {
		if (area->fd != fake_machine.file || va_last >= fake_machine.file_size)
			return -EINVAL;
	} else if (fake_machine.bad_va != 0 && area->va < fake_machine.bad_va + FAKE_PAGE &&
		   va_last >= fake_machine.bad_va)
		return -EFAULT;
	if (area_length(area) > fake_machine.memlock ||
	    pinned > fake_machine.memlock - area_length(area))
		return -ENOMEM;
	pinned += area_length(area);
	return 0;
}

static void
area_unpin(const struct area *area)
{
	pinned -= area_length(area);
}

static void
area_insert(struct ioas *ioas, const struct area *from)
{
	struct area *area = zalloc(sizeof(*area)), *after = NULL, *next;

	*area = *from;
	TAILQ_FOREACH(next, &ioas->areas, entry) {
		if (next->iova > area->iova)
			break;
		after = next;
	}
	if (after != NULL)
		TAILQ_INSERT_AFTER(&ioas->areas, after, area, entry);
	else
		TAILQ_INSERT_HEAD(&ioas->areas, area, entry);
	n_areas++;
}

static void
area_remove(struct ioas *ioas, struct area *area)
{
	if (has_domain(ioas))
		area_unpin(area);
	TAILQ_REMOVE(&ioas->areas, area, entry);
	free(area);
	n_areas--;
}

/* Reserved IOVAs */

static bool
is_reserved(const struct ioas *ioas, uint64_t start, uint64_t last)
{
	struct reserved *r;

	LIST_FOREACH(r, &ioas->reserved, entry)
		if (r->start <= last && r->last >= start)
			return true;
	return false;
}

/* Whether it touches what was promised to stay usable. */
static bool
is_allowed(const struct ioas *ioas, uint64_t start, uint64_t last)
{
	for (unsigned int i = 0; i < ioas->nallowed; i++)
		if (ioas->allowed[i].start <= last && ioas->allowed[i].last >= start)
			return true;
	return false;
}

static int
reserve(struct ioas *ioas, uint64_t start, uint64_t last, const void *owner)
{
	struct reserved *r;

	if (area_first(ioas, start, last) != NULL || is_allowed(ioas, start, last))
		return -EADDRINUSE;
	r = zalloc(sizeof(*r));
	r->start = start;
	r->last = last;
	r->owner = owner;
	LIST_INSERT_HEAD(&ioas->reserved, r, entry);
	return 0;
}

static void
unreserve(struct ioas *ioas, const void *owner)
{
	struct reserved *r, *next;

	for (r = LIST_FIRST(&ioas->reserved); r != NULL; r = next) {
		next = LIST_NEXT(r, entry);
		if (r->owner != owner)
			continue;
		LIST_REMOVE(r, entry);
		free(r);
	}
}

/* Only this device's regions: those of the group's other members are not looked at. */
static int
reserve_device(struct ioas *ioas, const struct device *dev)
{
	const struct fake_reserved *r = dev->pci.reserved;
	int ret;

	for (unsigned int i = 0; i < 3 && r[i].type != NULL; i++) {
		if (strcmp(r[i].type, "direct-relaxable") == 0)
			continue;
		ret = reserve(ioas, r[i].start, r[i].last, dev);
		if (ret < 0) {
			unreserve(ioas, dev);
			return ret;
		}
	}
	return 0;
}

/* Page tables: one an IOAS, there as long as a device is attached */

static int
check_alignment(const struct ioas *ioas)
{
	struct area *area;

	TAILQ_FOREACH(area, &ioas->areas, entry)
		if ((area->iova | area_length(area) | area->va) & (IOMMU_PAGE - 1))
			return -EADDRINUSE;
	return 0;
}

static int
pin_all(struct ioas *ioas)
{
	struct area *area, *undo;
	int ret;

	TAILQ_FOREACH(area, &ioas->areas, entry) {
		ret = area_pin(area);
		if (ret == 0)
			continue;
		TAILQ_FOREACH(undo, &ioas->areas, entry) {
			if (undo == area)
				break;
			area_unpin(undo);
		}
		return ret;
	}
	return 0;
}

static int
domain_create(struct iommufd *ctx, struct ioas *ioas)
{
	int ret;

	if (has_domain(ioas))
		return 0;
	ret = check_alignment(ioas);
	if (ret < 0)
		return ret;
	if (fake_machine.aperture_last != UINT64_MAX) {
		ret = reserve(ioas, fake_machine.aperture_last + 1, UINT64_MAX, ioas);
		if (ret < 0)
			return ret;
	}
	ret = pin_all(ioas);
	if (ret < 0) {
		unreserve(ioas, ioas);
		return ret;
	}
	ioas->domain_id = iommufd_take_id(ctx);
	return 0;
}

static void
domain_destroy_if_unused(struct iommufd *ctx, struct ioas *ioas)
{
	struct area *area;

	if (ioas->attached > 0)
		return;
	unreserve(ioas, ioas);
	iommufd_put_id(ctx, ioas->domain_id);
	ioas->domain_id = 0;
	TAILQ_FOREACH(area, &ioas->areas, entry)
		area_unpin(area);
}

/* Attachment */

static bool
is_attached_sibling(const struct device *dev, const struct device *other)
{
	return other->ioas != NULL && other->iommufd == dev->iommufd &&
	       other->pci.group == dev->pci.group;
}

/* The page table of the whole group, as it is. */
static struct ioas *
group_ioas(const struct device *dev)
{
	for (unsigned int i = 0; i < fake_ndevices; i++)
		if (is_attached_sibling(dev, &fake_devices[i]))
			return fake_devices[i].ioas;
	return NULL;
}

static int
attach_first(struct device *dev, struct ioas *ioas)
{
	struct ioas *of_group = group_ioas(dev);
	int ret;

	if (of_group != NULL && of_group != ioas)
		return -EINVAL;
	ret = reserve_device(ioas, dev);
	if (ret < 0)
		return ret;
	ret = domain_create(dev->iommufd, ioas);
	if (ret < 0) {
		unreserve(ioas, dev);
		return ret;
	}
	dev->ioas = ioas;
	ioas->attached++;
	return 0;
}

static void
unreserve_group(const struct device *dev, struct ioas *ioas)
{
	for (unsigned int i = 0; i < fake_ndevices; i++)
		if (is_attached_sibling(dev, &fake_devices[i]))
			unreserve(ioas, &fake_devices[i]);
}

static int
reserve_group(const struct device *dev, struct ioas *ioas)
{
	int ret = 0;

	for (unsigned int i = 0; i < fake_ndevices && ret == 0; i++)
		if (is_attached_sibling(dev, &fake_devices[i]))
			ret = reserve_device(ioas, &fake_devices[i]);
	if (ret < 0)
		unreserve_group(dev, ioas);
	return ret;
}

/* A device that is attached takes its whole group along; the old table stays on failure. */
static int
replace(struct device *dev, struct ioas *ioas)
{
	struct ioas *old = dev->ioas;
	int ret;

	if (old == ioas)
		return 0;
	ret = reserve_group(dev, ioas);
	if (ret < 0)
		return ret;
	ret = domain_create(dev->iommufd, ioas);
	if (ret < 0) {
		unreserve_group(dev, ioas);
		return ret;
	}
	unreserve_group(dev, old);
	for (unsigned int i = 0; i < fake_ndevices; i++) {
		if (!is_attached_sibling(dev, &fake_devices[i]))
			continue;
		fake_devices[i].ioas = ioas;
		ioas->attached++;
		old->attached--;
	}
	domain_destroy_if_unused(dev->iommufd, old);
	return 0;
}

int
iommufd_attach(struct device *dev, uint32_t pt_id, uint32_t *out_pt_id)
{
	struct ioas *ioas = iommufd_find(dev->iommufd, pt_id);
	int ret;

	if (ioas == NULL)
		return pt_id < FAKE_IDS && dev->iommufd->used[pt_id] ? -EINVAL : -ENOENT;
	ret = dev->ioas != NULL ? replace(dev, ioas) : attach_first(dev, ioas);
	if (ret == 0)
		*out_pt_id = ioas->domain_id;
	return ret;
}

void
iommufd_detach(struct device *dev)
{
	struct ioas *ioas = dev->ioas;

	if (ioas == NULL)
		return;
	dev->ioas = NULL;
	ioas->attached--;
	unreserve(ioas, dev);
	domain_destroy_if_unused(dev->iommufd, ioas);
}

/* ioctls */

static int
ioas_alloc(struct iommufd *ctx, void *arg)
{
	struct kabi_ioas_alloc cmd;
	struct ioas *ioas;
	int ret = copy_struct(&cmd, sizeof(cmd), sizeof(cmd), arg);

	if (ret < 0)
		return ret;
	if (cmd.flags != 0)
		return -EOPNOTSUPP;
	ioas = zalloc(sizeof(*ioas));
	ioas->id = iommufd_take_id(ctx);
	TAILQ_INIT(&ioas->areas);
	LIST_INIT(&ioas->reserved);
	LIST_INSERT_HEAD(&ctx->ioases, ioas, entry);
	n_ioases++;
	((struct kabi_ioas_alloc *)arg)->out_ioas_id = ioas->id;
	return 0;
}

static void
ioas_destroy(struct iommufd *ctx, struct ioas *ioas)
{
	struct area *area;

	while ((area = TAILQ_FIRST(&ioas->areas)) != NULL)
		area_remove(ioas, area);
	LIST_REMOVE(ioas, entry);
	if (ctx->compat == ioas->id)
		ctx->compat = 0;
	iommufd_put_id(ctx, ioas->id);
	free(ioas);
	n_ioases--;
}

static int
destroy(struct iommufd *ctx, void *arg)
{
	struct kabi_destroy cmd;
	struct ioas *ioas;
	int ret = copy_struct(&cmd, sizeof(cmd), sizeof(cmd), arg);

	if (ret < 0)
		return ret;
	if (cmd.id >= FAKE_IDS || !ctx->used[cmd.id])
		return -ENOENT;
	ioas = iommufd_find(ctx, cmd.id);
	/* A bound device has a user, and so has a page table that devices are on. */
	if (ioas == NULL || has_domain(ioas))
		return -EBUSY;
	ioas_destroy(ctx, ioas);
	return 0;
}

static int
check_iova(const struct ioas *ioas, const struct area *area)
{
	uint64_t align = has_domain(ioas) ? IOMMU_PAGE : 1;

	if ((area_length(area) | area->iova) & (align - 1))
		return -EINVAL;
	if (is_reserved(ioas, area->iova, area->last))
		return -EINVAL;
	if (area_first(ioas, area->iova, area->last) != NULL)
		return -EEXIST;
	return area->va & (align - 1) ? -EINVAL : 0;
}

/* The checks that MAP and MAP_FILE have in common, in this order. */
static int
check_map(struct iommufd *ctx, const struct kabi_map *cmd, struct ioas **ioas)
{
	if (cmd->flags & ~(KABI_MAP_FIXED_IOVA | KABI_MAP_WRITEABLE | KABI_MAP_READABLE) ||
	    cmd->reserved != 0)
		return -EOPNOTSUPP;
	if (cmd->iova == UINT64_MAX || cmd->length == UINT64_MAX)
		return -EOVERFLOW;
	if (!(cmd->flags & (KABI_MAP_WRITEABLE | KABI_MAP_READABLE)))
		return -EINVAL;
	*ioas = iommufd_find(ctx, cmd->ioas_id);
	if (*ioas == NULL)
		return -ENOENT;
	return cmd->flags & KABI_MAP_FIXED_IOVA ? 0 : -ENOSPC;
}

static int
add_area(struct ioas *ioas, const struct kabi_map *cmd, int fd)
{
	struct area area = { .iova = cmd->iova, .va = cmd->user_va, .fd = fd, .flags = cmd->flags };
	int ret;

	if (cmd->length == 0)
		return -EINVAL;
	if (__builtin_add_overflow(cmd->iova, cmd->length - 1, &area.last))
		return -EOVERFLOW;
	ret = check_iova(ioas, &area);
	if (ret == 0 && has_domain(ioas))
		ret = area_pin(&area);
	if (ret == 0)
		area_insert(ioas, &area);
	return ret;
}

static int
ioas_map(struct iommufd *ctx, void *arg)
{
	struct kabi_map cmd;
	struct ioas *ioas;
	uint64_t end;
	int ret = copy_struct(&cmd, sizeof(cmd), sizeof(cmd), arg);

	if (ret == 0)
		ret = check_map(ctx, &cmd, &ioas);
	if (ret < 0)
		return ret;
	if (__builtin_add_overflow(cmd.user_va, cmd.length, &end))
		return -EOVERFLOW;
	return add_area(ioas, &cmd, -1);
}

/* Whether the file is of a kind that has pages to pin is not looked at before that. */
static int
ioas_map_file(struct iommufd *ctx, void *arg)
{
	struct kabi_map_file cmd;
	struct kabi_map map;
	struct ioas *ioas;
	uint64_t last;
	int ret = copy_struct(&cmd, sizeof(cmd), sizeof(cmd), arg);

	if (ret < 0)
		return ret;
	map = (struct kabi_map){
		.flags = cmd.flags,
		.ioas_id = cmd.ioas_id,
		.user_va = cmd.start,
		.length = cmd.length,
		.iova = cmd.iova,
	};
	ret = check_map(ctx, &map, &ioas);
	if (ret < 0)
		return ret;
	if (cmd.length > 0 && __builtin_add_overflow(cmd.start, cmd.length - 1, &last))
		return -EOVERFLOW;
	if (cmd.fd <= 0 || (cmd.fd != fake_machine.file && cmd.fd != fake_machine.text_file))
		return -EBADF;
	return add_area(ioas, &map, cmd.fd);
}

/* What comes before an area that the range cuts is gone by then. */
static int
unmap_range(struct ioas *ioas, uint64_t start, uint64_t last, uint64_t *unmapped)
{
	struct area *area;

	*unmapped = 0;
	while ((area = area_first(ioas, start, last)) != NULL) {
		uint64_t area_last = area->last;

		if (area->iova < start || area_last > last)
			return -ENOENT;
		*unmapped += area_length(area);
		area_remove(ioas, area);
		if (area_last >= last)
			break;
		start = area_last + 1;
	}
	return 0;
}

static int
ioas_unmap(struct iommufd *ctx, void *arg)
{
	struct kabi_unmap cmd;
	struct ioas *ioas;
	uint64_t last, unmapped;
	int ret = copy_struct(&cmd, sizeof(cmd), sizeof(cmd), arg);

	if (ret < 0)
		return ret;
	ioas = iommufd_find(ctx, cmd.ioas_id);
	if (ioas == NULL)
		return -ENOENT;
	if (cmd.iova == 0 && cmd.length == UINT64_MAX) {
		ret = unmap_range(ioas, 0, UINT64_MAX, &unmapped);
	} else {
		if (cmd.iova == UINT64_MAX || cmd.length == UINT64_MAX)
			return -EOVERFLOW;
		if (cmd.length == 0)
			return -EINVAL;
		if (__builtin_add_overflow(cmd.iova, cmd.length - 1, &last))
			return -EOVERFLOW;
		ret = unmap_range(ioas, cmd.iova, last, &unmapped);
		if (ret == 0 && unmapped == 0)
			ret = -ENOENT;
	}
	if (ret == 0)
		((struct kabi_unmap *)arg)->length = unmapped;
	return ret;
}

/* The reserved range that covers an IOVA and reaches farthest; NULL: it is free. */
static const struct reserved *
covering(const struct ioas *ioas, uint64_t iova)
{
	const struct reserved *r, *best = NULL;

	LIST_FOREACH(r, &ioas->reserved, entry)
		if (r->start <= iova && r->last >= iova && (best == NULL || r->last > best->last))
			best = r;
	return best;
}

static uint64_t
hole_last(const struct ioas *ioas, uint64_t start)
{
	const struct reserved *r;
	uint64_t last = UINT64_MAX;

	LIST_FOREACH(r, &ioas->reserved, entry)
		if (r->start > start && r->start - 1 < last)
			last = r->start - 1;
	return last;
}

/* The IOVAs that are not reserved; returns how many ranges, also of those without room. */
static uint32_t
find_holes(const struct ioas *ioas, struct kabi_iova_range *ranges, uint32_t room)
{
	const struct reserved *r;
	uint64_t iova = 0, last;
	uint32_t n = 0;

	for (;; iova = last + 1) {
		r = covering(ioas, iova);
		last = r != NULL ? r->last : hole_last(ioas, iova);
		if (r == NULL) {
			if (n < room)
				ranges[n] = (struct kabi_iova_range){ .start = iova, .last = last };
			n++;
		}
		if (last == UINT64_MAX)
			return n;
	}
}

static int
ioas_iova_ranges(struct iommufd *ctx, void *arg)
{
	struct kabi_iova_ranges cmd, *user = arg;
	struct ioas *ioas;
	int ret = copy_struct(&cmd, sizeof(cmd), sizeof(cmd), arg);

	if (ret < 0)
		return ret;
	if (cmd.reserved != 0)
		return -EOPNOTSUPP;
	ioas = iommufd_find(ctx, cmd.ioas_id);
	if (ioas == NULL)
		return -ENOENT;
	/* A driver that finishes its page table at attach knows nothing before. */
	if (fake_machine.late_table && !has_domain(ioas)) {
		user->num_iovas = 1;
		if (cmd.num_iovas > 0)
			*(struct kabi_iova_range *)(uintptr_t)cmd.allowed_iovas =
				(struct kabi_iova_range){ 0 };
		return cmd.num_iovas > 0 ? 0 : -EMSGSIZE;
	}
	user->num_iovas = find_holes(ioas, (void *)(uintptr_t)cmd.allowed_iovas, cmd.num_iovas);
	user->out_iova_alignment = has_domain(ioas) ? IOMMU_PAGE : 1;
	return user->num_iovas > cmd.num_iovas ? -EMSGSIZE : 0;
}

static int
vfio_ioas(struct iommufd *ctx, void *arg)
{
	struct kabi_vfio_ioas cmd;
	int ret = copy_struct(&cmd, sizeof(cmd), sizeof(cmd), arg);

	if (ret < 0)
		return ret;
	if (cmd.reserved != 0 || cmd.op != KABI_VFIO_IOAS_SET)
		return -EOPNOTSUPP;
	if (iommufd_find(ctx, cmd.ioas_id) == NULL)
		return -ENOENT;
	ctx->compat = cmd.ioas_id;
	return 0;
}

static int
ioas_allow_iovas(struct iommufd *ctx, void *arg)
{
	struct kabi_allow_iovas cmd;
	struct ioas *ioas, new = { 0 };
	int ret = copy_struct(&cmd, sizeof(cmd), sizeof(cmd), arg);

	if (ret < 0)
		return ret;
	if (cmd.reserved != 0)
		return -EOPNOTSUPP;
	ioas = iommufd_find(ctx, cmd.ioas_id);
	if (ioas == NULL)
		return -ENOENT;
	if (cmd.num_iovas > 4)
		fake_die("more than 4 allowed ranges");
	for (uint32_t i = 0; i < cmd.num_iovas; i++) {
		const struct kabi_iova_range *r = (void *)(uintptr_t)cmd.allowed_iovas;

		if (r[i].start >= r[i].last || is_allowed(&new, r[i].start, r[i].last))
			return -EINVAL;
		new.allowed[new.nallowed++] =
			(struct fake_reserved){ .start = r[i].start, .last = r[i].last };
	}
	for (uint32_t i = 0; i < new.nallowed; i++)
		if (is_reserved(ioas, new.allowed[i].start, new.allowed[i].last))
			return -EADDRINUSE;
	memcpy(ioas->allowed, new.allowed, sizeof(ioas->allowed));
	ioas->nallowed = new.nallowed;
	return 0;
}

int
iommufd_ioctl(struct iommufd *ctx, unsigned long request, void *arg)
{
	switch (request) {
	case KABI_DESTROY:
		return destroy(ctx, arg);
	case KABI_IOAS_ALLOC:
		return ioas_alloc(ctx, arg);
	case KABI_ALLOW_IOVAS:
		return ioas_allow_iovas(ctx, arg);
	case KABI_IOVA_RANGES:
		return ioas_iova_ranges(ctx, arg);
	case KABI_MAP:
		return ioas_map(ctx, arg);
	case KABI_MAP_FILE:
		return fake_machine.no_map_file ? -ENOTTY : ioas_map_file(ctx, arg);
	case KABI_UNMAP:
		return ioas_unmap(ctx, arg);
	case KABI_VFIO_IOAS:
		return vfio_ioas(ctx, arg);
	default:
		return -ENOTTY;
	}
}

/* Lifetime */

struct iommufd *
iommufd_new(void)
{
	struct iommufd *ctx = zalloc(sizeof(*ctx));

	ctx->refs = 1;
	LIST_INIT(&ctx->ioases);
	n_iommufds++;
	return ctx;
}

/* A bound device keeps the maps alive after the file is closed. */
void
iommufd_put(struct iommufd *ctx)
{
	struct ioas *ioas;

	if (--ctx->refs > 0)
		return;
	while ((ioas = LIST_FIRST(&ctx->ioases)) != NULL)
		ioas_destroy(ctx, ioas);
	free(ctx);
	n_iommufds--;
}

unsigned int
iommufd_left(void)
{
	return n_iommufds + n_ioases + n_areas + (pinned > 0);
}

void
iommufd_print_left(void)
{
	fprintf(stderr, "%u iommufds, %u IOASes, %u areas, %" PRIu64 " bytes pinned\n", n_iommufds,
		n_ioases, n_areas, pinned);
}

void
iommufd_forget(void)
{
	n_iommufds = n_ioases = n_areas = 0;
	pinned = 0;
}

uint64_t
iommufd_pinned(void)
{
	return pinned;
}
