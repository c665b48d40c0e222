/* SPDX-License-Identifier: BSD-3-Clause */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "given.h"
#include "log.h"
#include "options.h"

#define PREFIX "--ioasid-"

struct options options;

static int
set_allow_insecure(const char *value)
{
	(void)value;
	options.allow_insecure = true;
	return 0;
}

static int
set_dev(const char *value)
{
	static char *dev;

	if (value[0] != '/') {
		IOASID_LOG(ERR,
			   "--ioasid-dev \"%s\": give the path of a device node, "
			   "such as /dev/iommu",
			   value);
		return -EINVAL;
	}
	if (given_ioasid() >= 0) {
		IOASID_LOG(ERR, "--ioasid-dev %s: --ioasid-fd %d is given already", value,
			   given_ioasid());
		return -EINVAL;
	}
	/* A copy: the arguments are the application's to free once EAL is up. */
	free(dev);
	dev = strdup(value);
	options.dev = dev;
	return dev != NULL ? 0 : -ENOMEM;
}

static int
set_mode(const char *value)
{
	static const char *const names[] = {
		[MODE_AUTO] = "auto",
		[MODE_NATIVE] = "native",
		[MODE_CONTAINER] = "container",
	};

	for (size_t i = 0; i < RTE_DIM(names); i++) {
		if (strcmp(value, names[i]) == 0) {
			options.mode = (enum mode)i;
			return 0;
		}
	}
	IOASID_LOG(ERR, "--ioasid-mode \"%s\": give auto, native or container", value);
	return -EINVAL;
}

/* A number in any base of C, in bytes or with k, M, G: what follows it; NULL: it is none. */
static const char *
parse_size(const char *text, uint64_t *size)
{
	static const char units[] = "kMG";
	const char *unit;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return NULL;
	errno = 0;
	*size = strtoull(text, &end, 0);
	unit = *end != '\0' ? strchr(units, *end) : NULL;
	for (const char *u = units; unit != NULL && u <= unit; u++)
		if (__builtin_mul_overflow(*size, UINT64_C(1024), size))
			return NULL;
	return errno == 0 ? end + (unit != NULL) : NULL;
}

static int
set_window(const char *value)
{
	const char *end = parse_size(value, &options.window.start);
	uint64_t last;

	if (end != NULL && *end == ':')
		end = parse_size(end + 1, &options.window.length);
	else
		end = NULL;
	if (end != NULL && *end == '\0' && options.window.length > 1 &&
	    !__builtin_add_overflow(options.window.start, options.window.length - 1, &last))
		return 0;
	IOASID_LOG(ERR,
		   "--ioasid-iova-window \"%s\": give START:LENGTH in bytes, such as "
		   "0x100000000:64G",
		   value);
	return -EINVAL;
}

static const struct option_def {
	const char *name;
	const char *value; /* what it is called in --help; NULL: takes none */
	const char *help;
	int (*set)(const char *value);
} defs[] = {
	{ "--allow-insecure-vfio", NULL,
	  "Attach devices although others of their IOMMU group\n"
	  "                      could reach this program's memory; prints their BDFs",
	  set_allow_insecure },
	{ "--ioasid-dev", "PATH",
	  "Device node of I/O address spaces\n"
	  "                      (default /dev/ioasid if it exists, else /dev/iommu)",
	  set_dev },
	{ "--ioasid-fd", "N", "The same, opened by whoever starts this program", given_set_ioasid },
	{ "--vfio-device-fd", "BDF=N",
	  "Device node of this device, opened by whoever starts\n"
	  "                      this program; may be repeated",
	  given_add_device },
	{ "--ioasid-iova-window", "START:LENGTH",
	  "I/O virtual addresses that DPDK's memory may use, in\n"
	  "                      bytes or with k, M, G (default: all that the IOMMU has)",
	  set_window },
	{ "--ioasid-mode", "auto|native|container",
	  "Who maps memory and opens devices: the plugin (native),\n"
	  "                      stock EAL under the plugin's group rule (container), or what\n"
	  "                      the kernel allows (auto, the default)",
	  set_mode },
};

void
options_usage(void)
{
	printf("I/O address space options (dpdk-ioasid; also read from " OPTIONS_ENV "):\n");
	for (size_t i = 0; i < sizeof(defs) / sizeof(defs[0]); i++)
		printf("  %s%s%s  %s\n", defs[i].name, defs[i].value != NULL ? " " : "",
		       defs[i].value != NULL ? defs[i].value : "", defs[i].help);
	printf("\n");
}

