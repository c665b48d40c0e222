/* SPDX-License-Identifier: BSD-3-Clause */

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "guard/needs.h"

#define KERNEL_TYPES "/sys/kernel/btf/vmlinux"
#define BPFFS        "/sys/fs/bpf"

static bool
missing(const char *what, const char *help)
{
	fprintf(stderr, "dpdk-ioasid guard: %s: %s\n", what, help);
	return false;
}

bool
kernel_has(const char *function)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[512], name[256];
	bool found = false;

	if (f == NULL)
		return false;
	/* It has a quarter of a million lines. */
	setvbuf(f, NULL, _IOFBF, 1 << 16);
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = sscanf(line, "%*s %*s %255s", name) == 1 && strcmp(name, function) == 0;
	fclose(f);
	return found;
}

/* The kernel's own types, read once: they are megabytes. NULL: there are none. */
static struct btf *
kernel_types(void)
{
	static struct btf *types;

	if (types == NULL)
		types = btf__load_vmlinux_btf();
	return types;
}

bool
kernel_types_have(const char *function)
{
	const struct btf *types = kernel_types();

	return types != NULL && btf__find_by_name_kind(types, function, BTF_KIND_FUNC) > 0;
}

/* VFIO's types are the kernel's own, or those of its module. */
static bool
has_vfio(void)
{
	struct btf *types = kernel_types(), *module;
	bool found;

	if (types == NULL)
		return false;
	module = btf__load_module_btf("vfio", types);
	found = btf__find_by_name_kind(module != NULL ? module : types, "vfio_device",
				       BTF_KIND_STRUCT) > 0;
	btf__free(module);
	return found;
}

/* Documentation: lockdown(7), kernel_lockdown(7) */
static bool
is_confidential(void)
{
	FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char line[128] = "";

	if (f == NULL)
		return false;
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	return strstr(line, "[confidentiality]") != NULL;
}

static bool
has_bpffs(void)
{
	struct statfs fs;

	return statfs(BPFFS, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

/* The names by which VFIO's files are told: all that the kernel can have of them. */
static bool
knows_files(void)
{
	if (!kernel_has("vfio_device_fops_unl_ioctl"))
		return missing("the function vfio_device_fops_unl_ioctl is not in /proc/kallsyms",
			       "VFIO's files cannot be told from others in this kernel");
	if (access("/sys/class/vfio", F_OK) == 0 && !kernel_has("vfio_group_fops_unl_ioctl"))
		return missing("the function vfio_group_fops_unl_ioctl is not in /proc/kallsyms",
			       "the files of VFIO's groups cannot be told from others in this "
			       "kernel");
	return true;
}

bool
needs_root(void)
{
	return geteuid() == 0 || missing("only root can give programs to the kernel", "use sudo");
}

bool
needs_are_met(void)
{
	if (access(KERNEL_TYPES, R_OK) < 0)
		return missing("the kernel does not tell its types (" KERNEL_TYPES ")",
			       "it needs CONFIG_DEBUG_INFO_BTF, as the kernels of Debian, Ubuntu, "
			       "Fedora and RHEL have it");
	if (is_confidential())
		return missing("the kernel is locked down to confidentiality, so no program may "
			       "read its memory",
			       "boot with lockdown=integrity, or without");
	if (!has_bpffs())
		return missing(BPFFS " is no BPF file system", "mount -t bpf bpf " BPFFS);
	if (!has_vfio())
		return missing("VFIO is not loaded, so the kernel does not tell its types",
			       "modprobe vfio-pci, then start the guard again");
	return knows_files();
}
