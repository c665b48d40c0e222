/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef FUZZ_H
#define FUZZ_H

/* What the targets of libFuzzer have in common. devtools/fuzz builds and runs them. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* libFuzzer's: one input. Each target prints nothing, and leaves nothing behind. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A stream that forgets what is printed to it, so that messages are made and not shown. */
FILE *fuzz_nowhere(void);

/* The input as text that ends with a zero, for free(). */
char *fuzz_text(const uint8_t *data, size_t size);

/*
 * The input as an archive of files and symbolic links, each begun by a line: "= PATH", what
 * follows is the content, or "> PATH TARGET".
 */
struct fuzz_entry {
	char *path;
	char *target; /* of a link; NULL: a file */
	const char *content;
	size_t size;
};

#define FUZZ_ENTRIES 128

/* text: of fuzz_text(), which is changed. How many there are; those that are too much are not. */
unsigned int fuzz_archive(char *text, size_t size, struct fuzz_entry entries[FUZZ_ENTRIES]);

#endif /* FUZZ_H */
