/* SPDX-License-Identifier: BSD-3-Clause */

#include <pthread.h>
#include <stddef.h>

#include "given.h"
#include "log.h"
#include "options.h"
#include "policy.h"
#include "space.h"

/* For writing only to open and to close. */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct ioasid_ctx *ctx;
static struct ioasid_ctx *rule;
static uint32_t default_ioasid;

static int
open_node(void)
{
	int ret;

	if (given_ioasid() < 0)
		return ioasid_open(options.dev, &policy, &ctx);
	ret = ioasid_open_fd(given_ioasid(), &policy, &ctx);
	if (ret == 0)
		given_ioasid_used();
	return ret;
}

static int
alloc_default(void)
{
	const struct ioasid_range window = {
		options.window.start,
		options.window.start + options.window.length - 1,
	};
	int ret = ioasid_alloc(ctx, &default_ioasid);

	if (ret == 0 && options.window.length > 0)
		ret = ioasid_allow_iovas(ctx, default_ioasid, &window, 1);
	return ret;
}

static int
open_locked(void)
{
	int ret = open_node();

	if (ret < 0)
		return ret;
	ret = alloc_default();
	if (ret < 0) {
		ioasid_close(ctx);
		ctx = NULL;
		return ret;
	}
	IOASID_LOG(INFO, "%s opened, IOASID %u for DPDK's memory", ioasid_path(ctx),
		   default_ioasid);
	return 0;
}

static int
open_rule_locked(void)
{
	return ioasid_open_rule(&policy, &rule);
}

static bool
is_open(struct ioasid_ctx *const *which)
{
	bool open;

	pthread_rwlock_rdlock(&lock);
	open = *which != NULL;
	pthread_rwlock_unlock(&lock);
	return open;
}

static int
open_once(struct ioasid_ctx *const *which, int (*open)(void))
{
	int ret = 0;

	if (is_open(which))
		return 0;
	pthread_rwlock_wrlock(&lock);
	if (*which == NULL)
		ret = open();
	pthread_rwlock_unlock(&lock);
	return ret;
}

int
space_open(void)
{
	return open_once(&ctx, open_locked);
}

int
space_open_rule(void)
{
	return open_once(&rule, open_rule_locked);
}

struct ioasid_ctx *
space_ctx(void)
{
	return ctx;
}

struct ioasid_ctx *
space_rule(void)
{
	return rule;
}

uint32_t
space_default(void)
{
	return default_ioasid;
}

struct ioasid_ctx *
space_hold(void)
{
	pthread_rwlock_rdlock(&lock);
	return ctx;
}

void
space_unhold(void)
{
	pthread_rwlock_unlock(&lock);
}

void
space_close(void)
{
	pthread_rwlock_wrlock(&lock);
	ioasid_close(ctx);
	ioasid_close(rule);
	ctx = NULL;
	rule = NULL;
	default_ioasid = 0;
	pthread_rwlock_unlock(&lock);
}
