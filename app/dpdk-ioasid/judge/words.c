/* SPDX-License-Identifier: BSD-3-Clause */

#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "judge/judge.h"

enum outcome
say(struct finding *finding, enum outcome outcome, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&finding->text, fmt, ap) < 0)
		err(STATUS_NO, "memory");
	va_end(ap);
	return outcome;
}

char *
append(char *text, const char *fmt, ...)
{
	char *more, *longer;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&more, fmt, ap) < 0)
		err(STATUS_NO, "memory");
	va_end(ap);
	if (text == NULL)
		return more;
	if (asprintf(&longer, "%s%s", text, more) < 0)
		err(STATUS_NO, "memory");
	free(text);
	free(more);
	return longer;
}

const char *
who_can(const struct user *user)
{
	if (!user->root)
		return "root can";
	return user->namespaced == YES ? "root outside of this container can"
				       : "not even root can here";
}

char *
use_text(const struct use *use)
{
	const char *name = use->name, *detail = use->detail;

	switch (use->kind) {
	case USE_MOUNTED:
		return append(NULL, "disk %s is mounted at %s", name, detail);
	case USE_SWAP:
		return append(NULL, "disk %s is used as swap", name);
	case USE_PART:
		return append(NULL, "disk %s is part of %s", name, detail);
	case USE_CLAIMED:
		if (use->is == YES)
			return append(
				NULL,
				"disk %s is claimed by a file system, a pool, a RAID or a program",
				name);
		return append(NULL, "whether disk %s is claimed cannot be told (only root may ask)",
			      name);
	case USE_ADDRESS:
		if (use->is == YES)
			return append(NULL, "network interface %s has the address %s", name,
				      detail);
		return append(NULL, "the addresses of network interface %s cannot be read", name);
	case USE_UPPER:
		return append(NULL, "network interface %s is part of %s", name, detail);
	case USE_ELSEWHERE:
		if (use->is == YES)
			return append(NULL,
				      "its network interface is in another network namespace (a "
				      "container, a pod): %s",
				      detail);
		return append(NULL,
			      "its driver %s shows no network interface here: it is in another "
			      "network namespace (a container, a pod), or there is none",
			      name);
	case USE_XDP:
		if (use->is == YES)
			return append(NULL,
				      "an XDP program has the packets of network interface %s",
				      name);
		return append(NULL,
			      "whether an XDP program is on network interface %s cannot be told",
			      name);
	case USE_PACKET:
		if (use->pid != 0)
			return append(NULL,
				      "process %d (%s) has a packet socket on network interface %s",
				      use->pid, detail, name);
		return append(NULL, "a packet socket is on network interface %s", name);
	case USE_RDMA:
		return append(NULL,
			      "RDMA device %s goes with it, whose users in the kernel (storage, "
			      "file systems) cannot be seen; if there are none, unload the driver "
			      "that made it",
			      name);
	case USE_DISPLAY:
		return append(NULL, "a display hangs on it (%s)", name);
	case USE_CONSOLE:
		return append(NULL, "the console %s hangs on it", name);
	case USE_USB:
		return append(NULL, "USB device %s hangs on it", name);
	case USE_VF:
		return append(NULL, "virtual function %s would go away", name);
	case USE_HELD:
		return append(NULL, "process %d (%s) has %s open", use->pid, name, detail);
	}
	return append(NULL, "?");
}

char *
uses_text(const struct device *device, enum answer is)
{
	char *text = NULL;

	for (unsigned int i = 0; i < device->nuses; i++) {
		char *one;

		if (device->uses[i].is != is)
			continue;
		one = use_text(&device->uses[i]);
		text = append(text, "%s%s", text != NULL ? ", " : "", one);
		free(one);
	}
	return text;
}
