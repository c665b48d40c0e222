/* SPDX-License-Identifier: BSD-3-Clause */

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/needs.h"
#include "guard/proof.h"
#include "guard/shared.h"

#define CONTAINER "/dev/vfio/vfio"

/* How the call of a 32-bit program came back. */
enum answer32 {
	ANSWER_REFUSED,
	ANSWER_OTHER,
	ANSWER_NONE, /* the kernel runs no such programs */
};

static const __u32 zero;

/* How many calls were judged so far; -1: it cannot be read. */
static long
judged(int map, enum guard_kind *kind)
{
	struct guard_proof proof;

	if (bpf_map_lookup_elem(map, &zero, &proof) < 0)
		return -1;
	*kind = (enum guard_kind)proof.kind;
	return proof.judged;
}

/* That the calls of this process with this argument are proofs; 0: those of nobody are. */
static int
expect(int map, pid_t pid, __u32 nonce)
{
	const struct guard_proof proof = { .pid = (__u32)pid, .nonce = nonce };

	return bpf_map_update_elem(map, &zero, &proof, BPF_ANY);
}

static bool
is_refused(int fd, unsigned long call, __u32 nonce)
{
	return ioctl(fd, call, (unsigned long)nonce) < 0 && errno == EPERM;
}

#ifdef __x86_64__
/* ioctl() by the gate of 32-bit programs. */
static enum answer32
call32(int fd, __u32 nonce)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(54), "b"(fd), "c"(GUARD_ATTACH), "d"(nonce)
			 : "memory", "r8", "r9", "r10", "r11");
	result = (int)result;
	if (result == -EPERM)
		return ANSWER_REFUSED;
	return result == -ENOSYS ? ANSWER_NONE : ANSWER_OTHER;
}
#else
static enum answer32
call32(int fd, __u32 nonce)
{
	(void)fd;
	(void)nonce;
	return ANSWER_NONE;
}
#endif

/* In a process of its own, which dies of it where the gate is closed. */
static enum answer32
answer32(int map, int fd, __u32 nonce)
{
	const pid_t child = fork();
	int status;

	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		_exit((int)(expect(map, getpid(), nonce) == 0 ? call32(fd, nonce) : ANSWER_OTHER));
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return ANSWER_OTHER;
	if (WIFSIGNALED(status))
		return ANSWER_NONE;
	return (enum answer32)WEXITSTATUS(status);
}

/* A file of VFIO's that anybody may open, where the kernel has it from VFIO. */
static enum proof_result
prove_kind(int map, __u32 nonce)
{
	const int fd = open(CONTAINER, O_RDWR | O_CLOEXEC);
	enum guard_kind kind = GUARD_KIND_NONE;
	bool refused;

	if (fd < 0)
		return PROOF_GOOD;
	refused = is_refused(fd, GUARD_SET_IOMMU, nonce);
	close(fd);
	if (!refused || judged(map, &kind) < 0)
		return PROOF_SILENT;
	return kind == GUARD_KIND_CONTAINER || !kernel_has("vfio_fops_unl_ioctl") ? PROOF_GOOD
										  : PROOF_BLIND;
}

static enum proof_result
prove(int map, int fd, __u32 nonce)
{
	enum guard_kind kind;

	if (expect(map, getpid(), nonce) < 0)
		return PROOF_FAILED;
	if (!is_refused(fd, GUARD_ATTACH, nonce) || judged(map, &kind) != 1)
		return PROOF_SILENT;
	return prove_kind(map, nonce);
}

enum proof_result
proof_make(int map)
{
	const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	enum proof_result result = PROOF_FAILED;
	__u32 nonce;

	if (fd < 0)
		return PROOF_FAILED;
	if (getrandom(&nonce, sizeof(nonce), 0) == sizeof(nonce))
		result = prove(map, fd, nonce);
	if (result == PROOF_GOOD && answer32(map, fd, nonce) == ANSWER_OTHER)
		result = PROOF_COMPAT;
	expect(map, 0, 0);
	close(fd);
	return result;
}

const char *
proof_text(enum proof_result result)
{
	switch (result) {
	case PROOF_GOOD:
		return "the kernel asks it";
	case PROOF_SILENT:
		return "the kernel does not ask it";
	case PROOF_COMPAT:
		return "the kernel does not ask it when 32-bit programs call";
	case PROOF_BLIND:
		return "it does not recognize VFIO's files in this kernel";
	case PROOF_FAILED:
		break;
	}
	return "whether the kernel asks it could not be tried";
}
