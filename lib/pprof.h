/* pprof.h [6] -- a profile as a protocol buffer
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVA_PPROF_H
#define KVA_PPROF_H

#include "profile.h"

/* Write what pprof reads, uncompressed. False: ENOMEM. */
bool kva_pprof_write(const struct kva_profile *p, FILE *out);

#endif
