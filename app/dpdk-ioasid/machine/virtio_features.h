/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef VIRTIO_FEATURES_H
#define VIRTIO_FEATURES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether the IDs are those of a virtio device. */
bool virtio_is(uint16_t vendor, uint16_t device);

/*
 * Whether a virtio device on PCI offers VIRTIO_F_ACCESS_PLATFORM: without it, its DMA goes
 * past the IOMMU, to what it takes for physical addresses.
 *
 * Asks by the configuration space alone (virtio 1.2, 4.1.4.9, VIRTIO_PCI_CAP_PCI_CFG), so
 * memory need not be enabled. It moves the device's window and its choice of feature bits:
 * for nobody else to use meanwhile.
 *
 * @param fd     the file with the configuration space, open for reading and writing: sysfs's
 *   `config`, or an open VFIO device
 * @param config where in it that begins: 0; or the offset of VFIO_PCI_CONFIG_REGION_INDEX
 * @return 1 yes; 0 no, or a legacy device, which has no such bit; -errno
 */
int virtio_has_access_platform(int fd, off_t config);

#endif /* VIRTIO_FEATURES_H */
