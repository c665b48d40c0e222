/* SPDX-License-Identifier: BSD-3-Clause */

#include <stdio.h>
#include <stdlib.h>

#include <rte_log.h>

#include "captured_log.h"

static char *text;
static size_t size;
static FILE *file;

int
log_capture(void)
{
	file = open_memstream(&text, &size);
	return file != NULL ? rte_openlog_stream(file) : -1;
}

void
log_release(void)
{
	rte_openlog_stream(NULL);
	fclose(file);
	free(text);
}

const char *
logged(void)
{
	fflush(file);
	return text;
}
