/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What went wrong, in a sentence a user can act on. The table holds what an errno of
 * a kernel call means, as said by Documentation/userspace-api/iommufd.rst and found
 * in the kernel's source; what is not in it is printed with strerror().
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "ioasid.h"

static _Thread_local char sentence[ERROR_SIZE];

static const struct {
	enum ioasid_call call;
	int err;
	const char *text;
} meanings[] = {
	{ CALL_OPEN, ENOENT,
	  "does not exist: the kernel has no iommufd (CONFIG_IOMMUFD, Linux 6.2; "
	  "module iommufd), or the container was not given the node" },
	{ CALL_OPEN, ENODEV, "has no driver behind it: load the module iommufd" },
	{ CALL_OPEN, ENXIO, "has no driver behind it: load the module iommufd" },
	{ CALL_OPEN, EACCES,
	  "may not be opened by this user: give access by a udev rule or "
	  "`chown USER NODE`, or run as root" },
	{ CALL_OPEN, EPERM,
	  "may not be opened here: the container's device cgroup forbids it; "
	  "start the container with --device of this node" },

	{ CALL_PROBE, ENOTTY, "is not an iommufd: name the node of /dev/iommu" },
	{ CALL_PROBE, EACCES, "a security module of the kernel forbids its calls" },
	{ CALL_PROBE, EPERM,
	  "a filter of system calls (seccomp) or a security module forbids its calls" },

	{ CALL_OPEN_CDEV, ENOENT,
	  "its device node is missing: udev has not made it, or the container "
	  "was not given it" },
	{ CALL_OPEN_CDEV, EACCES,
	  "its device node may not be opened by this user: give access by a "
	  "udev rule or `chown USER NODE`, or run as root" },
	{ CALL_OPEN_CDEV, EPERM,
	  "its device node may not be opened here: the container's device "
	  "cgroup forbids it; start the container with --device of this node" },
	{ CALL_OPEN_CDEV, EBUSY, "its device node is in exclusive use" },

	{ CALL_BIND, EBUSY,
	  "its IOMMU group is in use through /dev/vfio/GROUP, or not on its default "
	  "domain: stop the program that uses it" },
	{ CALL_BIND, EPERM,
	  "its IOMMU group belongs to somebody else (a kernel driver, another "
	  "process), or its interrupts are not isolated: release the other devices of the group, "
	  "or "
	  "switch interrupt remapping on, or accept the risk by "
	  "iommufd.allow_unsafe_interrupts=1" },
	{ CALL_BIND, EINVAL,
	  "is bound already by another process, or the platform does not allow it "
	  "(firmware region mapped 1:1 for the group, IOMMU not cache-coherent): see the kernel "
	  "log" },
	{ CALL_BIND, EBADF, "the fd given as /dev/ioasid is not an iommufd" },
	{ CALL_BIND, EBADFD, "the fd given as /dev/ioasid is not an iommufd" },
	{ CALL_BIND, ENOTTY,
	  "the kernel's VFIO has no device cdevs: it needs Linux 6.6 and "
	  "CONFIG_VFIO_DEVICE_CDEV" },

	{ CALL_BIND, EKEYREJECTED,
	  "it is a virtual function whose physical function is on a VFIO driver, or one whose "
	  "virtual functions are in use: give the VF token that they share" },

	{ CALL_TOKEN, EKEYREJECTED,
	  "the VF token is not the one that its physical function, or the users of its virtual "
	  "functions, have set: give both programs the same" },

	{ CALL_ATTACH, EINVAL,
	  "has not joined, its IOMMU group is attached to another IOASID, or this kernel's "
	  "iommufd cannot use its IOMMU (VT-d without a second stage): try a newer kernel" },
	{ CALL_ATTACH, ENOENT, "there is no such IOASID" },
	{ CALL_ATTACH, EADDRINUSE,
	  "memory is mapped, or an IOVA range is promised, at addresses that its IOMMU reserves "
	  "or cannot reach: move it" },
	{ CALL_ATTACH, EBUSY,
	  "its IOMMU group is in use by another page table, or being reset: try "
	  "again" },
	{ CALL_ATTACH, ENOMEM,
	  "the mapped memory could not be pinned: raise RLIMIT_MEMLOCK "
	  "(ulimit -l, LimitMEMLOCK=) or the memory cgroup's limit" },
	{ CALL_ATTACH, EPERM,
	  "a security module of the kernel forbids it (`dpdk-ioasid guard` is one)" },
	{ CALL_ATTACH, EFAULT, "memory that was mapped has gone from the process" },

	{ CALL_FREE, ENOENT, "does not exist" },
	{ CALL_FREE, EBUSY, "still has devices attached: move them or let them leave first" },

	{ CALL_RANGES, ENOENT, "does not exist" },

	{ CALL_ALLOW, ENOENT, "does not exist" },
	{ CALL_ALLOW, EINVAL, "the ranges are empty or overlap" },
	{ CALL_ALLOW, EADDRINUSE,
	  "an attached device reserves addresses in the range, or its IOMMU cannot reach them: "
	  "choose another range" },
	{ CALL_ALLOW, EOPNOTSUPP, "the kernel has no support for it" },

	{ CALL_COMPAT, ENOENT, "does not exist" },

	{ CALL_MAP, EEXIST, "is mapped already" },
	{ CALL_MAP, EINVAL,
	  "is reserved, beyond what the IOMMU can address, or not a multiple of the "
	  "page size: choose other addresses" },
	{ CALL_MAP, EADDRINUSE, "is reserved by an attached device" },
	{ CALL_MAP, EFAULT, "is not memory of this process, or read-only, or a device's BAR" },
	{ CALL_MAP, ENOMEM,
	  "could not be pinned: raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=) or "
	  "the memory cgroup's limit" },
	{ CALL_MAP, EOVERFLOW, "wraps around the end of the address space" },
	{ CALL_MAP, ENOENT, "there is no such IOASID" },

	{ CALL_MAP_FILE, EEXIST, "is mapped already" },
	{ CALL_MAP_FILE, EINVAL,
	  "is reserved, beyond what the IOMMU can address, or not a multiple of the "
	  "page size; or the file is neither hugetlbfs nor shared memory, or too short" },
	{ CALL_MAP_FILE, EADDRINUSE, "is reserved by an attached device" },
	{ CALL_MAP_FILE, EBADF, "the file is not open" },
	{ CALL_MAP_FILE, ENOMEM,
	  "could not be pinned: raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=) or "
	  "the memory cgroup's limit" },
	{ CALL_MAP_FILE, EOVERFLOW, "wraps around the end of the address space or of the file" },
	{ CALL_MAP_FILE, ENOENT, "there is no such IOASID" },

	{ CALL_UNMAP, ENOENT, "is not mapped, or only as part of a larger map" },
};

