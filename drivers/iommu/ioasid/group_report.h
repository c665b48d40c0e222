/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef IOASID_GROUP_REPORT_H
#define IOASID_GROUP_REPORT_H

/* What the user is told about an IOMMU group that is not all joined. */

#include <ioasid.h>

/* Whether a member has not joined, by whoever does the work: lib/ioasid or stock EAL. */
typedef bool (*group_at_risk_fn)(const struct ioasid_member *member);

/* How many endpoints of the group have not joined. */
unsigned int group_count_at_risk(const struct ioasid_group *group, group_at_risk_fn at_risk);

/* Why `bdf` was refused: each missing BDF, and the three ways out. One message. */
void
group_report_refusal(const struct ioasid_group *group, const char *bdf, group_at_risk_fn at_risk);

/*
 * The at-risk list of a group in use: nothing if all joined, and once for a group as long
 * as its list stays the same. Either the user took the risk (--allow-insecure-vfio), or
 * the group is not what it was when `bdf` was attached.
 */
void group_report_risk(const struct ioasid_group *group, const char *bdf, group_at_risk_fn at_risk);

/* The group is in use no more: whoever uses it next is told again. */
void group_report_forget(unsigned int group);

/* Bridges are exempt from the rule: shown at debug level. */
void group_report_bridges(const struct ioasid_group *group);

#endif /* IOASID_GROUP_REPORT_H */
