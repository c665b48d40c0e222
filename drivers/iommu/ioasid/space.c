/* SPDX-License-Identifier: BSD-3-Clause */

#include <pthread.h>

#include "given.h"
#include "log.h"
#include "options.h"
#include "space.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ioasid_ctx *ctx;
static uint32_t default_ioasid;

static int
open_node(void)
{
	int ret;

	if (given_ioasid() < 0)
		return ioasid_open(options.dev, &ctx);
	ret = ioasid_open_fd(given_ioasid(), &ctx);
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

int
space_open(void)
{
	int ret = 0;

	pthread_mutex_lock(&lock);
	if (ctx == NULL)
		ret = open_locked();
	pthread_mutex_unlock(&lock);
	return ret;
}

struct ioasid_ctx *
space_ctx(void)
{
	return ctx;
}

uint32_t
space_default(void)
{
	return default_ioasid;
}

struct ioasid_ctx *
space_hold(void)
{
	pthread_mutex_lock(&lock);
	return ctx;
}

void
space_unhold(void)
{
	pthread_mutex_unlock(&lock);
}

void
space_close(void)
{
	pthread_mutex_lock(&lock);
	ioasid_close(ctx);
	ctx = NULL;
	default_ioasid = 0;
	pthread_mutex_unlock(&lock);
}
