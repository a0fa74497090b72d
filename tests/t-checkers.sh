#!/bin/sh
# t-checkers.sh -- checkers of memory and of threads see into arenas
#
# A program with one fault is run under each checker that is here: the fault is
# reported, and the program without one passes. An ordinary library serves
# AddressSanitizer and valgrind, for it finds its checker when it runs;
# MemorySanitizer needs a library built with it.
# shellcheck disable=SC2086
CC=${CC:-cc}
top_srcdir=${top_srcdir:-..}
[ -z "$EMULATOR" ] || { echo "skip: no checker under $EMULATOR"; exit 77; }
[ -e /proc/self/maps ] || { echo "skip: checkers need /proc"; exit 77; }
tmp=$(mktemp -d ./t-checkers.XXXXXX) || exit 99
trap 'rm -rf "$tmp"' EXIT
VALGRIND=${VALGRIND:-valgrind}
checks=0
failed=0
origins=

# build NAME COMPILER FLAG... -- the subject, with the checker
build()
{
	name=$1
	compiler=$2
	shift 2
	command -v "$compiler" >/dev/null &&
	$compiler "$@" -g -O1 -I"$top_srcdir/include" $CPPFLAGS -c \
		-o "$tmp/$name.o" "$top_srcdir/tests/checkers-subject.c" 2>"$tmp/why" &&
	${LIBTOOL:-../libtool} --quiet --tag=CC --mode=link $compiler "$@" $LDFLAGS \
		-no-install -o "$tmp/$name" "$tmp/$name.o" ../lib/libkvarena.la \
		2>"$tmp/why"
}

# starts PROGRAM -- its libraries are for this machine's C library
starts()
{
	"$1" none >/dev/null 2>&1
	[ $? != 127 ]
}

# see CHECKER STATUS FAULT COMMAND... -- the command ends with that status
see()
{
	checker=$1
	wanted=$2
	fault=$3
	shift 3
	"$@" "$fault" >"$tmp/out" 2>&1
	status=$?
	checks=$((checks + 1))
	if [ $status != "$wanted" ]; then
		echo "FAIL: $checker and \"$fault\": status $status, not $wanted"
		cat "$tmp/out"
		failed=$((failed + 1))
	fi
}

case " $CFLAGS " in
*-fsanitize=*memory*)
	checkers=msan
	# All that is compiled for it has to agree on whether origins are kept.
	origins=$(echo "$CFLAGS" | grep -o -e '-fsanitize-memory-track-origins[=0-9]*') ;;
*-fsanitize=*address*) checkers=asan ;;
*-fsanitize*|*--coverage*) echo "skip: built for another checker"; exit 77 ;;
*)
	# Hints go into the library, and a static program hides what valgrind
	# knows of the C library.
	checkers="asan valgrind"
	case " $LDFLAGS " in *" -all-static "*) checkers=asan ;; esac
	grep -q '^#define HAVE_VALGRIND_H' ../config.h || checkers=asan
	;;
esac

# is_wanted CHECKER
is_wanted()
{
	case " $checkers " in *" $1 "*) return 0 ;; esac
	return 1
}

if ! is_wanted asan; then
	:
elif build asan "${CC%% *}" -fsanitize=address && starts "$tmp/asan"; then
	ASAN_OPTIONS=exitcode=42
	export ASAN_OPTIONS
	see asan 0 none "$tmp/asan"
	for fault in overflow neighbour reset rewind moved freed packed destroyed \
		twice; do
		see asan 42 $fault "$tmp/asan"
	done
else
	echo "skip: no AddressSanitizer"
fi

if ! is_wanted msan; then
	:
elif build msan "${CC%% *}" -fsanitize=memory $origins; then
	MSAN_OPTIONS=exitcode=42
	export MSAN_OPTIONS
	see msan 0 none "$tmp/msan"
	for fault in unset reset rewind; do
		see msan 42 $fault "$tmp/msan"
	done
else
	echo "skip: no MemorySanitizer"
fi

if ! is_wanted valgrind; then
	:
elif command -v "$VALGRIND" >/dev/null && build plain "${CC%% *}"; then
	run="$VALGRIND -q --error-exitcode=42"
	# 2 is the program's own word for a fault it does not know.
	$run "$tmp/plain" nothing >"$tmp/out" 2>&1
	if [ $? = 2 ]; then
		see valgrind 0 none $run "$tmp/plain"
		for fault in overflow neighbour unset reset rewind moved freed \
			packed destroyed twice; do
			see valgrind 42 $fault $run "$tmp/plain"
		done
		for tool in helgrind drd; do
			see $tool 0 shared $run --tool=$tool "$tmp/plain"
			see $tool 42 threads $run --tool=$tool "$tmp/plain"
		done
	else
		echo "skip: valgrind can not run what this compiler made"
	fi
else
	echo "skip: no valgrind"
fi

echo "checkers: Checks: $checks, Failures: $failed, Errors: 0"
[ $checks != 0 ] || exit 77
[ $failed = 0 ]
