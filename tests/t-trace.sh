#!/bin/sh
# t-trace.sh -- kvarena-trace counts exactly, and survives bad files and signals
#
# Where the recorder was not built (a sanitizer, --disable-shared) the sample
# in the source tree is read instead, and what needs the recorder is skipped.
tool=$(pwd)/../tools/kvarena-trace
src=$(cd "${top_srcdir:-..}/tests" && pwd) || exit 99
recorder=$(ls ../tools/.libs/libkvarena-record.so 2>/dev/null)
CC=${CC:-cc}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
checks=0
failed=0
# shellcheck source=/dev/null
. "${top_srcdir:-..}/tests/kvtest.sh"

if [ ! -x "$tool" ]; then
	echo "skip: kvarena-trace is for Linux"
	exit 77
fi
if [ ! -e /proc/self/exe ]; then
	echo "skip: kvarena-trace needs /proc, which is not mounted"
	exit 77
fi
if [ -n "$EMULATOR" ]; then
	echo "skip: no recorder goes into an emulator"
	exit 77
fi
# shellcheck disable=SC2086
[ -z "$recorder" ] || ${LIBTOOL:-../libtool} --quiet --tag=CC --mode=link $CC $CFLAGS \
	-I"$src/../include" $LDFLAGS -no-install -o "$tmp/arenas" \
	"$src/trace-arenas.c" ../lib/libkvarena.la -lpthread || exit 99
if [ -n "$recorder" ] && [ -n "$(LD_PRELOAD=$recorder sh -c : 2>&1)" ]; then
	echo "skip: the recorder is not for this machine's shell"
	recorder=
fi
cd "$tmp" || exit 99

# counted TRACE NAME NUMBER -- as --summary has it
counted()
{
	"$tool" dump --summary "$1" >out 2>err || { cat err; return 1; }
	got=$(sed -n "s/^$2  *\([0-9]*\).*/\1/p" out)
	[ "$got" = "$3" ] && return
	echo "$2: $got instead of $3"
	cat out
	return 1
}

# interrupted SIGNAL -- a recording, when its program is well on. timeout undoes
# that a shell has what it puts in the background ignore SIGINT.
interrupted()
{
	: >on
	timeout --preserve-status 60 "$tool" record -o i.kvt ./subject loop >on &
	until [ -s on ] || ! kill -0 $!; do sleep 0.1; done
	kill -"$1" $!
	wait $!
}

# objects TRACE FUNCTION -- how many were allocated in it
objects()
{
	"$tool" dump --sites "$1" | awk -v f="$2" '
		$4 == f { n += $2 } END { print n + 0 }'
}

record_all()
{
	$CC -g -O0 -fno-builtin -o subject "$src/trace-subject.c" -lpthread ||
		exit 99

	# ---- counts, exactly ----
	ok "record gives the program's status" \
		gives 7 "$tool" record -o c.kvt -- ./subject counts
	ok "mallocs"         counted c.kvt malloc 1006
	ok "callocs"         counted c.kvt calloc 7
	ok "reallocs"        counted c.kvt realloc 3
	ok "aligned"         counted c.kvt aligned 2
	ok "frees"           counted c.kvt free 1010
	ok "no unknown free" counted c.kvt 'unknown frees' 0
	ok "bytes"           counted c.kvt bytes 38431
	ok "live at the end" counted c.kvt 'objects at end' 5
	ok "peak"            counted c.kvt 'peak bytes' 5000
	ok "a site by name"  test "$(objects c.kvt make_list)" = 1000
	ok "another"         test "$(objects c.kvt counts)" = 15
	ok "dump has a line for each call" \
		test "$("$tool" dump c.kvt | grep -vc '^#')" = 2028

	# ---- threads, fork ----
	ok "record threads" gives 0 "$tool" record -o t.kvt ./subject threads
	ok "objects of threads" test "$(objects t.kvt fill)" = 2000
	ok "five threads" counted t.kvt threads 5
	ok "their frees are known" counted t.kvt 'unknown frees' 0
	ok "no object is lost" counted t.kvt 'lost objects' 0
	ok "record a fork" gives 0 "$tool" record -o f.kvt ./subject fork
	ok "the parent" test "$(objects f.kvt make_list)" = 20
	ok "the parent's frees" counted f.kvt free 20
	ok "the child has a file" test "$(ls f.kvt.* | wc -l)" = 1
	ok "the child" test "$(objects f.kvt.* make_list)" = 10
	ok "frees of what the parent made" counted f.kvt.* 'unknown frees' 20
	rm -f f.kvt*
	gives 0 "$tool" record --no-children -o f.kvt ./subject fork
	ok "--no-children" test "$(ls f.kvt* | wc -l)" = 1
	ok "--only another program" \
		gives 1 "$tool" record --only nothing -o o.kvt ./subject threads
	ok "says why" says err 'nothing was recorded'

	# ---- bounds, signals ----
	ok "a bound" gives 0 "$tool" record --limit 70k -o l.kvt sh -c '
		i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); x=$i$i; done'
	gives 0 "$tool" record -o k.kvt sh -c './subject loop >on & pid=$!
		until [ -s on ]; do sleep 0.1; done
		kill -9 $pid; wait $pid 2>/dev/null; exit 0'
	ok "what was killed is recorded" \
		test "$(for f in k.kvt*; do objects "$f" make_list; done |
			awk '{ n += $1 } END { print (n >= 100) }')" = 1
	for signal in INT:130 TERM:143; do
		gives ${signal#*:} interrupted ${signal%:*}
		ok "SIG${signal%:*} ends program and recording" test $? = 0
		ok "and leaves a whole file" \
			test "$(objects i.kvt make_list)" -ge 100
	done
	echo "mine" >mine.txt
	ok "a file of another kind stays" \
		gives 1 "$tool" record -o mine.txt ./subject threads
	ok "unharmed" says mine.txt '^mine$'
	ok "no such program" gives 127 "$tool" record -o n.kvt ./nothing
	ok "by name" says err './nothing: No such file'

	sample=c.kvt
}