/* Of any call, unless it is above. */
static const struct {
	int err;
	const char *text;
} general_meanings[] = {
	{ EMFILE,
	  "this process may not open more files: raise its limit (ulimit -n, LimitNOFILE=)" },
	{ ENFILE, "the system may not open more files: raise fs.file-max" },
	{ ENODEV, "the device is going away" },
	{ ENOMEM, "the kernel is out of memory" },
};

static const char *const call_names[] = {
	[CALL_OPEN] = "open",
	[CALL_PROBE] = "open",
	[CALL_OPEN_CDEV] = "open",
	[CALL_BIND] = "JOIN",
	[CALL_TOKEN] = "JOIN",
	[CALL_SET_TOKEN] = "set the VF token",
	[CALL_ATTACH] = "ATTACH",
	[CALL_DETACH] = "DETACH",
	[CALL_FREE] = "free",
	[CALL_ALLOC] = "allocate an IOASID",
	[CALL_MAP] = "map",
	[CALL_RANGES] = "IOVA ranges",
	[CALL_ALLOW] = "allow IOVA ranges",
	[CALL_MAP_FILE] = "map",
	[CALL_UNMAP] = "unmap",
	[CALL_INFO] = "ask VFIO",
	[CALL_COMPAT] = "choose for VFIO's own calls",
};

static const char *
find_meaning(enum ioasid_call call, int err)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].call == call && meanings[i].err == err)
			return meanings[i].text;
	for (size_t i = 0; i < sizeof(general_meanings) / sizeof(general_meanings[0]); i++)
		if (general_meanings[i].err == err)
			return general_meanings[i].text;
	return "the kernel refused";
}

int
error_call(enum ioasid_call call, int err, const char *subject, const char *detail)
{
	const char *text;

	err = abs(err);
	text = find_meaning(call, err);
	if (detail == NULL)
		detail = "";
	return error_set(err, "%s: %s failed (%s): %s%s%s%s", subject, call_names[call],
			 strerror(err), text, detail[0] != '\0' ? " (" : "", detail,
			 detail[0] != '\0' ? ")" : "");
}

int
error_set(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	return -err;
}

void
error_save(char saved[ERROR_SIZE])
{
	memcpy(saved, sentence, ERROR_SIZE);
}

void
error_restore(const char saved[ERROR_SIZE])
{
	memcpy(sentence, saved, ERROR_SIZE);
}

const char *
ioasid_error(void)
{
	return sentence;
}
