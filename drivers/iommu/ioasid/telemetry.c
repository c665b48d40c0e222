/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The commands run in telemetry's own thread, at any time, so all they tell is copied
 * from lib/ioasid first, and no lock of ours is held when telemetry's functions are
 * called.
 *
 * A reply is limited by DPDK (16 KiB; what does not fit is dropped without a word), so
 * lists come in pages: the argument is the index of the first entry, and "total" tells
 * how many there are.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_telemetry.h>
#include <rte_version.h>

#include "device.h"
#include "log.h"
#include "options.h"
#include "space.h"
#include "stock.h"
#include "telemetry.h"
#include "version.h"

/* Entries of a page: of the longest, that many fit into a reply. */
#define PAGE        64
#define PAGE_GROUPS 16
/* Members of a group that are listed. */
#define MEMBERS 16

#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

/* Part of a list, as it was asked for. */
struct page {
	unsigned int first;
	unsigned int total;
	struct rte_tel_data *entries; /* a dictionary */
};

/* The argument of a command: 0 or -EINVAL. */
static int
parse_first(const char *params, unsigned int *first)
{
	unsigned long n;
	char *end;

	*first = 0;
	if (params == NULL || params[0] == '\0')
		return 0;
	if (params[0] < '0' || params[0] > '9')
		return -EINVAL;
	errno = 0;
	n = strtoul(params, &end, 10);
	if (errno != 0 || *end != '\0' || n > UINT32_MAX)
		return -EINVAL;
	*first = (unsigned int)n;
	return 0;
}

static struct rte_tel_data *
new_dict(void)
{
	struct rte_tel_data *d = rte_tel_data_alloc();

	if (d != NULL)
		rte_tel_data_start_dict(d);
	return d;
}

static struct rte_tel_data *
new_strings(void)
{
	struct rte_tel_data *d = rte_tel_data_alloc();

	if (d != NULL)
		rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	return d;
}

/* Put one into another, which owns it from now on, or nobody. */
static void
add_container(struct rte_tel_data *d, const char *name, struct rte_tel_data *inner)
{
	if (inner != NULL && rte_tel_data_add_dict_container(d, name, inner, 0) < 0)
		rte_tel_data_free(inner);
}

/* JSON has no hexadecimal numbers, and readers that know no more than 53 bits. */
static void
add_address(struct rte_tel_data *d, const char *name, uint64_t address)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, address);
	rte_tel_data_add_dict_string(d, name, text);
}

/* A new entry of the page, a dictionary that is to be filled; NULL: out of memory. */
static struct rte_tel_data *
new_entry(struct page *page, const char *name)
{
	struct rte_tel_data *entry = new_dict();

	/* A pointer is stored, so it can be filled afterwards. */
	if (entry != NULL && rte_tel_data_add_dict_container(page->entries, name, entry, 0) < 0) {
		rte_tel_data_free(entry);
		entry = NULL;
	}
	return entry;
}

static struct rte_tel_data *
new_numbered_entry(struct page *page, unsigned int number)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", number);
	return new_entry(page, name);
}

/* A command that lists: get the page, then tell it. */
static int
reply_page(const char *params, struct rte_tel_data *d, const char *name,
	   int (*fill)(struct page *page))
{
	struct page page = { 0 };
	int ret = parse_first(params, &page.first);

	if (ret < 0)
		return ret;
	page.entries = new_dict();
	if (page.entries == NULL)
		return -ENOMEM;
	ret = fill(&page);
	if (ret < 0) {
		rte_tel_data_free(page.entries);
		return ret;
	}
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_uint(d, "total", page.total);
	rte_tel_data_add_dict_uint(d, "first", page.first);
	add_container(d, name, page.entries);
	return 0;
}

/* /ioasid/devices */

static int
fill_devices(struct page *page)
{
	struct ioasid_device_info *list = NULL;
	struct rte_tel_data *entry;
	int ret = 0;

	if (space_hold() != NULL)
		ret = ioasid_list_devices(space_ctx(), &list, &page->total);
	space_unhold();
	for (unsigned int i = page->first; i < page->total && i - page->first < PAGE; i++) {
		entry = new_entry(page, list[i].cdev);
		if (entry == NULL)
			break;
		rte_tel_data_add_dict_string(entry, "bdf", list[i].bdf);
		rte_tel_data_add_dict_uint(entry, "group", list[i].group);
		rte_tel_data_add_dict_uint(entry, "id", list[i].id);
		rte_tel_data_add_dict_uint(entry, "ioasid", list[i].ioasid);
		rte_tel_data_add_dict_string(entry, "state",
					     device_in_use(list[i].bdf) ? "in use" : "only joined");
	}
	free(list);
	return ret;
}

