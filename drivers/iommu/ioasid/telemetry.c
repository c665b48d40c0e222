/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The commands run in telemetry's own thread, at any time, so all they tell is copied
 * from lib/ioasid first, and no lock of ours is held when telemetry's functions are
 * called.
 *
 * A reply is limited by DPDK (16 KiB; what does not fit is dropped without a word), so
 * lists come in pages: "total" tells how many there are, and "next", if there are more,
 * what to give as the argument for the next page. That is a key and not an index: what
 * comes and goes in between moves nothing.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_telemetry.h>
#include <rte_version.h>

#include "log.h"
#include "options.h"
#include "space.h"
#include "stock.h"
#include "telemetry.h"
#include "version.h"

/* Entries of a page: of the longest, that many fit into a reply. */
#define PAGE        64
#define PAGE_GROUPS 16
/* Members of a group that are listed, of each standing. */
#define MEMBERS 12

#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

/* Part of a list, as it was asked for. */
struct page {
	const char *from; /* the key of its first entry, "": the first of all */
	unsigned int total;
	char next[48];                /* the key of the next page, "": there is none */
	struct rte_tel_data *entries; /* a dictionary */
};

/* A number that is a whole key, or what is before `end`: 0 or -EINVAL. */
static int
parse_number(const char *text, char stop, uint64_t max, uint64_t *n, const char **end)
{
	const int base = strncmp(text, "0x", 2) == 0 ? 16 : 10;
	char *after;

	*n = 0;
	*end = text;
	if (text[0] == '\0')
		return 0;
	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	*n = strtoull(text, &after, base);
	*end = after;
	return errno == 0 && *after == stop && *n <= max ? 0 : -EINVAL;
}

static int
parse_u32(const char *text, uint32_t *n)
{
	const char *end;
	uint64_t wide;
	int ret = parse_number(text, '\0', UINT32_MAX, &wide, &end);

	*n = (uint32_t)wide;
	return ret;
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
	struct page page = { .from = params != NULL ? params : "" };
	int ret;

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
	if (page.next[0] != '\0')
		rte_tel_data_add_dict_string(d, "next", page.next);
	add_container(d, name, page.entries);
	return 0;
}

/* /ioasid/devices */

/* One more than there is room for is the next page's first. */
static int
fill_devices(struct page *page)
{
	struct ioasid_device_info list[PAGE + 1];
	struct rte_tel_data *entry;
	unsigned int n = 0;

	if (space_hold() != NULL)
		n = ioasid_list_devices(space_ctx(), page->from, list, PAGE + 1, &page->total);
	space_unhold();
	if (n > PAGE)
		snprintf(page->next, sizeof(page->next), "%s", list[PAGE].bdf);
	for (unsigned int i = 0; i < RTE_MIN(n, (unsigned int)PAGE); i++) {
		entry = new_entry(page, list[i].cdev);
		if (entry == NULL)
			break;
		rte_tel_data_add_dict_string(entry, "bdf", list[i].bdf);
		rte_tel_data_add_dict_uint(entry, "group", list[i].group);
		rte_tel_data_add_dict_uint(entry, "id", list[i].id);
		rte_tel_data_add_dict_uint(entry, "ioasid", list[i].ioasid);
		rte_tel_data_add_dict_string(entry, "state",
					     list[i].held ? "only joined" : "in use");
	}
	return 0;
}

static int
devices(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	return reply_page(params, d, "devices", fill_devices);
}

/* /ioasid/groups */

static const char *const standings[] = {
	[IOASID_JOINED] = "joined",
	[IOASID_AT_RISK] = "at_risk",
	[IOASID_EXEMPT] = "exempt",
};

static void
add_members(struct rte_tel_data *entry, const struct ioasid_group_info *group,
	    enum ioasid_standing standing)
{
	struct rte_tel_data *bdfs = new_strings();
	unsigned int n = 0;

	if (bdfs == NULL)
		return;
	for (unsigned int i = 0; i < group->nmembers && n < MEMBERS; i++)
		if (group->members[i].standing == standing) {
			rte_tel_data_add_array_string(bdfs, group->members[i].bdf);
			n++;
		}
	add_container(entry, standings[standing], bdfs);
}

static void
add_group(struct page *page, const struct ioasid_group_info *group)
{
	struct rte_tel_data *entry = new_numbered_entry(page, group->number);

	for (size_t i = 0; entry != NULL && i < RTE_DIM(standings); i++)
		add_members(entry, group, (enum ioasid_standing)i);
}

