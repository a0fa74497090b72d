#!/bin/sh
# t-docs.sh -- what the documents say is there
#
# Every test that doc/features.md names as a proof exists, and every public
# function is used in a numbered example.
top=${top_srcdir:-..}
checks=0
failed=0

# fail MESSAGE
fail()
{
	echo "FAIL: $1"
	failed=$((failed + 1))
}

# `t-NAME: case` or `t-NAME.sh`
# shellcheck disable=SC2016
proofs=$(grep -o '`t-[a-z-]*\(\.sh\|: [a-z0-9_]*\)`' "$top/doc/features.md" |
	tr -d '`' | tr -d ' ' | sort -u)
for proof in $proofs; do
	checks=$((checks + 1))
	case $proof in
	*.sh)
		[ -e "$top/tests/$proof" ] || fail "no tests/$proof"
		;;
	*)
		grep -q "^START_TEST(${proof#*:})" "$top/tests/${proof%:*}.c" ||
			fail "no case ${proof#*:} in tests/${proof%:*}.c"
		;;
	esac
done
[ -n "$proofs" ] || fail "doc/features.md names no test"

# What is declared, and what only the header itself calls.
inside='alloc_slow|local_slow|scope_end|mine_of'
functions=$(cat "$top/include/kv_arena.h" "$top/include/kv_arena_inline.h" |
	sed -n 's/^[a-z].*[ *]\(kv_arena_[a-z_]*\)(.*/\1/p' |
	grep -vE "^kv_arena_($inside)$" | sort -u)
for function in $functions; do
	checks=$((checks + 1))
	grep -qw "$function" "$top"/examples/[0-9]*.c ||
		fail "no example uses $function"
done
[ "$(echo "$functions" | wc -w)" -gt 40 ] || fail "functions were not found"

echo "docs: Checks: $checks, Failures: $failed, Errors: 0"
[ $failed = 0 ]
