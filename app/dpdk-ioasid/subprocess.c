/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "subprocess.h"

extern char **environ;

static char *
read_all(int fd)
{
	char *text = NULL, buf[4096];
	size_t size;
	FILE *f = open_memstream(&text, &size);
	ssize_t n;

	if (f == NULL)
		return NULL;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, f);
	fclose(f);
	return text;
}

static int
start(char *const argv[], int output, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int err;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	err = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

int
spawn(char *const argv[], char **output)
{
	int fds[2], status, err;
	pid_t pid;

	*output = NULL;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	err = start(argv, fds[1], &pid);
	close(fds[1]);
	if (err == 0) {
		*output = read_all(fds[0]);
		if (waitpid(pid, &status, 0) < 0)
			err = -errno;
		else
			err = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	close(fds[0]);
	return err;
}

/* 0, -EACCES: there, but it may not be executed; -ENOENT */
static int
check_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return -EACCES;
	return 0;
}

int
spawn_find(const char *name, char *path, unsigned long size)
{
	const char *dirs = getenv("PATH");
	int err = -ENOENT;

	if (strchr(name, '/') != NULL) {
		snprintf(path, size, "%s", name);
		return check_program(path);
	}
	if (dirs == NULL)
		dirs = DEFAULT_PATH;
	for (;;) {
		const size_t n = strcspn(dirs, ":");

		/* An empty entry is the current directory. */
		snprintf(path, size, "%.*s/%s", n > 0 ? (int)n : 1, n > 0 ? dirs : ".", name);
		if (check_program(path) == 0)
			return 0;
		/* A directory that may not be searched says nothing. */
		if (access(path, F_OK) == 0)
			err = -EACCES;
		if (dirs[n] == '\0')
			return err;
		dirs += n + 1;
	}
}
