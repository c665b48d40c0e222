/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static ssize_t
forget(void *cookie, const char *text, size_t size)
{
	(void)cookie;
	(void)text;
	return (ssize_t)size;
}

FILE *
fuzz_nowhere(void)
{
	static FILE *nowhere;

	if (nowhere == NULL)
		nowhere = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = forget });
	assert(nowhere != NULL);
	return nowhere;
}

char *
fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	assert(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* ---- archives */

static bool
begins_entry(const char *line)
{
	return (line[0] == '=' || line[0] == '>') && line[1] == ' ';
}

/* The next line that begins an entry, `end` if there is none. */
static char *
next_entry(char *line, char *end)
{
	while (line < end && !begins_entry(line)) {
		line = memchr(line, '\n', (size_t)(end - line));
		line = line != NULL ? line + 1 : end;
	}
	return line;
}

/* The entry between two places; false: its first line is not whole. */
static bool
read_entry(char *begin, char *end, struct fuzz_entry *entry)
{
	const bool is_link = begin[0] == '>';
	char *line_end = memchr(begin, '\n', (size_t)(end - begin));

	if (line_end == NULL)
		return false;
	*line_end = '\0';
	*entry = (struct fuzz_entry){
		.path = begin + 2,
		.content = line_end + 1,
		.size = (size_t)(end - line_end - 1),
	};
	if (!is_link)
		return true;
	entry->target = strchr(entry->path, ' ');
	if (entry->target == NULL)
		return false;
	*entry->target++ = '\0';
	return true;
}

unsigned int
fuzz_archive(char *text, size_t size, struct fuzz_entry entries[FUZZ_ENTRIES])
{
	char *const end = text + size;
	unsigned int count = 0;

	for (char *line = next_entry(text, end); line < end && count < FUZZ_ENTRIES;) {
		char *next = memchr(line, '\n', (size_t)(end - line));

		next = next != NULL ? next_entry(next + 1, end) : end;
		count += read_entry(line, next, &entries[count]);
		line = next;
	}
	return count;
}