static int
devices(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	return reply_page(params, d, "devices", fill_devices);
}

/* /ioasid/groups */

/* Each member is of one kind. */
enum kind { JOINED, AT_RISK, BRIDGE, KINDS };

static const char *const kind_names[KINDS] = {
	[JOINED] = "joined",
	[AT_RISK] = "at_risk",
	[BRIDGE] = "bridges",
};

struct member {
	enum kind kind;
	char bdf[IOASID_BDF_SIZE];
};

struct group {
	unsigned int number;
	unsigned int nmembers;
	struct member members[MEMBERS];
};

static enum kind
kind_of(const struct ioasid_member *m)
{
	if (m->bridge)
		return BRIDGE;
	return ioasid_is_at_risk(space_ctx(), m) ? AT_RISK : JOINED;
}

static void
copy_group(struct group *copy, const struct ioasid_group *group)
{
	copy->number = group->number;
	copy->nmembers = RTE_MIN(group->nmembers, (unsigned int)MEMBERS);
	for (unsigned int i = 0; i < copy->nmembers; i++) {
		copy->members[i].kind = kind_of(&group->members[i]);
		snprintf(copy->members[i].bdf, IOASID_BDF_SIZE, "%s", group->members[i].bdf);
	}
}

static void
add_members(struct rte_tel_data *entry, const struct group *group, enum kind kind)
{
	struct rte_tel_data *bdfs = new_strings();

	if (bdfs == NULL)
		return;
	for (unsigned int i = 0; i < group->nmembers; i++)
		if (group->members[i].kind == kind)
			rte_tel_data_add_array_string(bdfs, group->members[i].bdf);
	add_container(entry, kind_names[kind], bdfs);
}

/* With the context held: how many of the page there are. */
static int
copy_groups(struct group *copies, struct page *page, unsigned int *count)
{
	struct ioasid_group **list;
	int ret = ioasid_list_groups(space_ctx(), &list, &page->total);

	if (ret < 0)
		return ret;
	for (unsigned int i = page->first; i < page->total && *count < PAGE_GROUPS; i++)
		copy_group(&copies[(*count)++], list[i]);
	ioasid_list_groups_free(list, page->total);
	return 0;
}

static int
fill_groups(struct page *page)
{
	struct group copies[PAGE_GROUPS];
	struct rte_tel_data *entry;
	unsigned int count = 0;
	int ret = 0;

	if (space_hold() != NULL)
		ret = copy_groups(copies, page, &count);
	space_unhold();
	for (unsigned int i = 0; i < count; i++) {
		entry = new_numbered_entry(page, copies[i].number);
		if (entry == NULL)
			break;
		for (enum kind kind = 0; kind < KINDS; kind++)
			add_members(entry, &copies[i], kind);
	}
	return ret;
}

static int
groups(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	return reply_page(params, d, "groups", fill_groups);
}

/* /ioasid/ioasids */

static int
fill_ioasids(struct page *page)
{
	struct ioasid_info *list = NULL;
	struct rte_tel_data *entry;
	uint32_t first_of_all = 0;
	int ret = 0;

	if (space_hold() != NULL) {
		ret = ioasid_list(space_ctx(), &list, &page->total);
		first_of_all = space_default();
	}
	space_unhold();
	for (unsigned int i = page->first; i < page->total && i - page->first < PAGE; i++) {
		entry = new_numbered_entry(page, list[i].ioasid);
		if (entry == NULL)
			break;
		rte_tel_data_add_dict_string(entry, "use",
					     list[i].ioasid == first_of_all ? "DPDK's memory"
									    : "container");
		rte_tel_data_add_dict_uint(entry, "devices", list[i].ndevices);
		rte_tel_data_add_dict_uint(entry, "maps", list[i].nmaps);
		rte_tel_data_add_dict_uint(entry, "mapped_bytes", list[i].mapped);
	}
	free(list);
	return ret;
}

static int
ioasids(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	return reply_page(params, d, "ioasids", fill_ioasids);
}

/* /ioasid/maps: those of the first IOASID, then those of the next */

struct mapping {
	uint32_t ioasid;
	struct ioasid_map map;
};

struct copied_maps {
	unsigned int count;
	struct mapping mappings[PAGE];
};

