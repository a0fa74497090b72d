/* probe.h [0] -- static trace points, for perf, bpftrace, SystemTap and gdb
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A probe is one instruction that does nothing, and a note in the file that says
 * where it is and in which registers its arguments are; a tracer puts a trap there.
 * So they stand on slow paths only, and an argument is what is at hand: it is made
 * ready whether somebody looks or not.
 *
 * All of the provider kvarena have the arena first, as programs know it, its name
 * ("": it has none), and bytes:
 *	create		0			before the first allocation
 *	refill		asked for		a window had no room for them
 *	block		of the block, its base	an arena got one
 *	reset		held, as counted so far	before anything ends
 *	destroy		the same		the same
 *	oom		asked for		they cannot be had; before on_oom
 */
#ifndef KVA_PROBE_H
#define KVA_PROBE_H

#include "base.h"

#ifdef HAVE_SYS_SDT_H

#define SDT_USE_VARIADIC
#include <sys/sdt.h>
#define KVA_HAS_PROBES true
#define kva_probe(name, ...) STAP_PROBEV(kvarena, name, __VA_ARGS__)

#else

#define KVA_HAS_PROBES false
#define kva_probe(name, ...) ((void)0)

#endif

#endif
