/* SPDX-License-Identifier: BSD-3-Clause */

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "process.h"

/* Not isprint(): the program's locale is not that of the terminal. */
char *
printable(char *text)
{
	for (char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return text;
}

void
process_name(const char *pid, char name[PROCESS_NAME_SIZE])
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, name, PROCESS_NAME_SIZE - 1);
		close(fd);
	}
	if (n <= 0) {
		snprintf(name, PROCESS_NAME_SIZE, "?");
		return;
	}
	/* The kernel ends it with a line end, and a name may hold one itself. */
	name[name[n - 1] == '\n' ? n - 1 : n] = '\0';
	printable(name);
}
