#!/bin/sh
# t-headers.sh -- every public header compiles alone, in each language
#
# kv_arena_inline.h is a part of kv_arena.h and not meant to be included alone.
# -pedantic -Werror and no config.h: what a user's strictest build sees. A
# standard that the compiler does not know is skipped by name.
CC=${CC:-cc}
CXX=${CXX:-c++}
include=${top_srcdir:-..}/include
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
strict="-pedantic -Wall -Wextra -Werror -fsyntax-only -I$include"
passed=0
failed=0

# knows COMPILER SUFFIX STANDARD
knows()
{
	echo 'int kv_dummy;' >"$tmp/empty.$2"
	$1 -std="$3" -fsyntax-only "$tmp/empty.$2" 2>/dev/null
}

headers=
for h in "$include"/*.h; do
	case $h in
	*_inline.h) ;;
	*) headers="$headers ${h##*/}" ;;
	esac
done

# try COMPILER SUFFIX STANDARD HEADER
try()
{
	printf '#include <%s>\n#include <%s>\nint kv_dummy;\n' "$4" "$4" \
		>"$tmp/t.$2"
	# shellcheck disable=SC2086
	if $1 -std="$3" $strict "$tmp/t.$2"; then
		passed=$((passed + 1))
	else
		echo "FAIL: <$4> as $3"
		failed=$((failed + 1))
	fi
}

for std in c99 c11 c17 c2x gnu11; do
	knows "$CC" c $std || { echo "skip: $CC has no $std"; continue; }
	for h in $headers; do
		try "$CC" c $std "$h"
	done
done

if [ "${have_cxx:-yes}" = yes ]; then
	for std in c++11 c++14 c++17 c++20; do
		knows "$CXX" cc $std || { echo "skip: $CXX has no $std"; continue; }
		for h in $headers; do
			try "$CXX" cc $std "$h"
		done
	done
	for std in c++11 c++14 c++17 c++20; do
		knows "$CXX" cc $std || continue
		for h in "$include"/*.hpp; do
			[ -e "$h" ] && try "$CXX" cc $std "${h##*/}"
		done
	done
else
	echo "skip: no C++ compiler"
fi

echo "headers: Checks: $((passed + failed)), Failures: $failed, Errors: 0"
[ $failed = 0 ]
