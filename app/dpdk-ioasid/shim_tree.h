/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_SHIM_TREE_H
#define IOASID_SHIM_TREE_H

/* A directory VERSION, build/app/… of scripts that start programs. It appears as a whole. */

#include <limits.h>
#include <stdbool.h>

struct shim_tree {
	char dir[PATH_MAX]; /* absolute */
	char new[PATH_MAX]; /* beside it, until it is complete */
	unsigned int count;
	bool made; /* `dir` was not there */
};

struct shim {
	const char *program; /* absolute or relative to the working directory */
	const char *preload; /* absolute; NULL: none */
	const char *options; /* for OPTIONS_ENV; NULL: none */
};

/* All return 0 or -errno. */

/* -ENOTEMPTY: there is something at `dir` which is no such tree. After 0: shim_tree_close(). */
int shim_tree_begin(struct shim_tree *tree, const char *dir);
int shim_tree_version(struct shim_tree *tree, const char *version);
/* The script has the name of the program; a second one of that name is left out. */
int shim_tree_add(struct shim_tree *tree, const struct shim *shim);
/* Put it in place. */
int shim_tree_end(struct shim_tree *tree);
/* What is not in place is removed. */
void shim_tree_close(struct shim_tree *tree);

#endif /* IOASID_SHIM_TREE_H */
