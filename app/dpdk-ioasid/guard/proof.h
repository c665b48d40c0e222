/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef GUARD_PROOF_H
#define GUARD_PROOF_H

/*
 * That the kernel asks the guard, and that its answer counts, is shown and not assumed: where
 * `bpf` is not among the security modules that the kernel has in force, their programs attach
 * and are never called.
 */

#include <stddef.h>

enum proof_result {
	PROOF_GOOD,
	PROOF_SILENT, /* programs are not asked */
	PROOF_COMPAT, /* they are, but not for 32-bit programs, which this kernel runs */
	PROOF_BLIND,  /* they do not recognize VFIO's files */
	PROOF_FAILED, /* it could not be tried */
};

/*
 * map: the fd of `proof`. Others must not make one at the same time.
 */
enum proof_result proof_make(int map);
const char *proof_text(enum proof_result result);

#endif /* GUARD_PROOF_H */
