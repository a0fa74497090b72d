/* peers.c -- who takes part
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include "bench.h"

#include <string.h>

extern const struct peer kb_kvarena, kb_kvarena_stats, kb_kvarena_anew,
	kb_kvarena_call, kb_kvarena_checked, kb_kvarena_safe,
	kb_kvarena_safe_stats, kb_kvarena_local, kb_malloc, kb_jemalloc,
	kb_mimalloc, kb_tcmalloc, kb_miheap, kb_block, kb_mutex, kb_rwlock,
	kb_obstack, kb_apr, kb_talloc, kb_upb, kb_pmr, kb_protobuf, kb_llvm;

const struct peer *const kb_peers[] = {
	&kb_limit,
	&kb_kvarena,
	&kb_kvarena_stats,
	&kb_kvarena_anew,
	&kb_kvarena_call,
	&kb_kvarena_checked,
	&kb_kvarena_safe,
	&kb_kvarena_safe_stats,
	&kb_kvarena_local,
	&kb_malloc,
	&kb_jemalloc,
	&kb_mimalloc,
	&kb_tcmalloc,
	&kb_miheap,
	&kb_block,
	&kb_mutex,
	&kb_rwlock,
#ifdef HAVE_PEER_OBSTACK
	&kb_obstack,
#endif
#ifdef HAVE_PEER_APR
	&kb_apr,
#endif
#ifdef HAVE_PEER_TALLOC
	&kb_talloc,
#endif
#ifdef HAVE_PEER_UPB
	&kb_upb,
#endif
#ifdef HAVE_PEER_PMR
	&kb_pmr,
#endif
#ifdef HAVE_PEER_PROTOBUF
	&kb_protobuf,
#endif
#ifdef HAVE_PEER_LLVM
	&kb_llvm,
#endif
	NULL
};

const struct peer *
kb_peer_find(const char *name)
{
	for (const struct peer *const *p = kb_peers; *p; p++) {
		if (!strcmp((*p)->name, name))
			return *p;
	}
	return NULL;
}
