/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_SYS_H
#define IOASID_SYS_H

/*
 * Every system call on device nodes, and every look into sysfs and procfs that a decision
 * rests on, goes through this table, so that unit tests can put a fake kernel behind the
 * library: one that answers as they want, is slow, or fails.
 */

#include <dirent.h>
#include <stdint.h>
#include <sys/types.h>

struct ioasid_sys {
	/* As open(2), always close-on-exec: an fd or -errno. */
	int (*open)(const char *path, int flags);
	/* As close(2). */
	void (*close)(int fd);
	/* As ioctl(2): a result >= 0 or -errno. */
	int (*ioctl)(int fd, unsigned long request, void *arg);
	/* As pread(2) and pwrite(2): the number of bytes or -errno. */
	ssize_t (*pread)(int fd, void *buf, size_t size, uint64_t offset);
	ssize_t (*pwrite)(int fd, const void *buf, size_t size, uint64_t offset);
	/* The device number behind a character device's fd: 0 or -errno. */
	int (*rdev)(int fd, dev_t *rdev);
	/*
	 * Make an fd that was inherited close-on-exec: 0; -EBADF not open; -EACCES not open
	 * for both reading and writing.
	 */
	int (*adopt)(int fd);

	/* The beginning of a file: how many bytes, up to size, or -errno. */
	ssize_t (*read_file)(const char *path, void *buf, size_t size);
	/* As readlink(2), with a zero behind: 0; -ENAMETOOLONG it does not fit; -errno. */
	int (*read_link)(const char *path, char *buf, size_t size);
	/*
	 * The entries of a directory but those that begin with a dot, in alphabetic order, as
	 * scandir(3) allocates them: how many or -errno.
	 */
	int (*list)(const char *path, struct dirent ***entries);
};

/* The table in use; only tests change it, before they open a context. */
extern const struct ioasid_sys *ioasid_sys;

#endif /* IOASID_SYS_H */
