/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The walk through a loaded object's relocations: the input is an object's memory, and where in it
 * its headers claim that things are. Real are only its segments, which the kernel has mapped.
 */

#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sanitizer/asan_interface.h>

#include "fuzz.h"
#include "redirect.h"

/* The processes' objects, for redirect.c. */
int fuzz_iterate_phdr(int (*call)(struct dl_phdr_info *info, size_t size, void *arg), void *arg);

/* What stands before the memory in the input. */
struct __attribute__((packed)) headers {
	uint64_t dynamic, dynamic_size; /* offsets, as all */
	uint64_t relro, relro_size;
	uint16_t read_only; /* so many bytes from the beginning on */
};

/* Two pages, and one before and behind it that nobody may touch. */
#define PAGES 2

static struct dl_phdr_info object;

int
fuzz_iterate_phdr(int (*call)(struct dl_phdr_info *info, size_t size, void *arg), void *arg)
{
	return call(&object, sizeof(object), arg);
}

static void
answer(void)
{
}

static const struct redirect table[] = {
	{ "open", answer },
	{ "rte_vfio_enable", answer },
};

static char *
make_pages(size_t page)
{
	static char *pages;

	if (pages == NULL) {
		pages = mmap(NULL, (PAGES + 2) * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
		assert(pages != MAP_FAILED);
	}
	/* As they are before anything has been protected. */
	assert(mprotect(pages + page, PAGES * page, PROT_READ | PROT_WRITE) == 0);
	return pages + page;
}

static void
walk(char *memory, size_t read_only)
{
	char before[PAGES * 4096];
	int n;

	memcpy(before, memory, read_only);
	n = redirect_count(memory, table[0].name);
	assert(n >= 0 && redirect_count(memory, "") >= 0);
	assert(redirect_in(memory, table, 2) >= 0);
	assert(memcmp(before, memory, read_only) == 0);
	assert(redirect_all(table, 2) >= 0);
	assert(memcmp(before, memory, read_only) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct headers headers;
	char *pages, *memory;

	if (size < sizeof(headers))
		return 0;
	memcpy(&headers, data, sizeof(headers));
	data += sizeof(headers);
	/* Whole words: it begins where words do, and ends where the page does. */
	size = (size - sizeof(headers)) & ~(size_t)7;
	if (size > PAGES * page)
		size = PAGES * page;
	if (headers.read_only > size)
		headers.read_only = (uint16_t)size;

	const ElfW(Phdr) segments[] = {
		{ .p_type = PT_LOAD, .p_flags = PF_R, .p_memsz = headers.read_only },
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R | PF_W,
		  .p_vaddr = headers.read_only,
		  .p_memsz = size - headers.read_only },
		{ .p_type = PT_DYNAMIC,
		  .p_vaddr = headers.dynamic,
		  .p_memsz = headers.dynamic_size },
		{ .p_type = PT_GNU_RELRO, .p_vaddr = headers.relro, .p_memsz = headers.relro_size },
	};

	pages = make_pages(page);
	memory = pages + PAGES * page - size;
	ASAN_UNPOISON_MEMORY_REGION(pages, PAGES * page);
	ASAN_POISON_MEMORY_REGION(pages, (size_t)(memory - pages));
	memcpy(memory, data, size);
	object = (struct dl_phdr_info){
		.dlpi_addr = (ElfW(Addr))memory,
		.dlpi_phdr = segments,
		.dlpi_phnum = headers.relro_size != 0 ? 4 : 3,
	};
	walk(memory, headers.read_only);
	ASAN_UNPOISON_MEMORY_REGION(pages, PAGES * page);
	return 0;
}
