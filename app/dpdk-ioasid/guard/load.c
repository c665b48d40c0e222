/* SPDX-License-Identifier: BSD-3-Clause */

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "guard/load.h"
#include "guard/needs.h"
#include "guard/pins.h"
#include "guard/proof.h"

/* Made by bpftool, for other compilers' tastes. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Woverlength-strings"
#include "guard_rule.skel.h"
#pragma GCC diagnostic pop

static const __u32 zero;

/* ---- what libbpf says, which is worth telling only when it fails */

/* The end of it: the verifier's cause stands there. */
static char said[4096];

static int
listen(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	const size_t room = sizeof(said) - 1;
	size_t length, old = strlen(said);
	const char *tail;
	char *text;

	if (level == LIBBPF_DEBUG || vasprintf(&text, fmt, ap) < 0)
		return 0;
	length = strlen(text);
	tail = length > room ? text + length - room : text;
	length = strlen(tail);
	if (old + length > room) {
		memmove(said, said + old + length - room, room - length + 1);
		old = room - length;
	}
	strcpy(said + old, tail);
	free(text);
	return 0;
}

static void
repeat_what_was_said(void)
{
	const char *line = strchr(said, '\n');

	/* The first line is cut where there was more. */
	fputs(strlen(said) == sizeof(said) - 1 && line != NULL ? line + 1 : said, stderr);
}

static bool
failed(const char *what, int err)
{
	fprintf(stderr, "dpdk-ioasid guard: %s: %s\n", what, strerror(abs(err)));
	return false;
}

/* ---- the programs */

/* Of the two ways to be asked one; `compat` where the kernel asks for 32-bit programs apart. */
static void
choose_programs(struct guard_rule_bpf *skel, enum guard_hook hook)
{
	const bool lsm = hook == GUARD_HOOK_LSM;
	const bool compat =
		kernel_types_have(lsm ? "bpf_lsm_file_ioctl_compat" : "security_file_ioctl_compat");

	bpf_program__set_autoload(skel->progs.lsm_ioctl, lsm);
	bpf_program__set_autoload(skel->progs.lsm_ioctl_compat, lsm && compat);
	bpf_program__set_autoload(skel->progs.fmod_ioctl, !lsm);
	bpf_program__set_autoload(skel->progs.fmod_ioctl_compat, !lsm && compat);
}

/* Counters and records go on, where those of the old one are of the same make. */
static void
keep_map(struct bpf_map *map, enum pin pin)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	int fd = pins_open(pin);

	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.type == bpf_map__type(map) &&
	    info.value_size == bpf_map__value_size(map) &&
	    info.max_entries == bpf_map__max_entries(map))
		bpf_map__reuse_fd(map, fd);
	close(fd);
}

/* Both or none: the records are counted. */
static void
keep_maps(struct guard_rule_bpf *skel)
{
	struct guard_policy old;

	if (pins_read(&old) != PINS_THERE)
		return;
	keep_map(skel->maps.counters, PIN_COUNTERS);
	keep_map(skel->maps.records, PIN_RECORDS);
}

static struct guard_rule_bpf *
load_programs(enum guard_hook hook)
{
	struct guard_rule_bpf *skel = guard_rule_bpf__open();

	if (skel == NULL)
		return NULL;
	choose_programs(skel, hook);
	keep_maps(skel);
	if (guard_rule_bpf__load(skel) == 0)
		return skel;
	guard_rule_bpf__destroy(skel);
	return NULL;
}

/* ---- what the administrator has laid down */

static int
add_cgroup(int map, const char *path)
{
	static __u32 last; /* the ids of all directories differ */
	struct guard_cgroup key = { 0 };
	struct guard_cgroup_node node = { 0 };

	while (*path != '\0') {
		const size_t n = strcspn(++path, "/");

		memset(key.name, 0, sizeof(key.name));
		memcpy(key.name, path, n);
		path += n;
		if (bpf_map_lookup_elem(map, &key, &node) < 0)
			node = (struct guard_cgroup_node){ .id = ++last };
		node.excepted = node.excepted || *path == '\0';
		if (bpf_map_update_elem(map, &key, &node, BPF_ANY) < 0)
			return -errno;
		key.parent = node.id;
	}
	return 0;
}

static int
add_exception(const struct guard_rule_bpf *skel, const struct exception *exception)
{
	char name[GUARD_NAME] = "";
	const __u32 one = 1;
	const void *key = &exception->number;
	const struct bpf_map *map;

	switch (exception->kind) {
	case EXCEPT_CGROUP:
		return add_cgroup(bpf_map__fd(skel->maps.cgroups), exception->text);
	case EXCEPT_DEVICE:
		snprintf(name, sizeof(name), "%.*s", GUARD_NAME - 1, exception->text);
		map = skel->maps.devices;
		key = name;
		break;
	case EXCEPT_GROUP:
		map = skel->maps.groups;
		break;
	default:
		map = skel->maps.uids;
		break;
	}
	return bpf_map_update_elem(bpf_map__fd(map), key, &one, BPF_ANY) < 0 ? -errno : 0;
}

