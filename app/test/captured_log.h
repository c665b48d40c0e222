/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef TEST_CAPTURED_LOG_H
#define TEST_CAPTURED_LOG_H

/* What is logged by rte_log(), as text. */

/* 0 or -1; in the set-up of a test. */
int log_capture(void);
/* In its teardown. */
void log_release(void);

/* All since log_capture(); valid until more is logged. */
const char *logged(void);

#endif /* TEST_CAPTURED_LOG_H */
