/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The plugin's telemetry commands on the fake kernel. In the place of DPDK's telemetry
 * is a recorder, which writes down replies as that would (but for quotes), and which
 * must never be called while the context is held.
 */

#include <stdlib.h>

#include <rte_eal.h>
#include <rte_telemetry.h>
#include <rte_version.h>

#include "options.h"
#include "space.h"
#include "stock.h"
#include "telemetry.h"
#include "test.h"

/* Entries of a page. */
#define ENTRIES        64
#define PAGE_OF_GROUPS 16

/* The rest of the plugin, as far as it is asked. */

struct options options;
int ioasid_logtype;
static bool held;

struct ioasid_ctx *
space_hold(void)
{
	CHECK(!held);
	held = true;
	return ctx;
}

void
space_unhold(void)
{
	CHECK(held);
	held = false;
}

struct ioasid_ctx *
space_ctx(void)
{
	CHECK(held);
	return ctx;
}

uint32_t
space_default(void)
{
	return ioas;
}

const struct stock *
stock_in_charge(void)
{
	return NULL;
}

/* The recorder */

struct rte_tel_data {
	bool array;
	unsigned int count;
	struct {
		char name[32];
		char value[64];
		struct rte_tel_data *inner; /* NULL: value */
	} entries[RTE_TEL_MAX_DICT_ENTRIES];
};

static struct {
	const char *name;
	telemetry_cb callback;
} commands[8];
static unsigned int ncommands;
static int alive; /* rte_tel_data that nobody has freed */

int
rte_telemetry_register_cmd(const char *cmd, telemetry_cb fn, const char *help)
{
	CHECK(strlen(help) < RTE_TEL_MAX_STRING_LEN);
	CHECK(ncommands < ARRAY_SIZE(commands));
	commands[ncommands].name = cmd;
	commands[ncommands++].callback = fn;
	return 0;
}

struct rte_tel_data *
rte_tel_data_alloc(void)
{
	CHECK(!held);
	alive++;
	return calloc(1, sizeof(struct rte_tel_data));
}

void
rte_tel_data_free(struct rte_tel_data *d)
{
	alive--;
	for (unsigned int i = 0; i < d->count; i++)
		if (d->entries[i].inner != NULL)
			rte_tel_data_free(d->entries[i].inner);
	free(d);
}

int
rte_tel_data_start_dict(struct rte_tel_data *d)
{
	d->array = false;
	d->count = 0;
	return 0;
}

int
rte_tel_data_start_array(struct rte_tel_data *d, enum rte_tel_value_type type)
{
	CHECK_EQ(type, RTE_TEL_STRING_VAL);
	d->array = true;
	d->count = 0;
	return 0;
}

static int
add(struct rte_tel_data *d, const char *name, const char *value, struct rte_tel_data *inner)
{
	CHECK(!held);
	CHECK(d->count < ARRAY_SIZE(d->entries));
	CHECK_EQ(d->array, name[0] == '\0');
	/* What DPDK would refuse. */
	for (const char *c = name; *c != '\0'; c++)
		CHECK(strchr("_/", *c) != NULL || (*c >= '0' && *c <= '9') ||
		      (*c >= 'a' && *c <= 'z'));
	snprintf(d->entries[d->count].name, sizeof(d->entries[0].name), "%s", name);
	snprintf(d->entries[d->count].value, sizeof(d->entries[0].value), "%s", value);
	d->entries[d->count++].inner = inner;
	return 0;
}

int
rte_tel_data_add_dict_string(struct rte_tel_data *d, const char *name, const char *val)
{
	return add(d, name, val, NULL);
}

#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define rte_tel_data_add_dict_uint rte_tel_data_add_dict_u64
#endif

int
rte_tel_data_add_dict_uint(struct rte_tel_data *d, const char *name, uint64_t val)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, val);
	return add(d, name, text, NULL);
}

int
rte_tel_data_add_array_string(struct rte_tel_data *d, const char *str)
{
	return add(d, "", str, NULL);
}

int
rte_tel_data_add_dict_container(struct rte_tel_data *d, const char *name, struct rte_tel_data *val,
				int keep)
{
	CHECK_EQ(keep, 0);
	return add(d, name, "", val);
}

