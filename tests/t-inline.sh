#!/bin/sh
# t-inline.sh -- what the compiler makes of the fast path
#
# An arena of one thread costs no atomic, no thread-local and no call; a shared
# one no atomic read-modify-write; the miss is a jump. Read from the assembler's
# input, which is known here for x86-64.
CC=${CC:-cc}
include=${top_srcdir:-..}/include
case $($CC -dumpmachine 2>/dev/null):$(echo __x86_64__ | $CC -E -P - 2>/dev/null) in
x86_64-*linux*:1) ;;
*) echo "skip: not x86-64 Linux"; exit 77 ;;
esac
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
checks=0
failed=0

cat >"$tmp/t.c" <<'END'
#include <kv_arena.h>
void *any(kv_arena_t *arena, size_t size);
void *plain(kv_arena_t *arena, size_t size);
void *any(kv_arena_t *arena, size_t size)
{
	return kv_arena_alloc(arena, size);
}
void *plain(kv_arena_t *arena, size_t size)
{
	if (!((uintptr_t)arena & KV_ARENA_PLAIN))
		__builtin_unreachable();
	return kv_arena_alloc(arena, size);
}
END
# As in a library of the user's where thread-locals are near from there, too.
pic=-fPIC
echo '__GLIBC__' | $CC -E -P -include stdio.h - | grep -q GLIBC && pic=-fPIE
# shellcheck disable=SC2086
$CC -O2 $pic -fcf-protection=none -I"$include" -S -o "$tmp/t.s" "$tmp/t.c" || exit 1

# A size that the compiler knows is no reason for a warning.
cat >"$tmp/sizes.c" <<'END'
#include <kv_arena.h>
void *sizes(kv_arena_t *arena, kv_arena_local_t *local);
void *sizes(kv_arena_t *arena, kv_arena_local_t *local)
{
	void *p = kv_arena_alloc(arena, 0);

	p = p ? p : kv_arena_alloc(arena, 32769);
	p = p ? p : kv_arena_alloc(arena, 1 << 20);
	p = p ? p : kv_arena_local_alloc(local, 1 << 20);
	return p ? p : kv_arena_alloc(arena, (size_t)-1);
}
END
checks=$((checks + 1))
if ! $CC -O2 -Wall -Wextra -Werror -I"$include" -c -o "$tmp/sizes.o" \
	"$tmp/sizes.c"; then
	echo "FAIL: a warning for a constant size"
	failed=$((failed + 1))
fi

# code FUNCTION -- its instructions
code()
{
	sed -n "/^$1:/,/\.size[[:space:]]*$1/p" "$tmp/t.s" |
		sed -n 's/^[[:space:]]\([a-z].*\)/\1/p'
}

# way FUNCTION -- up to its first return: the way of nearly every allocation
way()
{
	code "$1" | sed '/^ret/q'
}

# none PART FUNCTION PATTERN WHAT -- no instruction is like that
none()
{
	part=$1
	shift
	checks=$((checks + 1))
	if $part "$1" | grep -E "$2" >"$tmp/found"; then
		echo "FAIL: $3 in $1:"
		cat "$tmp/found"
		failed=$((failed + 1))
	fi
}

atomics='^lock|xchg|xadd|[lms]fence'
none code plain "$atomics" "an atomic"
none way plain '%fs' "a thread-local"
none code plain '^call' "a call"
none code any "$atomics" "an atomic read-modify-write"
none code any '^call' "a call"

checks=$((checks + 1))
if ! code plain | grep -E '^j[a-z]+[[:space:]]+\*?kv_arena_alloc_slow' >/dev/null; then
	echo "FAIL: the miss is not a jump"
	failed=$((failed + 1))
fi

branches=$(way plain | grep -cE '^j')
others=$(way plain | grep -cvE '^j')
echo "plain: $branches branches and $others other instructions"
checks=$((checks + 1))
if [ "$branches" -gt 2 ] || [ "$others" -gt 14 ]; then
	echo "FAIL: the fast path has grown"
	failed=$((failed + 1))
fi

echo "inline: Checks: $checks, Failures: $failed, Errors: 0"
[ $failed = 0 ]