static int
fill_groups(struct page *page)
{
	struct ioasid_group_info *list[PAGE_GROUPS + 1];
	unsigned int n = 0;
	uint32_t from;

	if (parse_u32(page->from, &from) < 0)
		return -EINVAL;
	if (space_hold() != NULL)
		n = ioasid_list_groups(space_ctx(), from, list, PAGE_GROUPS + 1, &page->total);
	space_unhold();
	for (unsigned int i = 0; i < n; i++) {
		if (i < PAGE_GROUPS && list[i] != NULL) {
			add_group(page, list[i]);
			from = list[i]->number + 1;
		}
		ioasid_group_info_free(list[i]);
	}
	if (n > PAGE_GROUPS)
		snprintf(page->next, sizeof(page->next), "%u", from);
	return 0;
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
	struct ioasid_info list[PAGE + 1];
	struct rte_tel_data *entry;
	uint32_t from, first_of_all = 0;
	unsigned int n = 0;

	if (parse_u32(page->from, &from) < 0)
		return -EINVAL;
	if (space_hold() != NULL) {
		n = ioasid_list(space_ctx(), from, list, PAGE + 1, &page->total);
		first_of_all = space_default();
	}
	space_unhold();
	if (n > PAGE)
		snprintf(page->next, sizeof(page->next), "%u", list[PAGE].ioasid);
	for (unsigned int i = 0; i < RTE_MIN(n, (unsigned int)PAGE); i++) {
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
	return 0;
}

static int
ioasids(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	return reply_page(params, d, "ioasids", fill_ioasids);
}

/* /ioasid/maps of one IOASID; its number and an IOVA are the key */

/* "IOASID", "IOASID:IOVA", "": the first IOASID. */
static int
parse_maps(const char *text, uint32_t *ioasid, uint64_t *iova)
{
	const char *end;
	uint64_t wide;
	int ret =
		parse_number(text, strchr(text, ':') != NULL ? ':' : '\0', UINT32_MAX, &wide, &end);

	*ioasid = (uint32_t)wide;
	*iova = 0;
	if (ret < 0 || *end == '\0')
		return ret;
	return parse_number(end + 1, '\0', UINT64_MAX, iova, &end);
}

/* With the context held. */
static unsigned int
list_maps(struct page *page, uint32_t *ioasid, uint64_t iova, struct ioasid_map *list,
	  unsigned int room)
{
	struct ioasid_info info;

	if (ioasid_list(space_ctx(), *ioasid, &info, 1, NULL) == 0 ||
	    (*ioasid != 0 && info.ioasid != *ioasid))
		return 0;
	*ioasid = info.ioasid;
	page->total = info.nmaps;
	return ioasid_list_maps(space_ctx(), *ioasid, iova, list, room);
}

static void
add_map(struct page *page, unsigned int i, uint32_t ioasid, const struct ioasid_map *map)
{
	struct rte_tel_data *entry = new_numbered_entry(page, i);

	if (entry == NULL)
		return;
	rte_tel_data_add_dict_uint(entry, "ioasid", ioasid);
	add_address(entry, "iova", map->iova);
	add_address(entry, "va", map->va);
	rte_tel_data_add_dict_uint(entry, "bytes", map->length);
}

static int
fill_maps(struct page *page)
{
	struct ioasid_map list[PAGE + 1];
	unsigned int n = 0;
	uint32_t ioasid;
	uint64_t iova;

	if (parse_maps(page->from, &ioasid, &iova) < 0)
		return -EINVAL;
	if (space_hold() != NULL)
		n = list_maps(page, &ioasid, iova, list, PAGE + 1);
	space_unhold();
	if (n > PAGE)
		snprintf(page->next, sizeof(page->next), "%u:0x%" PRIx64, ioasid, list[PAGE].iova);
	for (unsigned int i = 0; i < RTE_MIN(n, (unsigned int)PAGE); i++)
		add_map(page, i, ioasid, &list[i]);
	return 0;
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

/* With the context held. */
static void
summarise(struct summary *summary)
{
	struct ioasid_info list[PAGE];
	uint32_t from = 0;
	unsigned int n;

	snprintf(summary->node, sizeof(summary->node), "%s", ioasid_path(space_ctx()));
	ioasid_list_devices(space_ctx(), "", NULL, 0, &summary->ndevices);
	do {
		n = ioasid_list(space_ctx(), from, list, PAGE, &summary->nioasids);
		for (unsigned int i = 0; i < n; i++)
			summary->mapped += list[i].mapped;
		from = n > 0 ? list[n - 1].ioasid + 1 : 0;
	} while (n == PAGE);
}

static int
info(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct summary summary = { 0 };

	(void)cmd;
	(void)params;
	if (space_hold() != NULL)
		summarise(&summary);
	space_unhold();
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
	  "Devices that have joined /dev/ioasid. Parameters: BDF of the first (default: all)" },
	{ "/ioasid/groups", groups,
	  "Their IOMMU groups, who has joined, who is at risk. Parameters: number of the first" },
	{ "/ioasid/ioasids", ioasids,
	  "I/O address spaces. Parameters: number of the first (default: all)" },
	{ "/ioasid/maps", maps,
	  "Memory mapped in an IOASID. Parameters: IOASID (default: the first), or IOASID:IOVA" },
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