# ---- replays ----
check_replays()
{
	ok "replay" gives 0 "$tool" replay --runs 3 $sample
	ok "has malloc" says out '^malloc \('
	ok "has one arena for all" says out '^whole, 64 KiB '
	ok "has the advised arenas" says out '^advised, 64 KiB, SAFE |^advised, fitted '
	ok "tune" gives 0 "$tool" tune --runs 1 $sample
	ok "says the best" says out 'config.block_size = [0-9]+;'
	ok "advise" gives 0 "$tool" advise --runs 1 --all $sample
	ok "finds the lists" says out '1000 allocations at 1 call site'
	ok "and that they die together" says out 'one, reset [0-9]+ times'
	ok "touch nothing" gives 0 "$tool" replay --runs 1 --touch none $sample
}

# ---- a report as a page ----
check_html()
{
	cat >report.json <<-'END'
	{"kvarena": "1.0.0", "arenas": [
	 {"path": "root/<b>\"&\u0007", "id": 1, "shared": true,
	  "used_bytes": 300, "padding_bytes": 50, "free_bytes": 650,
	  "current_memory_usage": 1000, "peak_memory_usage": 2000,
	  "total_allocations": 1234567,
	  "size_distribution": [0, 0, 0, 7, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]},
	 {"path": "small", "current_memory_usage": 10, "free_bytes": 10}]}
	END
	ok "html" gives 0 "$tool" html -o page.html report.json
	ok "has plots" test "$(grep -c '<svg' page.html)" = 3
	ok "escapes names" says page.html 'root/&lt;b&gt;&quot;&amp;\?'
	ok "and nothing else slips through" test "$(grep -c '<b>' page.html)" = 0
	ok "shows shares" says page.html 'used 300 B, 30\.0 %'
	ok "shows sizes" says page.html '5 to 8 bytes: 7, 63\.6 %'
	ok "needs nothing else" \
		test "$(grep -Ec 'src=|href=|url\(|http' page.html)" = 0
	ok "leaves no draft" test ! -e page.html.part
	ok "to standard output" gives 0 sh -c '"$1" html - <report.json' - "$tool"
	ok "the same but for the name" test "$(grep -c '<svg' out)" = 3
	echo '{"kvarena": "1.0.0", "arenas": []}' >none.json
	ok "no arena" gives 0 "$tool" html none.json
	ok "says so" says out 'There is no arena'
	echo '{"kvarena": "1.0.0",' >short.json
	ok "a broken report" gives 1 "$tool" html -o other.html short.json
	ok "says where" says err 'short.json: line 2: a member'
	ok "and writes nothing" test ! -e other.html
	ok "no report" gives 1 "$tool" html no.json
	ok "says which" says err '^kvarena-trace: no.json: No such file'
}

# ---- wrong usage ----
# misuse PATTERN ARGUMENT... -- status 2, and stderr names the argument
misuse()
{
	pattern=$1
	shift
	ok "misuse: $*" gives 2 "$tool" "$@"
	ok "names it: $*" says err "$pattern"
	ok "on stderr only: $*" test ! -s out
}

