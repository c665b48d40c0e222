/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_SYS_H
#define IOASID_SYS_H

/*
 * Every system call on device nodes goes through this table, so that unit tests can
 * put a fake kernel behind the library. sysfs is read as ordinary files: its root is
 * a parameter of the calls that need it.
 */

#include <stdint.h>
#include <sys/types.h>

struct ioasid_sys {
	/* As open(2), always close-on-exec: an fd or -errno. */
	int (*open)(const char *path, int flags);
	/* As close(2). */
	void (*close)(int fd);
	/* As ioctl(2): a result >= 0 or -errno. */
	int (*ioctl)(int fd, unsigned long request, void *arg);
	/* The device number behind a character device's fd: 0 or -errno. */
	int (*rdev)(int fd, dev_t *rdev);
	/*
	 * Make an fd that was inherited close-on-exec: 0; -EBADF not open; -EACCES not open
	 * for both reading and writing.
	 */
	int (*adopt)(int fd);
};

/* The table in use; only tests change it, before they open a context. */
extern const struct ioasid_sys *ioasid_sys;

#endif /* IOASID_SYS_H */
