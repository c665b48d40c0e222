/* SPDX-License-Identifier: BSD-3-Clause */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pci/pci.h>

#include "machine.h"
#include "pci.h"

static struct pci_access *access_;

static void
say_nothing(char *fmt, ...)
{
	(void)fmt;
}

static struct pci_access *
pci_open(void)
{
	struct path bus = machine_path("/sys/bus/pci");

	if (access_ != NULL)
		return access_;
	access_ = pci_alloc();
	access_->method = PCI_ACCESS_SYS_BUS_PCI;
	/* It is no error that a device has gone or may not be read. */
	access_->warning = say_nothing;
	pci_set_param(access_, (char[]){ "sysfs.path" }, bus.s);
	pci_init(access_);
	return access_;
}

void
pci_close(void)
{
	if (access_ != NULL)
		pci_cleanup(access_);
	access_ = NULL;
}

static bool
parse(const char *text, unsigned int *domain, unsigned int *bus, unsigned int *dev,
      unsigned int *function)
{
	int n = 0;

	if (text[strspn(text, "0123456789abcdefABCDEF:.")] != '\0')
		return false;
	if (sscanf(text, "%8x:%2x:%2x.%1x%n", domain, bus, dev, function, &n) == 4)
		return text[n] == '\0' && *dev < 32 && *function < 8;
	*domain = 0;
	return sscanf(text, "%2x:%2x.%1x%n", bus, dev, function, &n) == 3 && text[n] == '\0' &&
	       *dev < 32 && *function < 8;
}

bool
pci_parse(const char *text, char bdf[IOASID_BDF_SIZE])
{
	unsigned int domain, bus, dev, function;

	if (!parse(text, &domain, &bus, &dev, &function))
		return false;
	snprintf(bdf, IOASID_BDF_SIZE, "%04x:%02x:%02x.%x", domain, bus, dev, function);
	return true;
}

static struct pci_dev *
get_dev(const char *bdf)
{
	unsigned int domain, bus, dev, function;

	if (!parse(bdf, &domain, &bus, &dev, &function))
		return NULL;
	return pci_get_dev(pci_open(), (int)domain, (int)bus, (int)dev, (int)function);
}

static unsigned long
read_hex(const char *bdf, const char *file)
{
	struct path path = machine_path("/sys/bus/pci/devices/%s/%s", bdf, file);
	char buf[32];

	machine_line(&path, buf, sizeof(buf));
	return strtoul(buf, NULL, 16);
}

static bool
is_bridge(const char *bdf)
{
	struct pci_dev *dev = get_dev(bdf);
	uint8_t header;

	if (dev == NULL)
		return false;
	header = pci_read_byte(dev, PCI_HEADER_TYPE) & 0x7f;
	pci_free_dev(dev);
	return header == PCI_HEADER_TYPE_BRIDGE || header == PCI_HEADER_TYPE_CARDBUS;
}

void
pci_read(const char *bdf, struct ioasid_member *m)
{
	struct path driver = machine_path("/sys/bus/pci/devices/%s/driver", bdf);

	memset(m, 0, sizeof(*m));
	snprintf(m->bdf, sizeof(m->bdf), "%s", bdf);
	m->vendor = (uint16_t)read_hex(bdf, "vendor");
	m->device = (uint16_t)read_hex(bdf, "device");
	m->class_code = (uint32_t)read_hex(bdf, "class");
	m->bridge = is_bridge(bdf);
	machine_link(&driver, m->driver, sizeof(m->driver));
}

json_t *
pci_name(const struct ioasid_member *m)
{
	char buf[256] = "";

	pci_lookup_name(pci_open(), buf, sizeof(buf), PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE,
			m->vendor, m->device);
	return json_string(buf);
}

json_t *
pci_class_name(const struct ioasid_member *m)
{
	char buf[128] = "";

	pci_lookup_name(pci_open(), buf, sizeof(buf), PCI_LOOKUP_CLASS, m->class_code >> 8);
	return json_string(buf);
}

bool
pci_is_system(const struct ioasid_member *m)
{
	switch (m->class_code >> 16) {
	case 0x00: /* from before there were classes */
	case PCI_BASE_CLASS_STORAGE:
	case PCI_BASE_CLASS_DISPLAY:
	case PCI_BASE_CLASS_BRIDGE:
	case PCI_BASE_CLASS_COMMUNICATION:
	case PCI_BASE_CLASS_SERIAL:
		return true;
	default:
		return false;
	}
}

static json_t *
read_acs(struct pci_dev *dev)
{
	const struct pci_cap *cap = pci_find_cap(dev, PCI_EXT_CAP_ID_ACS, PCI_CAP_EXTENDED);
	unsigned int on;

	if (cap == NULL)
		return json_false();
	on = pci_read_word(dev, (int)cap->addr + PCI_ACS_CTRL);
	return json_pack("{s:b, s:b, s:b, s:b}", "source_validation", !!(on & PCI_ACS_CTRL_VALID),
			 "request_redirect", !!(on & PCI_ACS_CTRL_REQ_RED), "completion_redirect",
			 !!(on & PCI_ACS_CTRL_CMPLT_RED), "upstream_forwarding",
			 !!(on & PCI_ACS_CTRL_FORWARD));
}

json_t *
pci_acs(const char *bdf)
{
	struct pci_dev *dev = get_dev(bdf);
	uint8_t byte;
	json_t *acs;

	if (dev == NULL)
		return json_null();
	pci_fill_info(dev, PCI_FILL_CAPS | PCI_FILL_EXT_CAPS);
	/* Others than root see 64 bytes; a device on conventional PCI has 256. */
	if (!pci_read_block(dev, PCI_CAPABILITY_LIST + 0x40, &byte, 1))
		acs = json_null();
	else
		acs = read_acs(dev);
	pci_free_dev(dev);
	return acs;
}

static int
not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

int
pci_list(char ***bdfs)
{
	struct dirent **entries;
	int n = scandir(machine_devices(), &entries, not_hidden, alphasort);

	if (n < 0)
		return -errno;
	*bdfs = calloc((size_t)n + 1, sizeof(**bdfs));
	for (int i = 0; i < n; i++) {
		if (*bdfs != NULL)
			(*bdfs)[i] = strdup(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return *bdfs != NULL ? n : -ENOMEM;
}
