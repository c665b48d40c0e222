/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_ERROR_H
#define IOASID_ERROR_H

/* The kernel's calls, as far as their errno values need an explanation. */
enum ioasid_call {
	CALL_OPEN,      /* subject: path */
	CALL_PROBE,     /* subject: path, or the descriptor */
	CALL_OPEN_CDEV, /* subject: BDF */
	CALL_BIND,      /* subject: BDF */
	CALL_TOKEN,     /* subject: BDF; BIND with a VF token */
	CALL_SET_TOKEN, /* subject: BDF; of a physical function */
	CALL_ATTACH,    /* subject: BDF */
	CALL_DETACH,    /* subject: BDF */
	CALL_ALLOC,     /* subject: path */
	CALL_FREE,      /* subject: the IOASID */
	CALL_RANGES,    /* subject: the IOASID, or the BDF */
	CALL_ALLOW,     /* subject: the IOASID */
	CALL_COMPAT,    /* subject: the IOASID */
	CALL_MAP,       /* subject: the range */
	CALL_MAP_FILE,  /* subject: the range */
	CALL_UNMAP,     /* subject: the range */
	CALL_INFO,      /* subject: BDF; any of VFIO's own about a device */
};

/*
 * Set the thread's sentence to what errno `err` (positive or negative) of a kernel
 * call means to the user and what to do; `detail`, may be NULL, is appended.
 * Returns -err.
 */
int error_call(enum ioasid_call call, int err, const char *subject, const char *detail);

/* Set the thread's sentence. Returns -err. */
int error_set(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What is done in between must not replace the sentence of the call that the user made. */
#define ERROR_SIZE 1024
void error_save(char sentence[ERROR_SIZE]);
void error_restore(const char sentence[ERROR_SIZE]);

#endif /* IOASID_ERROR_H */
