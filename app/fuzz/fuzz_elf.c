/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The program that `dpdk-ioasid run` is given, as an ELF file, and what its dynamic linker prints
 * of it.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
/* Not what starts the dynamic linker. */
#include "application.c"

static void
check_abi(const char *abi)
{
	assert(strlen(abi) < ABI_SIZE && abi[strspn(abi, "0123456789.")] == '\0');
}

static void
fuzz_file(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct elf_facts facts;
	char path[64];

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	assert(fd >= 0 && ftruncate(fd, 0) == 0);
	assert(pwrite(fd, data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (elf_read(path, &facts) < 0)
		return;
	assert(strlen(facts.interpreter) < sizeof(facts.interpreter));
	check_abi(facts.abi);
}

static void
fuzz_list(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct application *app = calloc(1, sizeof(*app));

	assert(app != NULL);
	read_list(app, text);
	check_abi(app->abi);
	assert(strlen(app->eal) < sizeof(app->eal));
	free(app);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(data, size);
	fuzz_list(data, size);
	return 0;
}