/* The definition of --name or --name=value; *value is NULL without "=". */
static const struct option_def *
find_def(const char *arg, const char **value)
{
	const size_t len = strcspn(arg, "=");

	*value = arg[len] == '=' ? arg + len + 1 : NULL;
	for (size_t i = 0; i < sizeof(defs) / sizeof(defs[0]); i++)
		if (strlen(defs[i].name) == len && strncmp(defs[i].name, arg, len) == 0)
			return &defs[i];
	return NULL;
}

/*
 * Take the option that args[0] may be, and its value from args[1] where it has one.
 * Returns the number of arguments taken, 0 if it is not ours, -EINVAL.
 */
static int
take_one(int n, char *const *args)
{
	const struct option_def *def;
	const char *value;
	int taken = 1;

	def = find_def(args[0], &value);
	if (def == NULL) {
		if (strncmp(args[0], PREFIX, strlen(PREFIX)) != 0)
			return 0;
		IOASID_LOG(ERR, "unknown option \"%s\": see --help", args[0]);
		return -EINVAL;
	}
	if (def->value == NULL && value != NULL) {
		IOASID_LOG(ERR, "%s takes no value, but \"%s\" was given", def->name, value);
		return -EINVAL;
	}
	if (def->value != NULL && value == NULL) {
		if (n < 2 || args[1][0] == '-') {
			IOASID_LOG(ERR, "%s needs a value: %s %s", def->name, def->name,
				   def->value);
			return -EINVAL;
		}
		value = args[1];
		taken = 2;
	}
	return def->set(value) < 0 ? -EINVAL : taken;
}

/* Move n arguments at argv[at] to argv[to], to <= at, keeping the order of the rest. */
static void
move_args(char **argv, int at, int n, int to)
{
	char *moved[2];

	memcpy(moved, &argv[at], (size_t)n * sizeof(*argv));
	memmove(&argv[to + n], &argv[to], (size_t)(at - to) * sizeof(*argv));
	memcpy(&argv[to], moved, (size_t)n * sizeof(*argv));
}

int
options_take(int argc, char **argv, int *taken)
{
	int i = 1;

	*taken = 0;
	while (i < argc && strcmp(argv[i], "--") != 0) {
		int n = take_one(argc - i, &argv[i]);

		if (n < 0)
			return n;
		if (n > 0) {
			move_args(argv, i, n, 1 + *taken);
			*taken += n;
		}
		i += n > 0 ? n : 1;
	}
	return 0;
}

int
options_call_without(int (*eal_init)(int, char **), int argc, char **argv, int taken)
{
	char *name = argv[0];
	char **view = argv + taken;
	char *last_of_ours = view[0];
	int ret;

	view[0] = name;
	ret = eal_init(argc - taken, view);
	/* view[ret] is the name now; behind it nothing moves. Before it, put ours back. */
	if (ret != 0)
		view[0] = last_of_ours;
	return ret < 0 ? ret : ret + taken;
}

/* All words of the variable must be ours: there is nobody else to understand them. */
static int
parse_words(char *text)
{
	char *words[64], *save = NULL;
	int n = 0, i = 0;

	for (char *w = strtok_r(text, " \t\n", &save); w != NULL;
	     w = strtok_r(NULL, " \t\n", &save)) {
		if (n == (int)(sizeof(words) / sizeof(words[0]))) {
			IOASID_LOG(ERR, OPTIONS_ENV ": more than %d words", n);
			return -EINVAL;
		}
		words[n++] = w;
	}
	while (i < n) {
		int used = take_one(n - i, &words[i]);

		if (used == 0)
			IOASID_LOG(ERR, OPTIONS_ENV ": \"%s\" is not an option of dpdk-ioasid",
				   words[i]);
		if (used <= 0)
			return -EINVAL;
		i += used;
	}
	return 0;
}

/*
 * Not that of a program with more rights than whoever starts it, who could take the rule
 * away from it: told once.
 */
static const char *
trusted_env(void)
{
	static bool told;
	const char *env = secure_getenv(OPTIONS_ENV);

	if (env != NULL || told || getenv(OPTIONS_ENV) == NULL)
		return env;
	told = true;
	IOASID_LOG(WARNING, OPTIONS_ENV " is not read, as this program has set-user-ID or file "
					"capabilities: give the options as arguments");
	return NULL;
}

int
options_env(void)
{
	static bool done;
	static int result;
	const char *env;
	char *text;

	env = done ? NULL : trusted_env();
	if (env == NULL)
		return result;
	done = true;
	text = strdup(env);
	result = text != NULL ? parse_words(text) : -ENOMEM;
	free(text);
	return result;
}