check_usage()
{
	misuse 'command is missing'
	misuse "'frob'" frob
	misuse 'dump: a file is missing' dump
	misuse "'b'" dump a b
	misuse "'--frob'" dump --frob a
	misuse "'-z'" advise -z a
	misuse "'--runs'" replay --runs
	misuse "'none'" replay --runs none a
	misuse "'some'" replay --touch some a
	misuse "'half'" tune --arena half a
	misuse "'x'" replay --block x a
	misuse 'program to run is missing' record -o a
	misuse 'html: a file is missing' html -o a
	misuse "'33'" record --depth 33 true
	misuse 'too few' record --limit 1k true
	ok "help" gives 0 "$tool" --help
	ok "on stdout" says out '^usage: kvarena-trace record'
	ok "version" gives 0 "$tool" --version
}

# ---- bad files ----
# bad PATTERN FILE -- every command refuses it with a message
bad()
{
	for command in "dump" "dump --summary" "replay --runs 1" \
		"tune --runs 1" "advise --runs 1"; do
		# shellcheck disable=SC2086
		ok "$command $2" gives 1 "$tool" $command "$2"
		ok "$command $2 says why" says err "^kvarena-trace: $2: .*$1"
	done
}

# put OFFSET OCTAL FILE -- write one byte
put()
{
	printf %b "\\0$2" | dd of="$3" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

check_files()
{
	size=$(wc -c <$sample)
	bad 'No such file' nothing.kvt
	mkdir directory
	bad 'not a regular file' directory
	: >empty.kvt
	bad 'not a trace' empty.kvt
	head -c 8192 /dev/zero >zero.kvt
	bad 'not a trace' zero.kvt
	head -c $((size - 1)) $sample >short.kvt
	bad 'truncated' short.kvt
	head -c 4100 $sample >shorter.kvt
	bad 'truncated' shorter.kvt
	cp $sample version.kvt
	put 8 377 version.kvt
	bad 'version' version.kvt
	cp $sample sum.kvt
	put $((size - 20)) 125 sum.kvt
	bad 'sum' sum.kvt
	{ cat $sample; echo more; } >long.kvt
	bad 'too many' long.kvt

	# An event that does not exist, in a file that has no sums.
	cp $sample event.kvt
	put 24 0 event.kvt
	for i in 32 33 34 35 36 37 38 39; do
		put $((4096 + i)) 0 event.kvt
	done
	cp event.kvt fuzz0.kvt
	put 4136 377 event.kvt
	bad 'corrupt' event.kvt

	# Bytes changed at random: any answer, but an answer.
	ok "without sums it is read" gives 0 "$tool" dump fuzz0.kvt
	i=0
	awk -v size="$size" 'BEGIN { srand(1); for (i = 0; i < 60; i++)
		printf "%d %o\n", 4096 + int(rand() * (size - 4096)),
			int(rand() * 256) }' >places
	while read -r offset byte; do
		i=$((i + 1))
		cp fuzz0.kvt fuzz.kvt
		put "$offset" "$byte" fuzz.kvt
		"$tool" dump --summary --sites fuzz.kvt >out 2>err
		got=$?
		ok "byte $offset = $byte: status $got" test $got -le 1
	done <places
}

# What arenas hand out is told with its call site, and so is its end.
record_arenas()
{
	ok "record arenas" gives 0 "$tool" record -q -o a.kvt ./arenas
	says=$(sed -n 's/^arenas: \([0-9]* [0-9]*\).*/\1/p' out)
	"$tool" dump --sites a.kvt >sites
	ok "as many calls and bytes as there were" test "$says" = \
		"$(awk '$4 == "main" || $4 == "work" { n += $2; b += $1 }
			END { print n, b }' sites)"
	ok "each ends once" counted a.kvt 'unknown frees' 0
	ok "and before its address serves again" counted a.kvt 'lost objects' 0
	ok "it can be replayed" gives 0 "$tool" replay --runs 1 a.kvt
	ok "no recorder is no harm" gives 0 env KVARENA_CONF=trace ./arenas
	ok "the same is handed out" test "$says" = \
		"$(sed -n 's/^arenas: \([0-9]* [0-9]*\).*/\1/p' out)"
}

if [ -n "$recorder" ]; then
	record_all
	record_arenas
else
	echo "skip: recording: there is no libkvarena-record.so"
	# It was made on a little-endian machine.
	[ "$(printf '\1\0' | od -An -d | tr -d ' ')" = 1 ] || exit 77
	cp "$src/trace-sample.kvt" . || exit 99
	sample=trace-sample.kvt
fi
check_replays
check_html
check_usage
check_files

echo "trace: Checks: $checks, Failures: $failed, Errors: 0"
[ $failed = 0 ]
