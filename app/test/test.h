/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TEST_H
#define TEST_H

/* What every unit test uses: checks that say what was wrong, and a small machine. */

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_kernel.h"
#include "ioasid.h"
#include "kernel_abi.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Checks. A failed one prints the expression and the values, and ends the test. */

#define CHECK(cond)     check_true((cond), #cond, __FILE__, __LINE__)
#define CHECK_EQ(a, b)  check_eq((uint64_t)(a), (uint64_t)(b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_STR(a, b) check_str((a), (b), #a " == " #b, __FILE__, __LINE__)
/* A result that is 0 or -errno. */
#define CHECK_RET(call, want) check_ret((call), (want), #call, __FILE__, __LINE__)
/* A call of the library that must succeed. */
#define CHECK_OK(call) check_ret((call), 0, #call, __FILE__, __LINE__)
/* A call of the library that must fail with -err and leave a sentence. */
#define CHECK_ERR(call, err) check_err((call), (err), #call, __FILE__, __LINE__)
/* The sentence for the user must contain this. */
#define CHECK_SAYS(text) check_says((text), __FILE__, __LINE__)

void check_true(bool ok, const char *expr, const char *file, int line);
void check_eq(uint64_t a, uint64_t b, const char *expr, const char *file, int line);
void check_str(const char *a, const char *b, const char *expr, const char *file, int line);
void check_ret(int ret, int want, const char *expr, const char *file, int line);
void check_err(int ret, int err, const char *expr, const char *file, int line);
void check_says(const char *text, const char *file, int line);

/* The machine: two NICs that are alone in their groups, and a bridge with two behind it. */

#define NIC0      "0000:01:00.0"
#define NIC1      "0000:02:00.0"
#define BRIDGE    "0000:00:05.0"
#define GROUP_NIC "0000:04:01.0"
#define GROUP_HD  "0000:04:02.0"

#define NIC0_GROUP 11
#define NIC1_GROUP 12
#define THE_GROUP  13 /* of BRIDGE, GROUP_NIC and GROUP_HD */

/* Reserved for all; for the disk controller only; for it, but may be used. */
#define MSI_START       UINT64_C(0xfee00000)
#define MSI_LAST        UINT64_C(0xfeefffff)
#define HD_START        UINT64_C(0x40000000)
#define HD_LAST         UINT64_C(0x4fffffff)
#define RELAXABLE_START UINT64_C(0x50000000)
#define RELAXABLE_LAST  UINT64_C(0x5fffffff)

#define PAGE UINT64_C(0x1000)
#define VA   UINT64_C(0x7f0000000000)
#define RW   (IOASID_READ | IOASID_WRITE)

extern const struct fake_pci pci_nic0, pci_nic1, pci_bridge, pci_group_nic, pci_group_hd;

/* The context and an IOASID in it, where setup_ctx() is used; teardown() closes it. */
extern struct ioasid_ctx *ctx;
extern uint32_t ioas;

int setup_machine(void **state);
int setup_ctx(void **state);
/* Fails the test if anything is left in the kernel. */
int teardown(void **state);

#define TEST(f)         cmocka_unit_test_setup_teardown(f, setup_ctx, teardown)
#define TEST_MACHINE(f) cmocka_unit_test_setup_teardown(f, setup_machine, teardown)

/* Calls that must succeed. */
struct ioasid_device *join(const char *bdf);
struct ioasid_device *join_implicit(const char *bdf);
void attach(struct ioasid_device *dev, uint32_t ioasid);
uint32_t alloc(void);
void map(uint64_t iova, uint64_t length);
/* In all IOASIDs of a context. */
uint64_t total_mapped(struct ioasid_ctx *of);

#endif /* TEST_H */
