/* base.h [0] -- words and attributes that every file uses
 *
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Words:
 *   block     memory from a source, with a descriptor elsewhere
 *   segment   2 MiB, aligned to 2 MiB, from which the cache cuts blocks
 *   source    where memory comes from: the system or the caller's functions
 *   place     a NUMA policy with its node; blocks of two places never mix
 *   cache     blocks given back, kept warm for the next arena
 *   window    the part of a block that one thread bumps through
 *   front     the window of an arena, and the block it lies in
 *   shard     a thread's share of a shared arena: a window of its own
 *   refill    what the slow path does: give a window more room
 *   site      a call stack that allocates, with what was sampled there
 *   page      always the system's page
 */
#ifndef KVA_BASE_H
#define KVA_BASE_H

#ifdef HAVE_CONFIG_H
#include <config.h>
#endif

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All else is compiled with hidden visibility. */
#pragma GCC visibility push(default)
#include "kv_arena.h"
#pragma GCC visibility pop

#define kva_likely(x) __builtin_expect(!!(x), 1)
#define kva_unlikely(x) __builtin_expect(!!(x), 0)
#define KVA_COLD __attribute__((__cold__, __noinline__))

/* 64: the line of every processor we build for. */
#define KVA_CACHE_LINE 64

#define kva_container(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
