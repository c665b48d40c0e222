/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gelf.h>

#include "elf_facts.h"

#define EAL "librte_eal.so."

void
elf_find_abi(const char *text, char abi[ABI_SIZE])
{
	const char *found = strstr(text, EAL);

	abi[0] = '\0';
	if (found == NULL)
		return;
	found += strlen(EAL);
	snprintf(abi, ABI_SIZE, "%.*s", (int)strspn(found, "0123456789."), found);
}

static void
read_interpreter(Elf *elf, struct elf_facts *facts)
{
	Elf_Data *data;
	GElf_Phdr ph;
	size_t n;

	if (elf_getphdrnum(elf, &n) != 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (gelf_getphdr(elf, (int)i, &ph) == NULL || ph.p_type != PT_INTERP)
			continue;
		data = elf_getdata_rawchunk(elf, (int64_t)ph.p_offset, ph.p_filesz, ELF_T_BYTE);
		if (data != NULL)
			snprintf(facts->interpreter, sizeof(facts->interpreter), "%.*s",
				 (int)data->d_size, (const char *)data->d_buf);
	}
}

static void
read_needed(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, struct elf_facts *facts)
{
	Elf_Data *data = elf_getdata(section, NULL);
	const char *name;
	GElf_Dyn dyn;

	if (data == NULL)
		return;
	for (int i = 0; facts->abi[0] == '\0' && gelf_getdyn(data, i, &dyn) != NULL; i++) {
		if (dyn.d_tag != DT_NEEDED)
			continue;
		name = elf_strptr(elf, header->sh_link, dyn.d_un.d_val);
		if (name != NULL)
			elf_find_abi(name, facts->abi);
	}
}

static void
read_dynamic(Elf *elf, struct elf_facts *facts)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(elf, section)) != NULL)
		if (gelf_getshdr(section, &header) != NULL && header.sh_type == SHT_DYNAMIC)
			read_needed(elf, section, &header, facts);
}

int
elf_read(const char *path, struct elf_facts *facts)
{
	int err = -ENOEXEC;
	Elf *elf;
	int fd;

	memset(facts, 0, sizeof(*facts));
	elf_version(EV_CURRENT);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf != NULL && elf_kind(elf) == ELF_K_ELF) {
		read_interpreter(elf, facts);
		read_dynamic(elf, facts);
		err = 0;
	}
	elf_end(elf);
	close(fd);
	return err;
}
