/* SPDX-License-Identifier: BSD-3-Clause */

/* In libFuzzer's place, for the unit tests: the inputs that are files of a directory. */

#include <dirent.h>
#include <err.h>
#include <limits.h>
#include <stdlib.h>

#include "fuzz.h"

static void
replay(const char *path)
{
	static uint8_t data[65536];
	FILE *f = fopen(path, "re");
	size_t size;

	if (f == NULL)
		err(1, "%s", path);
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	/* The last one that is told is the one that failed. */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
}

static int
is_not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
	struct dirent **entries;
	char path[PATH_MAX];
	int n;

	if (argc != 2)
		errx(2, "give a directory of inputs");
	n = scandir(argv[1], &entries, is_not_hidden, alphasort);
	if (n <= 0)
		err(1, "%s: no inputs", argv[1]);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
		replay(path);
		free(entries[i]);
	}
	free(entries);
	return 0;
}