static __u64
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (__u64)t.tv_sec * 1000000000 + (__u64)t.tv_nsec;
}

/* What is laid down stays so until the guard is replaced. */
static int
set_policy(struct guard_rule_bpf *skel, const struct guard_conf *conf, enum guard_hook hook)
{
	const struct guard_policy policy = {
		.format = GUARD_FORMAT,
		.rule = conf->rule,
		.report_only = conf->report_only,
		.hook = hook,
		.started = now(),
	};
	const struct bpf_map *frozen[] = { skel->maps.policy, skel->maps.devices, skel->maps.groups,
					   skel->maps.uids, skel->maps.cgroups };
	int ret = 0;

	if (bpf_map_update_elem(bpf_map__fd(skel->maps.policy), &zero, &policy, BPF_ANY) < 0)
		return -errno;
	for (unsigned int i = 0; i < conf->nexceptions && ret == 0; i++)
		ret = add_exception(skel, &conf->exceptions[i]);
	for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]) && ret == 0; i++)
		ret = bpf_map_freeze(bpf_map__fd(frozen[i])) < 0 ? -errno : 0;
	return ret;
}

/* ---- in force */

/* NULL: it said why not, unless the kernel does not ask by this hook. */
static struct guard_rule_bpf *
start(const struct guard_conf *conf, enum guard_hook hook, enum proof_result *proof)
{
	struct guard_rule_bpf *skel = load_programs(hook);
	int ret;

	*proof = PROOF_FAILED;
	if (skel == NULL) {
		failed("the kernel does not take the guard's programs", errno);
		repeat_what_was_said();
		return NULL;
	}
	ret = set_policy(skel, conf, hook);
	if (ret < 0)
		failed("the policy cannot be given to the kernel", ret);
	else if ((ret = guard_rule_bpf__attach(skel)) < 0)
		failed("the guard's programs cannot be attached", ret);
	if (ret == 0)
		*proof = proof_make(bpf_map__fd(skel->maps.proof));
	if (*proof == PROOF_GOOD)
		return skel;
	guard_rule_bpf__destroy(skel);
	return NULL;
}

static struct guard_rule_bpf *
start_by_any(const struct guard_conf *conf)
{
	enum proof_result proof;
	struct guard_rule_bpf *skel = start(conf, GUARD_HOOK_LSM, &proof);

	/* Where `bpf` is no security module in force, there is the other way. */
	if (skel == NULL && proof == PROOF_SILENT)
		skel = start(conf, GUARD_HOOK_FMOD, &proof);
	if (skel == NULL && proof != PROOF_FAILED)
		fprintf(stderr, "dpdk-ioasid guard: %s: nothing would be protected\n",
			proof_text(proof));
	return skel;
}

static int
pin_all(const struct guard_rule_bpf *skel)
{
	struct bpf_link *const *links = (struct bpf_link *const[]){
		[PIN_IOCTL] = skel->links.lsm_ioctl != NULL ? skel->links.lsm_ioctl
							    : skel->links.fmod_ioctl,
		[PIN_IOCTL_COMPAT] = skel->links.lsm_ioctl_compat != NULL
					     ? skel->links.lsm_ioctl_compat
					     : skel->links.fmod_ioctl_compat,
		[PIN_ADDED] = skel->links.added,
		[PIN_ATTACHED] = skel->links.attached,
	};
	struct bpf_map *const maps[PIN_COUNT] = {
		[PIN_POLICY] = skel->maps.policy,     [PIN_PROOF] = skel->maps.proof,
		[PIN_DEVICES] = skel->maps.devices,   [PIN_GROUPS] = skel->maps.groups,
		[PIN_UIDS] = skel->maps.uids,         [PIN_CGROUPS] = skel->maps.cgroups,
		[PIN_COUNTERS] = skel->maps.counters, [PIN_RECORDS] = skel->maps.records,
	};
	int ret = 0;

	for (enum pin pin = 0; pin < PIN_COUNT && ret == 0; pin++) {
		const struct pin_path path = pin_path_new(pin);

		if (maps[pin] != NULL)
			ret = bpf_obj_pin(bpf_map__fd(maps[pin]), path.s) < 0 ? -errno : 0;
		else if (links[pin] != NULL)
			ret = bpf_link__pin(links[pin], path.s);
	}
	return ret;
}

static bool
put_in_place(const struct guard_rule_bpf *skel)
{
	int ret;

	if (!pins_prepare())
		return false;
	ret = pin_all(skel);
	if (ret == 0)
		return pins_replace();
	pins_discard();
	return failed("the guard cannot be pinned", ret);
}

bool
guard_load(const struct guard_conf *conf)
{
	struct guard_rule_bpf *skel;
	bool good;

	libbpf_set_print(listen);
	skel = start_by_any(conf);
	if (skel == NULL)
		return false;
	good = put_in_place(skel);
	/* What is pinned stays. */
	guard_rule_bpf__destroy(skel);
	return good;
}
