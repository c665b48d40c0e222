/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_ELF_FACTS_H
#define IOASID_ELF_FACTS_H

/* What is wanted to know of a program or a shared library. */

#include <limits.h>

#define ABI_SIZE 16

struct elf_facts {
	char interpreter[PATH_MAX]; /* the dynamic linker; "": none, the program is static */
	char abi[ABI_SIZE];         /* "23" if it needs librte_eal.so.23 itself; "" if not */
};

/* 0, -ENOEXEC: not ELF, or -errno. */
int elf_read(const char *path, struct elf_facts *facts);

/* The ABI in a name "librte_eal.so.23", wherever it is in the text; "" if nowhere. */
void elf_find_abi(const char *text, char abi[ABI_SIZE]);

#endif /* IOASID_ELF_FACTS_H */
