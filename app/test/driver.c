/* SPDX-License-Identifier: BSD-3-Clause */

#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>

#include "captured_log.h"
#include "driver.h"
#include "ending.h"
#include "explicit_set.h"
#include "log.h"
#include "removal.h"

const struct fake_pci pci_third = {
	.bdf = THIRD, .group = THE_GROUP, .vendor = 0x8086, .device = 0x100f, .class_code = 0x020000
};

static pthread_t held_thread;
static size_t seen;
static unsigned int open_before;

static unsigned int
open_descriptors(void)
{
	struct dirent **entries;
	int n = scandir("/proc/self/fd", &entries, NULL, NULL);

	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	return (unsigned int)n;
}

static void
begin(void)
{
	memset(&options, 0, sizeof(options));
	fake_eal_start();
	/* A list: nobody is named who is not on it. */
	fake_eal_name("0000:ff:1f.7");
	explicit_set_init();
}

static void
end(void)
{
	ending_begin();
	ending_finish();
}

int
driver_setup(void **state)
{
	setup_machine(state);
	if (log_capture() < 0)
		return -1;
	rte_log_set_level(ioasid_logtype, RTE_LOG_DEBUG);
	seen = 0;
	open_before = open_descriptors();
	begin();
	CHECK_OK(space_open());
	return 0;
}

int
driver_teardown(void **state)
{
	int left;

	(void)state;
	fail_allocation(0);
	fake_fail_clear();
	end();
	left = (int)fake_eal_watched() + fake_stop();
	if (open_descriptors() != open_before) {
		print_error("%u descriptors, before %u\n", open_descriptors(), open_before);
		left++;
	}
	log_release();
	return left == 0 ? 0 : -1;
}

void
restart(void)
{
	end();
	begin();
	CHECK_OK(space_open());
}

void
allow_insecure(void)
{
	options.allow_insecure = true;
}

int
set_up(const char *bdf)
{
	int fd = -1, ret = device_setup(fake_sysfs(), bdf, &fd);

	if (ret == 0)
		CHECK(fd >= 0);
	return ret;
}

void
event(const char *bdf)
{
	ioasid_device_event(space_ctx(), fake_sysfs(), bdf);
}

void
plug_third(void)
{
	fake_plug(&pci_third);
	event(THIRD);
}

void
unplug_third(void)
{
	fake_unplug(THIRD);
	event(THIRD);
}

void
begin_held_thread(unsigned long request, void *(*fn)(void *))
{
	fake_hold(request);
	CHECK_EQ(pthread_create(&held_thread, NULL, fn, NULL), 0);
	fake_wait_held();
}

void
end_held_thread(void)
{
	fake_let_go();
	pthread_join(held_thread, NULL);
}

const char *
said(void)
{
	const char *text = logged() + seen;

	seen = strlen(logged());
	return text;
}

bool
says(const char *text)
{
	const char *all = said();

	if (strstr(all, text) != NULL)
		return true;
	print_message("said: %s\n", all);
	return false;
}

/* ---- allocations: the plugin's and the library's, by ld's --wrap */

static unsigned int made, fails_at;

void
fail_allocation(unsigned int nth)
{
	made = 0;
	fails_at = nth;
}

unsigned int
allocations(void)
{
	return made;
}

static bool
must_fail(void)
{
	return __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED) == fails_at;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
FILE *__real_open_memstream(char **text, size_t *size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
FILE *__wrap_open_memstream(char **text, size_t *size);

void *
__wrap_malloc(size_t size)
{
	return must_fail() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	return must_fail() ? NULL : __real_realloc(p, size);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return must_fail() ? NULL : __real_reallocarray(p, n, size);
}

char *
__wrap_strdup(const char *s)
{
	return must_fail() ? NULL : __real_strdup(s);
}

FILE *
__wrap_open_memstream(char **text, size_t *size)
{
	return must_fail() ? NULL : __real_open_memstream(text, size);
}
