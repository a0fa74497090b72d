/* symbol.h -- names of code addresses
 *
 * SPDX-License-Identifier: BSD-2-Clause
 */
#ifndef KVT_SYMBOL_H
#define KVT_SYMBOL_H

#include "trace.h"

struct kvt_symbols;

struct kvt_symbols *kvt_symbols_new(const struct kvt_trace *trace);

/* Return the function that a return address lies in, or "libx.so+0x12", which
 * is what addr2line understands; or "0x12". Kept until the end. */
const char *kvt_symbol_name(struct kvt_symbols *symbols, uint64_t frame);

/* Return "file.c:12" from addr2line, or NULL: not known. Kept until the end. */
const char *kvt_symbol_line(struct kvt_symbols *symbols, uint64_t frame);

/* Write the chain of a site, the innermost function first, "a < b < c", at most
 * n of them, leaving out what only hands malloc on. Returns buffer. */
char *kvt_symbol_chain(struct kvt_symbols *symbols, const struct kvt_site *site,
	unsigned n, char *buffer, size_t size);

/* Return the index of the first frame of a site that does not only hand malloc
 * on, as xmalloc and operator new do. */
unsigned kvt_symbol_first(struct kvt_symbols *symbols,
	const struct kvt_site *site);

#endif