/* As many maps of one IOASID as there is room for, from an index in it. */
static void
copy_maps_of(uint32_t ioasid, unsigned int first, struct copied_maps *copied)
{
	struct ioasid_map maps[PAGE];
	unsigned int count = PAGE - copied->count;

	/* One that has gone since it was listed has none. */
	ioasid_list_maps(space_ctx(), ioasid, first, maps, &count);
	for (unsigned int i = 0; i < count; i++)
		copied->mappings[copied->count++] = (struct mapping){ ioasid, maps[i] };
}

static int
copy_maps(struct page *page, struct copied_maps *copied)
{
	struct ioasid_info *list;
	unsigned int count, skip = page->first;
	int ret = ioasid_list(space_ctx(), &list, &count);

	if (ret < 0)
		return ret;
	for (unsigned int i = 0; i < count; i++) {
		page->total += list[i].nmaps;
		if (skip < list[i].nmaps)
			copy_maps_of(list[i].ioasid, skip, copied);
		skip -= RTE_MIN(skip, list[i].nmaps);
	}
	free(list);
	return 0;
}

static int
fill_maps(struct page *page)
{
	struct copied_maps copied = { 0 };
	struct rte_tel_data *entry;
	int ret = 0;

	if (space_hold() != NULL)
		ret = copy_maps(page, &copied);
	space_unhold();
	for (unsigned int i = 0; i < copied.count; i++) {
		entry = new_numbered_entry(page, page->first + i);
		if (entry == NULL)
			break;
		rte_tel_data_add_dict_uint(entry, "ioasid", copied.mappings[i].ioasid);
		add_address(entry, "iova", copied.mappings[i].map.iova);
		add_address(entry, "va", copied.mappings[i].map.va);
		rte_tel_data_add_dict_uint(entry, "bytes", copied.mappings[i].map.length);
	}
	return ret;
}

static int
maps(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	return reply_page(params, d, "maps", fill_maps);
}

/* /ioasid/info */

struct summary {
	char node[64];
	unsigned int ndevices;
	unsigned int nioasids;
	uint64_t mapped;
};

static int
summarise(struct summary *summary)
{
	struct ioasid_device_info *list;
	struct ioasid_info *infos;
	int ret;

	snprintf(summary->node, sizeof(summary->node), "%s", ioasid_path(space_ctx()));
	ret = ioasid_list_devices(space_ctx(), &list, &summary->ndevices);
	if (ret < 0)
		return ret;
	free(list);
	ret = ioasid_list(space_ctx(), &infos, &summary->nioasids);
	if (ret < 0)
		return ret;
	for (unsigned int i = 0; i < summary->nioasids; i++)
		summary->mapped += infos[i].mapped;
	free(infos);
	return 0;
}

static int
info(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct summary summary = { 0 };
	int ret = 0;

	(void)cmd;
	(void)params;
	if (space_hold() != NULL)
		ret = summarise(&summary);
	space_unhold();
	if (ret < 0)
		return ret;
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "version", IOASID_VERSION);
	rte_tel_data_add_dict_string(d, "mode", stock_in_charge() != NULL ? "container" : "native");
	rte_tel_data_add_dict_string(d, "process",
				     rte_eal_process_type() == RTE_PROC_SECONDARY ? "secondary"
										  : "primary");
	rte_tel_data_add_dict_string(d, "node", summary.node);
	rte_tel_data_add_dict_uint(d, "allow_insecure_vfio", options.allow_insecure);
	rte_tel_data_add_dict_uint(d, "devices", summary.ndevices);
	rte_tel_data_add_dict_uint(d, "ioasids", summary.nioasids);
	rte_tel_data_add_dict_uint(d, "mapped_bytes", summary.mapped);
	return 0;
}

static const struct {
	const char *name;
	telemetry_cb callback;
	const char *help;
} commands[] = {
	{ "/ioasid/info", info, "dpdk-ioasid in this process. Takes no parameters" },
	{ "/ioasid/devices", devices,
	  "Devices that have joined /dev/ioasid. Parameters: index of the first (default 0)" },
	{ "/ioasid/groups", groups,
	  "Their IOMMU groups, who has joined, who is at risk. Parameters: index of the first" },
	{ "/ioasid/ioasids", ioasids,
	  "I/O address spaces. Parameters: index of the first (default 0)" },
	{ "/ioasid/maps", maps,
	  "Memory mapped in them, by IOVA. Parameters: index of the first (default 0)" },
};

void
telemetry_start(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	for (size_t i = 0; i < RTE_DIM(commands); i++)
		if (rte_telemetry_register_cmd(commands[i].name, commands[i].callback,
					       commands[i].help) < 0)
			IOASID_LOG(DEBUG, "telemetry has no room for %s", commands[i].name);
}