static void
print(FILE *f, const struct rte_tel_data *d)
{
	fputc(d->array ? '[' : '{', f);
	for (unsigned int i = 0; i < d->count; i++) {
		fprintf(f, "%s%s%s%s", i > 0 ? " " : "", d->entries[i].name, d->array ? "" : ":",
			d->entries[i].value);
		if (d->entries[i].inner != NULL)
			print(f, d->entries[i].inner);
	}
	fputc(d->array ? ']' : '}', f);
}

static char *reply;

/* Ask as a client would; the reply is in `reply`, "" if the command failed. */
static int
ask(const char *name, const char *params)
{
	struct rte_tel_data *d = rte_tel_data_alloc();
	int ret = -ENOENT;
	size_t size;
	FILE *f;

	for (unsigned int i = 0; i < ncommands; i++)
		if (strcmp(commands[i].name, name) == 0)
			ret = commands[i].callback(name, params, d);
	CHECK(!held);
	free(reply);
	f = open_memstream(&reply, &size);
	if (ret >= 0)
		print(f, d);
	fclose(f);
	rte_tel_data_free(d);
	CHECK_EQ(alive, 0);
	return ret;
}

/* How often a text is in the reply. */
static unsigned int
count_of(const char *text)
{
	unsigned int n = 0;

	for (const char *at = reply; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

static int
start(void **state)
{
	telemetry_start();
	telemetry_start();
	return setup_ctx(state);
}

#define TEST_TELEMETRY(f) cmocka_unit_test_setup_teardown(f, start, teardown)

static void
commands_are_registered_once(void **state)
{
	(void)state;
	CHECK_EQ(ncommands, 5);
}

static void
without_a_context_lists_are_empty(void **state)
{
	(void)state;
	ioasid_close(ctx);
	ctx = NULL;
	CHECK_RET(ask("/ioasid/devices", NULL), 0);
	CHECK_STR(reply, "{total:0 devices:{}}");
	CHECK_RET(ask("/ioasid/groups", NULL), 0);
	CHECK_STR(reply, "{total:0 groups:{}}");
	CHECK_RET(ask("/ioasid/ioasids", NULL), 0);
	CHECK_STR(reply, "{total:0 ioasids:{}}");
	CHECK_RET(ask("/ioasid/maps", NULL), 0);
	CHECK_STR(reply, "{total:0 maps:{}}");
	CHECK_RET(ask("/ioasid/info", NULL), 0);
	CHECK(strstr(reply, "node: allow_insecure_vfio:0 devices:0") != NULL);
}

static void
info_sums_up(void **state)
{
	const uint32_t other = alloc();

	(void)state;
	attach(join(NIC0), ioas);
	map(0, PAGE);
	CHECK_OK(ioasid_map(ctx, other, VA, 0, 2 * PAGE, RW));
	CHECK_RET(ask("/ioasid/info", NULL), 0);
	CHECK(strstr(reply, " mode:native ") != NULL);
	CHECK(strstr(reply, " node:/dev/iommu ") != NULL);
	CHECK(strstr(reply, " devices:1 ioasids:2 mapped_bytes:12288}") != NULL);
}

static void
devices_say_where_they_are(void **state)
{
	(void)state;
	join(NIC1);
	join(GROUP_NIC);
	ioasid_leave(join(GROUP_HD));
	attach(join(NIC0), ioas);
	CHECK_RET(ask("/ioasid/devices", NULL), 0);
	CHECK(strncmp(reply, "{total:4 devices:{vfio0:{bdf:" NIC0 " group:11 id:", 53) == 0);
	CHECK_EQ(count_of("ioasid:1 state:in use"), 1);
	CHECK_EQ(count_of("ioasid:0 state:in use"), 2);
	/* The one that its group holds. */
	CHECK_EQ(count_of("ioasid:0 state:only joined"), 1);
	CHECK(strstr(reply, " vfio4:{bdf:" GROUP_HD " group:13 id:") != NULL);
	CHECK_EQ(count_of("next:"), 0);
	CHECK_RET(ask("/ioasid/devices", GROUP_NIC), 0);
	CHECK(strncmp(reply, "{total:4 devices:{vfio3:", 24) == 0);
	CHECK_EQ(count_of("bdf:"), 2);
	CHECK_RET(ask("/ioasid/devices", "zzzz"), 0);
	CHECK_STR(reply, "{total:4 devices:{}}");
}

/* `next` is the first of the next page, whatever comes and goes before it. */
static void
devices_come_in_pages(void **state)
{
	struct ioasid_device *first = NULL;
	char bdf[] = "0000:10:00.0";

	(void)state;
	for (unsigned int i = 0; i < ENTRIES + 2; i++) {
		struct fake_pci pci = { .bdf = bdf, .group = 100 + i, .driver = "vfio-pci" };

		snprintf(bdf, sizeof(bdf), "0000:%02x:00.0", 0x10 + i);
		fake_plug(&pci);
		first = i == 0 ? join(bdf) : (join(bdf), first);
	}
	CHECK_RET(ask("/ioasid/devices", NULL), 0);
	CHECK(strncmp(reply, "{total:66 next:0000:50:00.0 devices:{vfio5:", 43) == 0);
	CHECK_EQ(count_of("bdf:"), ENTRIES);
	CHECK_EQ(count_of("bdf:0000:50:00.0"), 0);
	ioasid_leave(first);
	CHECK_RET(ask("/ioasid/devices", "0000:50:00.0"), 0);
	CHECK(strncmp(reply, "{total:65 devices:{vfio69:{bdf:0000:50:00.0 ", 44) == 0);
	CHECK_EQ(count_of("bdf:"), 2);
}

static void
groups_say_who_is_at_risk(void **state)
{
	struct ioasid_device *nic;

	(void)state;
	nic = join_implicit(GROUP_NIC);
	attach(nic, ioas);
	CHECK_RET(ask("/ioasid/groups", NULL), 0);
	CHECK_STR(reply, "{total:1 groups:{13:{at_risk:[" GROUP_HD "] joined:[" GROUP_NIC
			 "] exempt:[" BRIDGE "]}}}");
	join(GROUP_HD);
	attach(nic, ioas);
	CHECK_RET(ask("/ioasid/groups", NULL), 0);
	CHECK_STR(reply, "{total:1 groups:{13:{at_risk:[] joined:[" GROUP_NIC " " GROUP_HD
			 "] exempt:[" BRIDGE "]}}}");
	CHECK_RET(ask("/ioasid/groups", "13"), 0);
	CHECK_EQ(count_of("13:{"), 1);
	CHECK_RET(ask("/ioasid/groups", "14"), 0);
	CHECK_STR(reply, "{total:1 groups:{}}");
}

static void
groups_come_in_pages(void **state)
{
	char bdf[] = "0000:10:00.0";

	(void)state;
	for (unsigned int i = 0; i < PAGE_OF_GROUPS + 2; i++) {
		struct fake_pci pci = { .bdf = bdf, .group = 100 + i, .driver = "vfio-pci" };

		snprintf(bdf, sizeof(bdf), "0000:%02x:00.0", 0x10 + i);
		fake_plug(&pci);
		join(bdf);
	}
	CHECK_RET(ask("/ioasid/groups", ""), 0);
	CHECK(strncmp(reply, "{total:18 next:116 groups:{100:{", 32) == 0);
	CHECK_EQ(count_of("exempt:"), PAGE_OF_GROUPS);
	CHECK_RET(ask("/ioasid/groups", "116"), 0);
	CHECK(strncmp(reply, "{total:18 groups:{116:{", 23) == 0);
	CHECK_EQ(count_of("exempt:"), 2);
	CHECK_EQ(count_of("117:{"), 1);
}

static void
ioasids_say_what_is_in_them(void **state)
{
	(void)state;
	alloc();
	attach(join(NIC0), ioas);
	map(0, 2 * PAGE);
	CHECK_RET(ask("/ioasid/ioasids", NULL), 0);
	CHECK_STR(reply, "{total:2 ioasids:{"
			 "1:{use:DPDK's memory devices:1 maps:1 mapped_bytes:8192} "
			 "2:{use:container devices:0 maps:0 mapped_bytes:0}}}");
	CHECK_RET(ask("/ioasid/ioasids", "2"), 0);
	CHECK(strncmp(reply, "{total:2 ioasids:{2:{use:container ", 35) == 0);
}

static void
ioasids_come_in_pages(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ENTRIES; i++)
		alloc();
	CHECK_RET(ask("/ioasid/ioasids", NULL), 0);
	CHECK(strncmp(reply, "{total:65 next:65 ioasids:{1:{", 30) == 0);
	CHECK_EQ(count_of("use:"), ENTRIES);
	CHECK_RET(ask("/ioasid/ioasids", "65"), 0);
	CHECK(strncmp(reply, "{total:65 ioasids:{65:{", 23) == 0);
	CHECK_EQ(count_of("use:"), 1);
	/* All of them are in the sum, too. */
	CHECK_OK(ioasid_map(ctx, 65, VA, 0, 3 * PAGE, RW));
	map(0, PAGE);
	CHECK_RET(ask("/ioasid/info", NULL), 0);
	CHECK(strstr(reply, " ioasids:65 mapped_bytes:16384}") != NULL);
}

/* Of one IOASID, no map twice and none forgotten where a page ends. */
static void
maps_come_in_pages(void **state)
{
	const uint32_t other = alloc();

	(void)state;
	for (unsigned int i = 0; i < ENTRIES + 2; i++)
		map(i * 2 * PAGE, PAGE);
	for (unsigned int i = 0; i < ENTRIES; i++)
		CHECK_OK(ioasid_map(ctx, other, VA, i * 2 * PAGE, PAGE, RW));
	CHECK_RET(ask("/ioasid/maps", NULL), 0);
	CHECK(strncmp(reply, "{total:66 next:1:0x80000 maps:{0:{ioasid:1 iova:0x0 va:0x", 57) == 0);
	CHECK_EQ(count_of("ioasid:1 "), ENTRIES);
	/* What is unmapped before it does not move the next page. */
	CHECK_OK(ioasid_unmap(ctx, ioas, 0, PAGE));
	CHECK_RET(ask("/ioasid/maps", "1:0x80000"), 0);
	CHECK(strncmp(reply, "{total:65 maps:{0:{ioasid:1 iova:0x80000 va:", 44) == 0);
	CHECK_EQ(count_of("ioasid:1 "), 2);
	CHECK(strstr(reply, " 1:{ioasid:1 iova:0x82000 va:0x7f0000082000 bytes:4096}}}") != NULL);
	CHECK_RET(ask("/ioasid/maps", "2"), 0);
	CHECK(strncmp(reply, "{total:64 maps:{0:{ioasid:2 iova:0x0 ", 37) == 0);
	CHECK_EQ(count_of("ioasid:2 "), ENTRIES);
	CHECK_EQ(count_of("next:"), 0);
	CHECK_RET(ask("/ioasid/maps", "2:516096"), 0);
	CHECK_EQ(count_of("ioasid:2 "), 1);
	CHECK_RET(ask("/ioasid/maps", "2:0xffffffffffffffff"), 0);
	CHECK_STR(reply, "{total:64 maps:{}}");
	CHECK_RET(ask("/ioasid/maps", "3"), 0);
	CHECK_STR(reply, "{total:0 maps:{}}");
	CHECK_RET(ask("/ioasid/maps", "4294967295"), 0);
	CHECK_STR(reply, "{total:0 maps:{}}");
}

static void
bad_arguments_are_refused(void **state)
{
	static const char *const lists[] = { "/ioasid/maps", "/ioasid/ioasids", "/ioasid/groups" };
	static const char *const bad[] = { "x",  "-1",  "+1",         " 1",
					   "1x", "1,2", "4294967296", "99999999999999999999" };
	static const char *const bad_maps[] = { "1:x",
						"1:-1",
						"1: 1",
						"1:1x",
						"1:1:",
						"x:1",
						"1:1:1",
						"4294967296:0",
						":x",
						"1,:2",
						"1:0x10000000000000000" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(bad); j++)
			CHECK_RET(ask(lists[i], bad[j]), -EINVAL);
		CHECK_RET(ask(lists[i], ""), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad_maps); i++)
		CHECK_RET(ask("/ioasid/maps", bad_maps[i]), -EINVAL);
	CHECK_RET(ask("/ioasid/ioasids", "1:2"), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_TELEMETRY(commands_are_registered_once),
		TEST_TELEMETRY(without_a_context_lists_are_empty),
		TEST_TELEMETRY(info_sums_up),
		TEST_TELEMETRY(devices_say_where_they_are),
		TEST_TELEMETRY(devices_come_in_pages),
		TEST_TELEMETRY(groups_say_who_is_at_risk),
		TEST_TELEMETRY(groups_come_in_pages),
		TEST_TELEMETRY(ioasids_say_what_is_in_them),
		TEST_TELEMETRY(ioasids_come_in_pages),
		TEST_TELEMETRY(maps_come_in_pages),
		TEST_TELEMETRY(bad_arguments_are_refused),
	};
	int ret = cmocka_run_group_tests_name("telemetry", tests, NULL, NULL);

	free(reply);
	return ret;
}
