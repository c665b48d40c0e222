/* SPDX-License-Identifier: BSD-3-Clause */

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>

#include "log.h"
#include "process.h"
#include "survivor.h"

/* Whether a process has a file in a directory open. Its id alone could be used anew. */
static bool
has_file_of(long pid, const char *directory)
{
	char path[PATH_MAX], file[PATH_MAX];
	size_t length = strlen(directory);
	struct dirent *e;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
	dir = opendir(path);
	if (dir == NULL)
		return false;
	while (!found && (e = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, file, sizeof(file));

		found = n > (ssize_t)length && strncmp(file, directory, length) == 0 &&
			file[length] == '/';
	}
	closedir(dir);
	return found;
}

void
survivor_report(void)
{
	static bool told;
	char directory[PATH_MAX], name[PROCESS_NAME_SIZE], id[24];
	struct dirent *e;
	DIR *dir;
	long pid;

	/* /var/run is a link. */
	if (told || rte_eal_process_type() != RTE_PROC_PRIMARY ||
	    realpath(rte_eal_get_runtime_dir(), directory) == NULL)
		return;
	dir = opendir(directory);
	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		/* EAL gives the socket of a secondary this name; ours has no number. */
		if (sscanf(e->d_name, "mp_socket_%ld_", &pid) != 1 || pid == (long)getpid() ||
		    !has_file_of(pid, directory))
			continue;
		snprintf(id, sizeof(id), "%ld", pid);
		process_name(id, name);
		told = true;
		IOASID_LOG(
			ERR,
			"process %ld (%s) was a secondary of a primary process that has ended, "
			"and keeps its memory and devices: end it before you start a new primary",
			pid, name);
	}
	closedir(dir);
}
