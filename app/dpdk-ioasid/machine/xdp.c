/* SPDX-License-Identifier: BSD-3-Clause */

/* rtnetlink(7): IFLA_XDP of RTM_GETLINK's answer. It shows nowhere else. */

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine/xdp.h"

/* The attribute of a type, NULL: none. */
static const struct rtattr *
find(const struct rtattr *attribute, int length, unsigned short type)
{
	for (; RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length))
		if ((attribute->rta_type & NLA_TYPE_MASK) == type)
			return attribute;
	return NULL;
}

static enum answer
understand(const struct nlmsghdr *answer)
{
	const struct ifinfomsg *info = NLMSG_DATA(answer);
	const struct rtattr *xdp, *attached;

	if (answer->nlmsg_type != RTM_NEWLINK)
		return UNKNOWN;
	xdp = find(IFLA_RTA(info), (int)IFLA_PAYLOAD(answer), IFLA_XDP);
	/* A kernel without XDP has none. */
	if (xdp == NULL)
		return NO;
	attached = find(RTA_DATA(xdp), (int)RTA_PAYLOAD(xdp), IFLA_XDP_ATTACHED);
	if (attached == NULL || RTA_PAYLOAD(attached) < 1)
		return UNKNOWN;
	return answer_of(*(const unsigned char *)RTA_DATA(attached) != XDP_ATTACHED_NONE);
}

enum answer
xdp_is_attached(unsigned int ifindex)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST },
		.info = { .ifi_index = (int)ifindex },
	};
	/* The kernel answers with as much as this, or not at all. */
	union {
		struct nlmsghdr header;
		char bytes[16384];
	} answer;
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	enum answer attached = UNKNOWN;
	ssize_t n;

	if (fd < 0)
		return UNKNOWN;
	if (send(fd, &request, sizeof(request), 0) == (ssize_t)sizeof(request)) {
		n = recv(fd, &answer, sizeof(answer), 0);
		if (n > 0 && NLMSG_OK(&answer.header, (size_t)n))
			attached = understand(&answer.header);
	}
	close(fd);
	return attached;
}
