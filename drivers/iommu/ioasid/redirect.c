/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The dynamic linker has already looked up what an object refers to and has stored
 * the addresses in slots that the relocations of the object name. The relocations
 * stay in memory, so the slots can be found again and changed.
 *
 * Whatever the headers and tables of an object claim is checked against its segments:
 * an odd object is passed over, it does not crash the process.
 */

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "redirect.h"

#if defined(__x86_64__)
#define RELOC_PLT  R_X86_64_JUMP_SLOT /* calls */
#define RELOC_GOT  R_X86_64_GLOB_DAT  /* calls under -fno-plt; addresses of functions */
#define RELOC_DATA R_X86_64_64        /* pointers to functions in data */
#elif defined(__aarch64__)
#define RELOC_PLT  R_AARCH64_JUMP_SLOT
#define RELOC_GOT  R_AARCH64_GLOB_DAT
#define RELOC_DATA R_AARCH64_ABS64
#endif

#ifdef RELOC_PLT

struct walk {
	const struct redirect *table;
	size_t count;
	uintptr_t only; /* in the object that holds this address; 0: in all but ours */
	bool look;      /* change nothing */
	int found;      /* references, those changed or those there are */
	int error;
};

struct object {
	const struct dl_phdr_info *info;
	const ElfW(Dyn) * dynamic;
	size_t ndynamic;
	uintptr_t symbols;
	const char *strings;
	size_t strings_size;
};

/* Whether one segment of the object holds [at, at + size) and has all these flags. */
static bool
in_segment(const struct dl_phdr_info *info, uintptr_t at, size_t size, ElfW(Word) flags)
{
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		const uintptr_t start = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD && (p->p_flags & flags) == flags && at >= start &&
		    at - start <= p->p_memsz && size <= p->p_memsz - (at - start))
			return true;
	}
	return false;
}

static const ElfW(Phdr) * find_phdr(const struct dl_phdr_info *info, ElfW(Word) type)
{
	for (unsigned int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == type)
			return &info->dlpi_phdr[i];
	return NULL;
}

/* The value of an entry of the dynamic section, 0 if there is none. */
static ElfW(Xword) dynamic_value(const struct object *o, ElfW(Sxword) tag)
{
	for (size_t i = 0; i < o->ndynamic && o->dynamic[i].d_tag != DT_NULL; i++)
		if (o->dynamic[i].d_tag == tag)
			return o->dynamic[i].d_un.d_val;
	return 0;
}

/*
 * The same for an entry that is an address: of `size` readable bytes, else 0. glibc
 * has added the load address to it where it could write there, others do not.
 */
static uintptr_t
dynamic_address(const struct object *o, ElfW(Sxword) tag, size_t size)
{
	uintptr_t at = dynamic_value(o, tag);

	if (at == 0)
		return 0;
	if (!in_segment(o->info, at, size, PF_R))
		at += o->info->dlpi_addr;
	return in_segment(o->info, at, size, PF_R) ? at : 0;
}

/* False: nothing that could be redirected. */
static bool
read_object(const struct dl_phdr_info *info, struct object *o)
{
	const ElfW(Phdr) *p = find_phdr(info, PT_DYNAMIC);
	uintptr_t at;

	if (p == NULL)
		return false;
	at = info->dlpi_addr + p->p_vaddr;
	if (!in_segment(info, at, p->p_memsz, PF_R) || at % sizeof(ElfW(Addr)) != 0)
		return false;
	*o = (struct object){
		.info = info,
		.dynamic = (const ElfW(Dyn) *)at,
		.ndynamic = p->p_memsz / sizeof(ElfW(Dyn)),
	};
	o->symbols = dynamic_address(o, DT_SYMTAB, sizeof(ElfW(Sym)));
	o->strings_size = dynamic_value(o, DT_STRSZ);
	o->strings = (const char *)dynamic_address(o, DT_STRTAB, o->strings_size);
	return o->symbols != 0 && o->symbols % sizeof(ElfW(Addr)) == 0 && o->strings != NULL;
}

/* The name of a symbol that is looked up by name, else NULL. */
static const char *
symbol_name(const struct object *o, size_t index)
{
	const uintptr_t at = o->symbols + index * sizeof(ElfW(Sym));
	const ElfW(Sym) *symbol = (const ElfW(Sym) *)at;

	if (index == STN_UNDEF || !in_segment(o->info, at, sizeof(*symbol), PF_R) ||
	    ELF64_ST_BIND(symbol->st_info) == STB_LOCAL || symbol->st_name >= o->strings_size)
		return NULL;
	return o->strings + symbol->st_name;
}

/*
 * The name ends with its table at the latest. That the table ends with a zero would not do: an
 * odd object has slots in its table, and what is stored there takes the zero away.
 */
static const struct redirect *
find_redirect(const struct walk *w, const struct object *o, const char *name)
{
	const size_t left = (size_t)(o->strings + o->strings_size - name);

	for (size_t i = 0; i < w->count; i++)
		if (strncmp(w->table[i].name, name, left) == 0 && strlen(w->table[i].name) < left)
			return &w->table[i];
	return NULL;
}

