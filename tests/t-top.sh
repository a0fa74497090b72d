#!/bin/sh
# t-top.sh -- kvarena-top shows what a process publishes, and gives the terminal
# back
tool=$(pwd)/../tools/kvarena-top
src=$(cd "${top_srcdir:-..}" && pwd) || exit 99
build=$(pwd)/..
CC=${CC:-cc}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp" "/dev/shm/kvarena.t-top-$$" "/dev/shm/kvarena.t-top-own-$$"' EXIT
checks=0
failed=0
# shellcheck source=/dev/null
. "${top_srcdir:-..}/tests/kvtest.sh"

if [ ! -x "$tool" ] || [ -n "$EMULATOR" ]; then
	echo "skip: kvarena-top is not here"
	exit 77
fi
# shellcheck disable=SC2086
${LIBTOOL:-$build/libtool} --quiet --tag=CC --mode=link $CC $CFLAGS -I"$src/include" \
	$LDFLAGS -o "$tmp/subject" "$src/tests/top-subject.c" \
	"$build/lib/libkvarena.la" || exit 99
cd "$tmp" || exit 99

# ---- one report ----
./subject report.json 1 || exit 99
ok "batch" gives 0 "$tool" -b -n 1 report.json
ok "counts arenas" says out '^Arenas: 3 total, '
ok "one line for each" test "$(grep -c '^ .*\(root\|evil\)' out)" = 3
ok "no rates from one report" says out '^Rates:  - allocations/s'
ok "no control character of a name" says out 'evil\?\[31mname'
ok "sorts" gives 0 "$tool" -b -n 1 -o ARENA report.json
ok "by name" says out "$(printf '^.*evil')"
ok "the first is the first by name" test \
	"$(sed -n '/HELD/{n;s/.*[ *]//p;}' out)" = 'evil?[31mname'

# ---- a process ----
./subject live.json 40 &
pid=$!
sleep 0.5
ok "twice" gives 0 "$tool" -b -n 3 -d 0.5 live.json
ok "has rates then" says out '^Rates:  [0-9.]+k allocations/s, .* [1-9][0-9.]* resets/s'
kill $pid
wait $pid 2>/dev/null
if [ -d /dev/shm ]; then
	./subject "/dev/shm/kvarena.t-top-$$" 1
	ok "by name" gives 0 "$tool" -b -n 1 "t-top-$$"
	ok "and shows it" says out root/queries
fi

# ---- a process that knows nothing of it ----
# shown FILE -- wait for it
shown()
{
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ -s "$1" ] && return
		sleep 0.25
	done
	return 1
}

KVARENA_CONF=stats,publish:./own.%p ./subject ignored.json 1000 &
pid=$!
ok "KVARENA_CONF=publish:FILE" shown own.$pid
ok "can be watched" gives 0 "$tool" -b -n 3 -d 0.5 ./own.$pid
ok "with all arenas" says out '^Arenas: 3 total, 2 shared'
ok "and rates" says out '^Rates:  [0-9.]+k allocations/s, .* [1-9][0-9.]* resets/s'
ok "no draft is left" test "$(find . -name 'own.*~' | wc -l)" -le 1
kill $pid
wait $pid 2>/dev/null
KVARENA_CONF=publish:./own.ended ./subject ignored.json 3
ok "at the end the file goes" test ! -e own.ended
if [ -d /dev/shm ]; then
	KVARENA_CONF=publish:t-top-own-$$ ./subject ignored.json 1000 &
	pid=$!
	ok "KVARENA_CONF=publish:NAME" shown "/dev/shm/kvarena.t-top-own-$$"
	ok "is watched by that name" gives 0 "$tool" -b -n 1 "t-top-own-$$"
	kill $pid
	wait $pid 2>/dev/null
fi
ok "where nothing can be written, nothing is" gives 0 \
	env KVARENA_CONF=publish:/no/such/place ./subject ignored.json 1
ok "nor under too long a name" gives 0 env KVARENA_CONF="publish:/$(printf \
	'%01100d' 1)" ./subject ignored.json 1

# ---- a pipe ----
./subject - 3 >three
ok "three reports in a pipe" gives 0 sh -c '"$1" -b - <three' - "$tool"
ok "are three looks" test "$(grep -c '^kvarena-top - ' out)" = 3
ok "an empty pipe" gives 1 sh -c '"$1" -b - </dev/null' - "$tool"
ok "says so" says err 'standard input: it has ended'

# ---- a terminal ----
if command -v script >/dev/null 2>&1 && script -qec true /dev/null >/dev/null 2>&1
then
	# Pauses: keys that come before the program would be lost.
	{ sleep 1; printf '\r'; sleep 0.3; printf '\r>'; sleep 0.3; printf q; } |
		TERM=xterm gives 0 timeout 20 \
		script -qec "$tool report.json" typescript
	ok "q ends it" test $? = 0
	esc=$(printf '\033')
	ok "takes the other screen" says typescript "$esc\\[\\?1049h"
	ok "shows one arena" says typescript 'Sizes in bytes|Sizes: '
	ok "sorts by the next column" says typescript 'PEAKv'
	ok "gives the screen back" says typescript "$esc\\[\\?1049l"
	# In the foreground: in a group of its own it may not set the terminal.
	for signal in INT:130 TERM:143; do
		TERM=xterm gives ${signal#*:} timeout 20 script -qec "timeout --foreground \
			--preserve-status -s ${signal%:*} 1 $tool report.json" \
			typescript </dev/null
		ok "SIG${signal%:*} ends it" test $? = 0
		ok "and gives the screen back" says typescript "$esc\\[\\?1049l"
	done
	ok "a dumb terminal gets a batch" \
		gives 0 env TERM=dumb script -qec "$tool -n 1 report.json" typescript
	ok "without sequences" test "$(grep -c "$esc" typescript)" = 0
else
	echo "skip: the terminal: there is no script(1)"
fi

# ---- what is wrong ----
# refused STATUS PATTERN ARGUMENT...
refused()
{
	want=$1 pattern=$2
	shift 2
	ok "status $want: $*" gives "$want" "$tool" "$@"
	ok "says why: $*" says err "^kvarena-top: .*$pattern"
}

echo '{"kvarena": "1.0.0", "arenas": [{"path": "a"}]}' >lacks.json
echo '{"arenas":' >short.json
echo '[1, 2]' >other.json
echo '{"kvarena": "1", "arenas": [], "a": "\x"}' >escape.json
refused 1 'No such file' -b -n 1 no-such-name
refused 1 'an arena without' -b lacks.json
refused 1 'line 2: it ends too early' -b short.json
refused 1 'not a report of kvarena' -b other.json
refused 1 'line 1: a bad escape' -b escape.json
refused 1 'Invalid argument' -b .
refused 2 'is missing'
refused 2 "'b'" a b
refused 2 "'-z'" -z a
refused 2 "'--frob'" --frob a
refused 2 "'x'" -n x a
refused 2 "'0'" -d 0 a
refused 2 "'MEM'" -o MEM a
ok "help" gives 0 "$tool" --help
ok "on stdout" says out '^usage: kvarena-top '
ok "version" gives 0 "$tool" -V

echo "top: Checks: $checks, Failures: $failed, Errors: 0"
[ $failed = 0 ]
