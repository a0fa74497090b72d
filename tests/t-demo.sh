#!/bin/sh
# t-demo.sh -- kvarena-demo finds every word again, and says what it cannot read
#
# Its figures are not looked at: they differ from machine to machine.
demo="$EMULATOR $(pwd)/../tools/kvarena-demo$EXEEXT"
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 99
checks=0
failed=0

# gives STATUS ARGS... -- what it writes is then in out and err
gives()
{
	want=$1
	shift
	checks=$((checks + 1))
	# shellcheck disable=SC2086
	$demo "$@" >out 2>err
	got=$?
	[ $got = "$want" ] && return
	echo "FAIL: status $got, not $want: kvarena-demo $*"
	cat out err
	failed=$((failed + 1))
}

# says FILE TEXT
says()
{
	checks=$((checks + 1))
	grep -qF -e "$2" "$1" && return
	echo "FAIL: no '$2' in $1:"
	cat "$1"
	failed=$((failed + 1))
}

printf 'one two three, two;\nthree\tthree\n' >few
awk 'BEGIN { for (i = 0; i < 30000; i++) print "word" i, "again" i % 7 }' >many
printf 'caf\303\251 \000 \377 end' >bytes
printf ' \n\t.,;\n' >none
awk 'BEGIN { for (i = 0; i < 5000; i++) printf "x" }' >long

gives 0 few
says out '6 words, 3 different, in 1 file'
says out 'Every word was found again'
says out 'arena memtable'
says out 'How large the entries were'
gives 0 -t 8 many few
says out '60006 words, 30010 different, in 2 files'
says out '      8  malloc'
gives 0 --threads=1 --quiet many
says out '      1  kvarena'
gives 0 bytes
says out '3 words, 3 different'
gives 0 long
says out '5 words, 2 different'
for f in few many; do
	checks=$((checks + 1))
	gives 0 $f
	if awk 'length > 80 { exit 1 }' out; then
		continue
	fi
	echo "FAIL: a line over 80 columns"
	failed=$((failed + 1))
done

gives 0 - <few
says out '6 words, 3 different'

# Interrupted, it has not told a part of it.
if [ -z "$EMULATOR" ] && timeout --preserve-status 9 true 2>/dev/null &&
	mkfifo endless; then
	plain=$demo
	demo="timeout --preserve-status -s INT 1 $plain"
	gives 130 - <>endless
	demo=$plain
	checks=$((checks + 1))
	[ ! -s out ] || { cat out; failed=$((failed + 1)); }
fi

gives 2 few missing many
says err 'kvarena-demo: missing: '
gives 2 "$tmp"
says err "kvarena-demo: $tmp: "
gives 1 none
says err 'no words'
gives 1 none none
gives 2
says err 'usage: kvarena-demo'
gives 2 --threads=0 few
gives 2 --threads=1000 few
gives 2 --threads=x few
gives 2 --wrong few
gives 0 --help
says out 'usage: kvarena-demo'
gives 0 --version
says out 'kvarena-demo '
for arg in few --help; do
	[ -c /dev/full ] || break
	checks=$((checks + 1))
	# shellcheck disable=SC2086
	$demo $arg >/dev/full 2>err && {
		echo "FAIL: a full disk was not noticed"
		failed=$((failed + 1))
	}
	says err 'standard output'
done

echo "demo: Checks: $checks, Failures: $failed, Errors: 0"
[ $failed = 0 ]
