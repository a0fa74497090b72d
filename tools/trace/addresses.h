/* addresses.h -- which object lives at an address
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_ADDRESSES_H
#define KVT_ADDRESSES_H

#include <stdint.h>

#define KVT_NO_OBJECT UINT32_MAX

struct kvt_addresses;

struct kvt_addresses *kvt_addresses_new(void);
void kvt_addresses_free(struct kvt_addresses *a);

/* Enter an address that is not there. */
void kvt_addresses_put(struct kvt_addresses *a, uint64_t address, uint32_t object);

/* Return the object at an address and remove it, or KVT_NO_OBJECT. */
uint32_t kvt_addresses_take(struct kvt_addresses *a, uint64_t address);

#endif
