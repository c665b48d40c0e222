/* SPDX-License-Identifier: BSD-3-Clause */

#include <stddef.h>

#include <rte_eal.h>
#include <rte_uuid.h>

#include "explicit_set.h"
#include "given.h"
#include "log.h"
#include "options.h"
#include "policy.h"
#include "removal.h"
#include "report.h"

static bool
named(const struct ioasid_member *m, void *arg)
{
	(void)arg;
	return explicit_set_has(m);
}

static void
how(const char *bdf, struct ioasid_join_how *way, void *arg)
{
	static _Thread_local rte_uuid_t token;

	(void)arg;
	way->flags = options.allow_insecure ? IOASID_IMPLICIT_GROUP : 0;
	way->fd = given_device(bdf);
	/* EAL's own option --vfio-vf-token */
	rte_eal_vfio_get_vf_token(token);
	if (!rte_uuid_is_null(token))
		way->vf_token = token;
}

static void
joined(struct ioasid_device *dev, void *arg)
{
	const char *bdf = ioasid_device_bdf(dev);

	(void)arg;
	/* One that was given for it is the device's from now on. */
	given_used(bdf);
	IOASID_LOG(DEBUG, "%s joined", bdf);
	if (ioasid_device_token_unchecked(dev))
		IOASID_LOG(
			WARNING,
			"%s: this kernel asks for no VF token where a VF is opened by its device "
			"node (Linux 6.17 does):\n  whoever may open /dev/vfio/devices/* can use "
			"its VFs; only /dev/vfio/GROUP is guarded by the token",
			bdf);
}

static void
held(struct ioasid_device *dev, void *arg)
{
	(void)arg;
	removal_watch(dev);
}

static void
let_go(struct ioasid_device *dev, void *arg)
{
	(void)arg;
	removal_unwatch(dev);
}

static void
report(const struct ioasid_report *r, void *arg)
{
	(void)arg;
	report_news(r);
}

const struct ioasid_policy policy = {
	.named = named,
	.how = how,
	.joined = joined,
	.held = held,
	.let_go = let_go,
	.report = report,
};
