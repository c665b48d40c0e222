/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin_options.h"
#include "shim_tree.h"

/* By these lines a script is known as one of ours. */
#define HEAD "#!/bin/sh\n# Written by dpdk-ioasid dts-tree.\n"

/* Deep enough for any tree of ours. */
#define MAX_OPEN 8

/* ---- trees that are there */

static bool
is_shim(const char *path)
{
	char head[sizeof(HEAD)] = "";
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return false;
	head[fread(head, 1, sizeof(HEAD) - 1, f)] = '\0';
	fclose(f);
	return strcmp(head, HEAD) == 0;
}

/* VERSION, build, build/app, and scripts: anything else ends the walk. */
static int
check_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static const char *const dirs[] = { "", "build", "app" };
	const char *name = path + ftw->base;

	(void)st;
	if (ftw->level == 0)
		return type != FTW_D;
	if (type == FTW_D)
		return ftw->level > 2 || strcmp(name, dirs[ftw->level]) != 0;
	if (type != FTW_F)
		return 1;
	if (ftw->level == 1)
		return strcmp(name, "VERSION") != 0;
	return ftw->level != 3 || !is_shim(path);
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
remove_tree(const char *path)
{
	nftw(path, remove_entry, MAX_OPEN, FTW_DEPTH | FTW_PHYS);
}

/* 0: an empty directory or a tree of ours */
static int
check_place(const char *dir)
{
	switch (nftw(dir, check_entry, MAX_OPEN, FTW_PHYS)) {
	case 0:
		return 0;
	case -1:
		return -errno;
	default:
		return -ENOTEMPTY;
	}
}

/* ---- writing */

/* As text in single quotes, which the shell takes as it is. */
static void
put_quoted(FILE *f, const char *text)
{
	putc('\'', f);
	for (; *text != '\0'; text++)
		if (*text == '\'')
			fputs("'\\''", f);
		else
			putc(*text, f);
	putc('\'', f);
}

/* Before what the variable holds when the script is run, as `run` does it. */
static void
put_variable(FILE *f, const char *name, const char *value, char separator)
{
	fprintf(f, "export %s=", name);
	put_quoted(f, value);
	fprintf(f, "\"${%s:+%c$%s}\"\n", name, separator, name);
}

static int
put_shim(FILE *f, const struct shim *shim)
{
	char path[PATH_MAX];

	fputs(HEAD, f);
	if (shim->preload != NULL)
		put_variable(f, "LD_PRELOAD", shim->preload, ':');
	if (shim->options != NULL)
		put_variable(f, OPTIONS_ENV, shim->options, ' ');
	if (realpath(shim->program, path) == NULL)
		return -errno;
	fputs("exec ", f);
	put_quoted(f, path);
	fputs(" \"$@\"\n", f);
	return 0;
}

static int
make_path(const struct shim_tree *tree, const char *name, char path[PATH_MAX])
{
	const int n = snprintf(path, PATH_MAX, "%s/%s", tree->new, name);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* For reading by all, whatever the umask: DTS is another user. */
static FILE *
create(const char *path, mode_t mode)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	FILE *f;

	if (fd < 0)
		return NULL;
	f = fchmod(fd, mode) == 0 ? fdopen(fd, "w") : NULL;
	if (f == NULL)
		close(fd);
	return f;
}

static int
end(FILE *f, int err)
{
	const bool failed = ferror(f) != 0;

	if ((fclose(f) != 0 || failed) && err == 0)
		return -EIO;
	return err;
}

static int
make_dir(const struct shim_tree *tree, const char *name)
{
	char path[PATH_MAX];
	int err = make_path(tree, name, path);

	if (err < 0)
		return err;
	if (mkdir(path, 0755) < 0 || chmod(path, 0755) < 0)
		return -errno;
	return 0;
}

/* ---- the calls */

static int
begin(struct shim_tree *tree)
{
	const int n = snprintf(tree->new, sizeof(tree->new), "%s.XXXXXX", tree->dir);
	int err = check_place(tree->dir);

	if (err < 0)
		return err;
	if (n >= (int)sizeof(tree->new))
		return -ENAMETOOLONG;
	if (mkdtemp(tree->new) == NULL)
		return -errno;
	err = chmod(tree->new, 0755) < 0 ? -errno : 0;
	if (err == 0)
		err = make_dir(tree, "build");
	if (err == 0)
		err = make_dir(tree, "build/app");
	if (err < 0)
		remove_tree(tree->new);
	return err;
}

int
shim_tree_begin(struct shim_tree *tree, const char *dir)
{
	int err;

	*tree = (struct shim_tree){ .made = mkdir(dir, 0755) == 0 };
	if (!tree->made && errno != EEXIST)
		return -errno;
	err = realpath(dir, tree->dir) != NULL ? begin(tree) : -errno;
	if (err < 0 && tree->made)
		rmdir(dir);
	return err;
}

int
shim_tree_version(struct shim_tree *tree, const char *version)
{
	char path[PATH_MAX];
	int err = make_path(tree, "VERSION", path);
	FILE *f;

	if (err < 0)
		return err;
	f = create(path, 0644);
	if (f == NULL)
		return -errno;
	fprintf(f, "%s\n", version);
	return end(f, 0);
}

int
shim_tree_add(struct shim_tree *tree, const struct shim *shim)
{
	const char *slash = strrchr(shim->program, '/');
	char name[sizeof("build/app/") + NAME_MAX], path[PATH_MAX];
	FILE *f;
	int err;

	snprintf(name, sizeof(name), "build/app/%s", slash != NULL ? slash + 1 : shim->program);
	err = make_path(tree, name, path);
	if (err < 0)
		return err;
	f = create(path, 0755);
	if (f == NULL)
		return errno == EEXIST ? 0 : -errno;
	err = end(f, put_shim(f, shim));
	if (err == 0)
		tree->count++;
	return err;
}

/* What was there goes to `new`, and with that away. */
int
shim_tree_end(struct shim_tree *tree)
{
	if (renameat2(AT_FDCWD, tree->new, AT_FDCWD, tree->dir, RENAME_EXCHANGE) < 0)
		return -errno;
	tree->made = false;
	return 0;
}

void
shim_tree_close(struct shim_tree *tree)
{
	remove_tree(tree->new);
	if (tree->made)
		rmdir(tree->dir);
}
