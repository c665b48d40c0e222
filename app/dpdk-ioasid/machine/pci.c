/* SPDX-License-Identifier: BSD-3-Clause */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pci/pci.h>

#ifndef PCI_VENDOR_ID_INTEL
#define PCI_VENDOR_ID_INTEL 0x8086
#endif

#include "machine/files.h"
#include "machine/pci.h"

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

/* ---- capabilities: PCI Express Base Specification 7.5, 7.7.11 (ACS), 10.5 (ATS) */

#define TYPE_ROOT_PORT  0x4
#define TYPE_DOWNSTREAM 0x6

/* A word of the configuration space; false: it may not be read, or there is none. */
static bool
read_word(struct pci_dev *dev, unsigned int at, uint16_t *word)
{
	uint8_t bytes[2];

	if (!pci_read_block(dev, (int)at, bytes, sizeof(bytes)))
		return false;
	*word = (uint16_t)(bytes[0] | bytes[1] << 8);
	return true;
}

/* Others than root see 64 bytes. */
static bool
may_read_capabilities(struct pci_dev *dev)
{
	uint16_t word;

	return read_word(dev, 0x40, &word);
}

/* The space behind 256 bytes is PCI Express's, and out of reach without ECAM. */
static enum answer
has_extended(struct pci_dev *dev)
{
	uint16_t word;

	if (pci_find_cap(dev, PCI_CAP_ID_EXP, PCI_CAP_NORMAL) == NULL)
		return NO;
	return read_word(dev, 0x100, &word) ? YES : UNKNOWN;
}

/*
 * Intel's ports from Sunrise Point on have both registers as double words, so that the second
 * one is two bytes further (drivers/pci/quirks.c: INTEL_SPT_ACS_CTRL).
 */
static void
read_acs(struct pci_dev *dev, uint16_t vendor, struct acs *acs)
{
	const struct pci_cap *cap = pci_find_cap(dev, PCI_EXT_CAP_ID_ACS, PCI_CAP_EXTENDED);
	uint16_t shifted = 0;

	acs->has = answer_of(cap != NULL);
	if (cap == NULL)
		return;
	if (!read_word(dev, cap->addr + PCI_ACS_CAP, &acs->can) ||
	    !read_word(dev, cap->addr + PCI_ACS_CTRL, &acs->on)) {
		acs->has = UNKNOWN;
		return;
	}
	if (vendor == PCI_VENDOR_ID_INTEL && acs->on == 0 &&
	    read_word(dev, cap->addr + PCI_ACS_CTRL + 2, &shifted))
		acs->on = shifted;
}

static void
read_extended(struct pci_dev *dev, struct device *device)
{
	switch (has_extended(dev)) {
	case YES:
		read_acs(dev, device->member.vendor, &device->acs);
		device->ats =
			answer_of(pci_find_cap(dev, PCI_EXT_CAP_ID_ATS, PCI_CAP_EXTENDED) != NULL);
		return;
	case NO:
		device->acs.has = NO;
		device->ats = NO;
		return;
	case UNKNOWN:
		return;
	}
}

static void
read_port(struct pci_dev *dev, struct device *device)
{
	const struct pci_cap *cap = pci_find_cap(dev, PCI_CAP_ID_EXP, PCI_CAP_NORMAL);
	uint16_t flags;

	device->downstream_port = NO;
	if (cap == NULL)
		return;
	device->downstream_port = UNKNOWN;
	if (!read_word(dev, cap->addr + PCI_EXP_FLAGS, &flags))
		return;
	flags = (flags & PCI_EXP_FLAGS_TYPE) >> 4;
	device->downstream_port = answer_of(flags == TYPE_ROOT_PORT || flags == TYPE_DOWNSTREAM);
}

static void
read_header(struct pci_dev *dev, struct device *device)
{
	uint8_t header;

	if (!pci_read_block(dev, PCI_HEADER_TYPE, &header, 1))
		return;
	device->multifunction = answer_of(header & 0x80);
	header &= 0x7f;
	device->member.bridge =
		header == PCI_HEADER_TYPE_BRIDGE || header == PCI_HEADER_TYPE_CARDBUS;
	device->header = device->member.bridge ? HEADER_BRIDGE : HEADER_ENDPOINT;
}

static void
read_names(struct device *device)
{
	const struct ioasid_member *m = &device->member;

	pci_lookup_name(pci_open(), device->id_name, sizeof(device->id_name),
			PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE, m->vendor, m->device);
	pci_lookup_name(pci_open(), device->class_name, sizeof(device->class_name),
			PCI_LOOKUP_CLASS, m->class_code >> 8);
	machine_printable(device->id_name);
	machine_printable(device->class_name);
}

void
pci_read(struct device *device)
{
	struct pci_dev *dev = get_dev(device->member.bdf);

	read_names(device);
	if (dev == NULL)
		return;
	read_header(dev, device);
	if (may_read_capabilities(dev)) {
		pci_fill_info(dev, PCI_FILL_CAPS | PCI_FILL_EXT_CAPS);
		read_port(dev, device);
		read_extended(dev, device);
	}
	pci_free_dev(dev);
}
