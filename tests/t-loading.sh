#!/bin/sh
# t-loading.sh -- the library loaded and closed again and again, in a program without
# shared libraries, and beside another malloc
#
# KVT_FULL: as often as a full run asks, "make check-lives".
# shellcheck disable=SC2086
CC=${CC:-cc}
top_srcdir=${top_srcdir:-..}
libtool=${LIBTOOL:-../libtool}
[ -z "$EMULATOR" ] || { echo "skip: nothing is loaded under $EMULATOR"; exit 77; }
case " $CFLAGS " in
*-fsanitize*|*--coverage*|*-fprofile*) echo "skip: built for a checker"; exit 77 ;;
esac
tmp=$(mktemp -d ./t-loading.XXXXXX) || exit 99
trap 'rm -rf "$tmp"' EXIT
times=200 pieces=20000
[ -z "$KVT_FULL" ] || times=2000 pieces=1000000
checks=0
failed=0

# holds WHAT COMMAND...
holds()
{
	what=$1
	shift
	checks=$((checks + 1))
	if "$@" >"$tmp/out" 2>&1; then
		echo "$what: $(tail -n 1 "$tmp/out")"
		return
	fi
	echo "FAIL: $what"
	cat "$tmp/out"
	failed=$((failed + 1))
}

# object NAME SOURCE
object()
{
	$CC $CPPFLAGS $CFLAGS -I"$top_srcdir/include" -c -o "$tmp/$1.o" \
		"$top_srcdir/$2"
}

library=../lib/.libs/libkvarena.so
if [ -e $library ]; then
	object loading tests/loading-subject.c || exit 99
	$CC $CFLAGS $LDFLAGS -o "$tmp/loading" "$tmp/loading.o" -ldl -lpthread || exit 99
	holds "dlopen and dlclose" "$tmp/loading" $library $times
	# What is compiled into a library of the caller's must not keep it from being
	# loaded, either.
	cat >"$tmp/plugin.c" <<'END'
#include <kv_arena.h>
void *plugin_alloc(kv_arena_t *arena, size_t size);
void *plugin_alloc(kv_arena_t *arena, size_t size)
{
	return kv_arena_alloc(arena, size);
}
END
	$CC $CPPFLAGS $CFLAGS $LDFLAGS -I"$top_srcdir/include" -O2 -fPIC -shared \
		-o "$tmp/plugin.so" "$tmp/plugin.c" -L../lib/.libs -lkvarena \
		-Wl,-rpath,"$(cd ../lib/.libs && pwd)" || exit 99
	holds "what uses it, too" "$tmp/loading" "$tmp/plugin.so" $times
	numa=$(sed -n "s/^dependency_libs='\(.*\)'/\1/p" ../lib/libkvarena.la)
	if $CC $CFLAGS $LDFLAGS -o "$tmp/both" "$tmp/loading.o" -Wl,--whole-archive \
			../lib/.libs/libkvarena.a -Wl,--no-whole-archive $numa -ldl \
			-lpthread 2>"$tmp/why"; then
		holds "two copies in one process" "$tmp/both" $library $times
	else
		echo "skip: no archive to have two copies of"
	fi
else
	echo "skip: no shared library to load"
fi

# The C library warns of what a static program can not do; numa's may not be there.
object stress stress/kvarena-stress.c && object kvbook tests/kvbook.c || exit 99
if [ -e ../lib/.libs/libkvarena.a ] &&
	$libtool --quiet --tag=CC --mode=link $CC $CFLAGS $LDFLAGS -all-static \
		-o "$tmp/static" "$tmp/stress.o" "$tmp/kvbook.o" \
		../lib/libkvarena.la -lpthread 2>"$tmp/why"; then
	holds "without shared libraries" "$tmp/static" --rounds=1 \
		--allocations=$pieces
else
	echo "skip: no static program can be made here"
fi

# can_preload FILE -- it is there, and the dynamic linker of the programs that $CC
# makes has nothing to say of it
can_preload()
{
	[ -e "$1" ] && [ -z "$(LD_PRELOAD=$1 "$tmp/nothing" 2>&1)" ]
}

others="jemalloc mimalloc tcmalloc_minimal"
none="no other malloc"
case " $LDFLAGS " in
*" -all-static "*)
	others=
	none="nothing is loaded before a static program" ;;
*)
	echo 'int main(void) { return 0; }' >"$tmp/nothing.c"
	$CC $CFLAGS $LDFLAGS -o "$tmp/nothing" "$tmp/nothing.c" || exit 99 ;;
esac

tried=
for other in $others; do
	for file in /usr/lib/lib"$other".so.[0-9] /usr/lib/*/lib"$other".so.[0-9] \
		/usr/lib64/lib"$other".so.[0-9] /usr/local/lib/lib"$other".so.[0-9]
	do
		can_preload "$file" || continue
		holds "beside $other" $libtool --mode=execute env LD_PRELOAD="$file" \
			../stress/kvarena-stress --rounds=1 --allocations=$pieces
		tried="$tried $other"
		break
	done
done
[ -n "$tried" ] || echo "skip: $none"

echo "loading: Checks: $checks, Failures: $failed, Errors: 0"
[ $checks != 0 ] || exit 77
[ $failed = 0 ]
