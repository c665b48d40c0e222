/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * dpdk-ioasid dts-tree: what DPDK's test suite (DTS) takes for a DPDK that was built before,
 * made of the installed one. DTS reads DIR/VERSION and starts DIR/build/app/dpdk-*.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "application.h"
#include "command.h"
#include "machine/dpdk.h"
#include "plugin_options.h"
#include "shim_tree.h"
#include "subprocess.h"

#define PREFIX  "dpdk-"
#define TESTPMD "dpdk-testpmd"

struct dts_tree {
	const char *dir;
	char *options; /* for OPTIONS_ENV */
	bool stock;
};

enum { KEY_STOCK = 256 };

static const struct argp_option options[] = {
	{ "stock", KEY_STOCK, NULL, 0,
	  "Without the plugin: stock EAL, to compare with or to find out whose fault it is", 0 },
	{ 0 },
};

static const char doc[] =
	"Write a tree for DPDK's test suite (DTS), by which it tests the installed DPDK under the "
	"plugin: VERSION, and in build/app a script for each of DPDK's applications that PATH "
	"has. It replaces such a tree, or an empty directory, and nothing else."
	"\vThe options are those of `dpdk-ioasid run` and become part of the scripts. In DTS's "
	"test_run.yaml the tree is dpdk_tree, with remote: true where it is on the tested machine, "
	"and precompiled_build_dir is build.\n\n"
	"Exit status: 0 if it was written; 1 if not; 2 if the arguments are wrong.";

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct dts_tree *tree = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &tree->options;
		return 0;
	case KEY_STOCK:
		tree->stock = true;
		return 0;
	case ARGP_KEY_ARG:
		if (tree->dir != NULL)
			argp_error(state, "one directory, please");
		tree->dir = arg;
		return 0;
	case ARGP_KEY_END:
		if (tree->dir == NULL || tree->dir[0] == '\0')
			argp_error(state, "which directory?");
		if (tree->stock && tree->options != NULL)
			argp_error(state, "--stock is without the plugin, and so without %s",
				   tree->options);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int
refuse(const char *why)
{
	fprintf(stderr, "dpdk-ioasid dts-tree: %s\n", why);
	return STATUS_NO;
}

/* ---- applications */

/* 0: it has its script, or is left out, which is said; or -errno. */
static int
add_application(const struct dts_tree *tree, struct shim_tree *shims, struct application *app)
{
	struct shim shim = { .program = app->path, .options = tree->options };
	struct plugin plugin;

	if (!tree->stock) {
		if (application_plugin(app, &plugin) != 0) {
			fprintf(stderr, "dpdk-ioasid dts-tree: left out: %s\n", app->why);
			return 0;
		}
		shim.preload = plugin.path;
	}
	return shim_tree_add(shims, &shim);
}

static int
add_named(const struct dts_tree *tree, const char *abi, struct shim_tree *shims, const char *name)
{
	char *argv[] = { strdupa(name), NULL };
	struct application app;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || application_find(argv, NULL, &app) != 0 ||
	    strcmp(app.abi, abi) != 0)
		return 0;
	return add_application(tree, shims, &app);
}

static int
add_directory(const struct dts_tree *tree, const char *abi, struct shim_tree *shims,
	      const char *path)
{
	const struct dirent *entry;
	DIR *dir = opendir(path);
	int err = 0;

	if (dir == NULL)
		return 0;
	while (err == 0 && (entry = readdir(dir)) != NULL)
		err = add_named(tree, abi, shims, entry->d_name);
	closedir(dir);
	return err;
}

/* A name that several directories have is the same application each time: PATH's first. */
static int
add_all(const struct dts_tree *tree, const char *abi, struct shim_tree *shims)
{
	const char *path = getenv("PATH");
	char *dirs = strdup(path != NULL ? path : DEFAULT_PATH), *save = NULL;
	int err = dirs != NULL ? 0 : -ENOMEM;

	for (char *dir = dirs != NULL ? strtok_r(dirs, ":", &save) : NULL; err == 0 && dir != NULL;
	     dir = strtok_r(NULL, ":", &save))
		err = add_directory(tree, abi, shims, dir);
	free(dirs);
	return err;
}

/* ---- the tree */

static int
fill(const struct dts_tree *tree, const struct application *testpmd, struct shim_tree *shims)
{
	char version[64];
	int err = dpdk_version(testpmd->eal, version, sizeof(version));

	if (err < 0) {
		fprintf(stderr, "dpdk-ioasid dts-tree: %s does not tell DPDK's version\n",
			testpmd->eal);
		return err;
	}
	err = shim_tree_version(shims, version);
	if (err == 0)
		err = add_all(tree, testpmd->abi, shims);
	if (err == 0)
		err = shim_tree_end(shims);
	if (err < 0)
		fprintf(stderr, "dpdk-ioasid dts-tree: %s: %s\n", shims->dir, strerror(-err));
	else
		printf("%s: DPDK %s, %u applications %s\n", shims->dir, version, shims->count,
		       tree->stock ? "with stock EAL" : "under the plugin");
	return err;
}

static int
write_tree(const struct dts_tree *tree)
{
	char *argv[] = { (char[]){ TESTPMD }, NULL };
	struct application testpmd;
	struct shim_tree shims;
	struct plugin plugin;
	int err;

	if (application_find(argv, NULL, &testpmd) != 0) {
		refuse(testpmd.why);
		return refuse("DTS runs " TESTPMD ": install DPDK's applications (Debian: "
			      "dpdk-dev)");
	}
	if (!tree->stock && application_plugin(&testpmd, &plugin) != 0)
		return refuse(testpmd.why);
	err = shim_tree_begin(&shims, tree->dir);
	if (err == -ENOTEMPTY) {
		fprintf(stderr,
			"dpdk-ioasid dts-tree: %s is there and holds something else: name another "
			"directory\n",
			tree->dir);
		return STATUS_NO;
	}
	if (err < 0) {
		fprintf(stderr, "dpdk-ioasid dts-tree: %s: %s\n", tree->dir, strerror(-err));
		return STATUS_NO;
	}
	err = fill(tree, &testpmd, &shims);
	shim_tree_close(&shims);
	return err < 0 ? STATUS_NO : STATUS_OK;
}

int
command_dts_tree(int argc, char **argv)
{
	const struct argp argp = { options, parse, "DIR", doc, plugin_options, NULL, NULL };
	struct dts_tree tree = { 0 };
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &tree);
	status = write_tree(&tree);
	free(tree.options);
	return status;
}
