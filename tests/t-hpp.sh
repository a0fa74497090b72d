#!/bin/sh
# t-hpp.sh -- <kv_arena.hpp> works in every C++ standard, with every compiler
#
# The C++ compiler of configure, and clang++ and g++ where they are; in a
# sanitizer build only the first, for the others bring another runtime.
# shellcheck disable=SC2086
if [ "${have_cxx:-yes}" != yes ]; then
	echo "skip: no C++ compiler"
	exit 77
fi
CXX=${CXX:-c++}
top_srcdir=${top_srcdir:-..}
tmp=$(mktemp -d ./t-hpp.XXXXXX) || exit 99
trap 'rm -rf "$tmp"' EXIT
flags="-pedantic -Wall -Wextra -Werror -I$top_srcdir/include $CPPFLAGS $KV_CXXFLAGS $CXXFLAGS"
passed=0
failed=0

compilers=$CXX
case " $CFLAGS $CXXFLAGS $KV_CXXFLAGS " in
*-fsanitize*|*--coverage*) ;;
*)
	for cxx in g++ clang++; do
		[ "$cxx" != "$CXX" ] && [ -z "$EMULATOR" ] &&
			command -v $cxx >/dev/null && compilers="$compilers
$cxx"
	done
	;;
esac

# one COMPILER STANDARD -- compile and run
one()
{
	echo 'int kv_dummy;' >"$tmp/empty.cc"
	if ! $1 -std="$2" -fsyntax-only "$tmp/empty.cc" 2>/dev/null; then
		echo "skip: $1 has no $2"
		return
	fi
	echo "$1 -std=$2"
	if $1 -std="$2" $flags -c -o "$tmp/t.o" "$top_srcdir/tests/t-hpp.cc" &&
	   ${LIBTOOL:-../libtool} --quiet --tag=CXX --mode=link $1 -std="$2" \
		$CXXFLAGS $KV_CXXFLAGS $LDFLAGS -no-install -o "$tmp/t" "$tmp/t.o" \
		../lib/libkvarena.la &&
	   $EMULATOR "$tmp/t"; then
		passed=$((passed + 1))
	else
		echo "FAIL: $1 -std=$2"
		failed=$((failed + 1))
	fi
}

while read -r cxx; do
	for std in c++11 c++14 c++17 c++20; do
		one "$cxx" $std
	done
done <<END
$compilers
END

echo "hpp: Checks: $((passed + failed)), Failures: $failed, Errors: 0"
[ $failed = 0 ] && [ $passed != 0 ]
