#!/bin/sh
# t-guide.sh -- the code in the documents compiles, and its programs run
#
# C blocks of README.md and the guides in doc, and the examples of the manual pages.
# One that has a main is linked and run; any other must compile as the body of a
# function that has an arena.
# shellcheck disable=SC2086
[ -z "$EMULATOR" ] || { echo "skip: programs run under $EMULATOR"; exit 77; }
CC=${CC:-cc}
top=${top_srcdir:-..}
tmp=$(mktemp -d ./t-guide.XXXXXX) || exit 99
trap 'rm -rf "$tmp"' EXIT
flags="-I$top/include $CPPFLAGS $CFLAGS -Wno-unused-value -Wno-unused-but-set-variable -pthread"
checks=0
failed=0

# fail MESSAGE
fail()
{
	echo "FAIL: $1"
	failed=$((failed + 1))
}

# Block N of FILE goes to $tmp/N.c.
blocks_of()
{
	rm -f "$tmp"/*.c
	awk -v out="$tmp" '
	/^```c$/ || /^\.Bd -literal/	{ name = sprintf("%s/%02d.c", out, ++n); next }
	/^```$/ || /^\.Ed$/		{ if (name) close(name); name = ""; next }
	name				{ gsub(/\\e/, "\\"); print >name }
	' "$1"
}

# wrap FILE -- make a function of it
wrap()
{
	{
		echo '#include <kv_arena.h>'
		echo 'void body(kv_arena_t *arena);'
		echo 'void body(kv_arena_t *arena) { (void)arena; {'
		cat "$1"
		echo '} }'
	} >"$1.wrapped" && mv "$1.wrapped" "$1"
}

for file in "$top/README.md" "$top"/doc/*.md "$top"/doc/man/*.3; do
	blocks_of "$file"
	for c in "$tmp"/*.c; do
		[ -e "$c" ] || continue
		checks=$((checks + 1))
		what="block $(basename "$c" .c) of $file"
		grep -q '^main(' "$c" && program=yes || program=no
		[ $program = yes ] || wrap "$c"
		if ! $CC $flags -c -o "$tmp/o" "$c" 2>"$tmp/why"; then
			fail "$what does not compile"
			cat "$tmp/why"
			continue
		fi
		[ $program = yes ] || continue
		if ! ${LIBTOOL:-../libtool} --quiet --tag=CC --mode=link $CC \
			$CFLAGS $LDFLAGS -pthread -no-install -o "$tmp/program" \
			"$tmp/o" ../lib/libkvarena.la 2>"$tmp/why" ||
			! $EMULATOR "$tmp/program" >"$tmp/out" 2>&1 ||
			[ ! -s "$tmp/out" ]; then
			fail "$what does not run"
			cat "$tmp/why" "$tmp/out"
		fi
	done
done
[ $checks -gt 20 ] || fail "only $checks blocks were found"

echo "guide: Checks: $checks, Failures: $failed, Errors: 0"
[ $failed = 0 ]