/* Whether the dynamic linker has made this address read-only after relocation. */
static bool
in_relro(const struct object *o, uintptr_t at, size_t page_size)
{
	const ElfW(Phdr) *p = find_phdr(o->info, PT_GNU_RELRO);
	uintptr_t start;

	if (p == NULL)
		return false;
	/* It rounds both ends down: a page that is shared with other data stays writable. */
	start = o->info->dlpi_addr + p->p_vaddr;
	return at >= (start & ~(page_size - 1)) && at < ((start + p->p_memsz) & ~(page_size - 1));
}

static int
protect(uintptr_t page, size_t page_size, int protection)
{
	return mprotect((void *)page, page_size, protection) < 0 ? -errno : 0;
}

/* Other threads may be calling through the slot: it is readable and whole all the time. */
static int
store(struct walk *w, const struct object *o, uintptr_t at, uintptr_t value)
{
	const size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	const uintptr_t page = at & ~(page_size - 1);
	const bool relro = in_relro(o, at, page_size);
	uintptr_t *slot = (uintptr_t *)at;
	int ret = 0;

	if (!in_segment(o->info, at, sizeof(*slot), PF_R | PF_W) || at % sizeof(*slot) != 0 ||
	    *slot == value)
		return 0;
	if (relro)
		ret = protect(page, page_size, PROT_READ | PROT_WRITE);
	if (ret < 0)
		return ret;
	__atomic_store_n(slot, value, __ATOMIC_RELEASE);
	w->found++;
	return relro ? protect(page, page_size, PROT_READ) : 0;
}

static int
redirect_one(struct walk *w, const struct object *o, const ElfW(Rela) * rela)
{
	const ElfW(Xword) type = ELF64_R_TYPE(rela->r_info);
	const struct redirect *r;
	const char *name;
	uintptr_t value;

	if (type != RELOC_PLT && type != RELOC_GOT && type != RELOC_DATA)
		return 0;
	name = symbol_name(o, ELF64_R_SYM(rela->r_info));
	r = name != NULL ? find_redirect(w, o, name) : NULL;
	if (r == NULL)
		return 0;
	if (w->look) {
		w->found++;
		return 0;
	}
	value = (uintptr_t)r->to;
	if (type == RELOC_DATA)
		value += (uintptr_t)rela->r_addend;
	return store(w, o, o->info->dlpi_addr + rela->r_offset, value);
}

static int
redirect_relocations(struct walk *w, const struct object *o, ElfW(Sxword) tag,
		     ElfW(Sxword) size_tag)
{
	const size_t size = dynamic_value(o, size_tag);
	const uintptr_t at = dynamic_address(o, tag, size);
	const ElfW(Rela) *rela = (const ElfW(Rela) *)at;
	int ret = 0;

	if (at == 0 || at % sizeof(ElfW(Addr)) != 0)
		return 0;
	for (size_t i = 0; i < size / sizeof(*rela) && ret == 0; i++)
		ret = redirect_one(w, o, &rela[i]);
	return ret;
}

/* Our own references stay: whoever answers in another's place may need to call it. */
static bool
is_wanted(const struct walk *w, const struct dl_phdr_info *info)
{
	if (w->only != 0)
		return in_segment(info, w->only, 1, PF_R);
	return !in_segment(info, (uintptr_t)is_wanted, 1, PF_X);
}

static int
redirect_object(struct dl_phdr_info *info, size_t info_size, void *arg)
{
	struct walk *w = arg;
	struct object o;

	(void)info_size;
	if (!is_wanted(w, info) || !read_object(info, &o))
		return 0;
	w->error = redirect_relocations(w, &o, DT_JMPREL, DT_PLTRELSZ);
	if (w->error == 0)
		w->error = redirect_relocations(w, &o, DT_RELA, DT_RELASZ);
	return w->error;
}

static int
walk(struct walk *w)
{
	/* Holds the dynamic linker's lock: no object comes or goes. */
	dl_iterate_phdr(redirect_object, w);
	return w->error < 0 ? w->error : w->found;
}

int
redirect_all(const struct redirect *table, size_t count)
{
	return walk(&(struct walk){ .table = table, .count = count });
}

int
redirect_in(const void *within, const struct redirect *table, size_t count)
{
	return walk(&(struct walk){ .table = table, .count = count, .only = (uintptr_t)within });
}

int
redirect_count(const void *within, const char *name)
{
	const struct redirect r = { .name = name };

	return walk(
		&(struct walk){ .table = &r, .count = 1, .only = (uintptr_t)within, .look = true });
}

#else

int
redirect_all(const struct redirect *table, size_t count)
{
	(void)table;
	(void)count;
	return -ENOTSUP;
}

int
redirect_in(const void *within, const struct redirect *table, size_t count)
{
	(void)within;
	return redirect_all(table, count);
}

int
redirect_count(const void *within, const char *name)
{
	(void)within;
	(void)name;
	return -ENOTSUP;
}

#endif
