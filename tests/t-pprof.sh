#!/bin/sh
# t-pprof.sh -- what kv_arena_write_profile writes is taken by those it is for
#
# protoc decodes the protocol buffer by tests/profile.proto, and what pprof demands
# of a profile is held against that; awk reads folded stacks as all their readers do,
# and kvarena-trace draws them.
# shellcheck disable=SC2016,SC2086
CC=${CC:-cc}
top_srcdir=${top_srcdir:-..}
tool=../tools/kvarena-trace
[ -z "$EMULATOR" ] || { echo "skip: programs run under $EMULATOR"; exit 77; }
tmp=$(mktemp -d ./t-pprof.XXXXXX) || exit 99
trap 'rm -rf "$tmp"' EXIT
checks=0
failed=0

# ok WHAT COMMAND... -- one check: COMMAND succeeds
ok()
{
	what=$1
	shift
	checks=$((checks + 1))
	"$@" >"$tmp/said" 2>&1 && return
	echo "FAIL: $what"
	cat "$tmp/said"
	failed=$((failed + 1))
}

# sum FILE WORD -- of the lines that have it
sum()
{
	awk -v word="$2" 'index($0, word) { n += $NF } END { printf "%d\n", n }' "$1"
}

# near NUMBER TRUTH -- within a tenth, which is many sigma here
near()
{
	echo "$1 instead of $2"
	[ $(($1 * 10)) -gt $(($2 * 9)) ] && [ $(($1 * 10)) -lt $(($2 * 11)) ]
}

$CC $CPPFLAGS $CFLAGS -O1 -g -I"$top_srcdir/include" -c -o "$tmp/subject.o" \
	"$top_srcdir/tests/profile-subject.c" &&
	${LIBTOOL:-../libtool} --quiet --tag=CC --mode=link $CC $CFLAGS $LDFLAGS \
		-no-install -o "$tmp/subject" "$tmp/subject.o" ../lib/libkvarena.la ||
	exit 99
"$tmp/subject" "$tmp" >"$tmp/truth" || exit 99
read -r bytes objects known <"$tmp/truth"
[ "$known" = stacks ] || echo "skip: whole stacks: this system does not tell them"

# ---- folded stacks ----
for kind in bytes objects padding abandoned; do
	ok "each line of $kind is frames and a number" awk '
		!/^(tree|tree\/text <&>)(;[^;]+)+ [1-9][0-9]*$/ { print; bad = 1 }
		END { exit bad || NR == 0 }' "$tmp/$kind.folded"
done
ok "the sum of bytes" near "$(sum "$tmp/bytes.folded" tree)" "$bytes"
ok "the sum of objects" near "$(sum "$tmp/objects.folded" tree)" "$objects"
ok "what was abandoned" near "$(sum "$tmp/abandoned.folded" text)" 1048560

# ---- pprof ----
# What pprof checks when it reads, and that sums are those of the folded stacks.
cat >"$tmp/valid.awk" <<'EOF'
# Fields of the outermost message come one on a line, of others between braces.
function fail(why) { print why; bad = 1 }
/^[a-z_]+ {$/ { message = $1; n[message]++; nvalues = 0; nframes = 0 }
/^  id: / { if (seen[message, $2]++ || $2 == 0) fail("an id of " message) }
/^  mapping_id: / { wanted["mapping", $2] }
/^    function_id: / { wanted["function", $2] }
/^  location_id: / { wanted["location", $2]; nframes++ }
/^  value: / { total[nvalues++] += $2 }
/^ *(type|unit|key|str|filename|name): / { if ($2 > last_string) last_string = $2 }
/^}/ && message == "sample" {
	if (nvalues != 4) fail("a sample of " nvalues " values")
	if (nframes == 0) fail("a sample without a location")
}
/^string_table: / {
	text = $0
	sub(/^string_table: "/, "", text)
	sub(/"$/, "", text)
	strings[nstrings++] = text
}
/^period: / { period = $2 }
/^default_sample_type: / { usual = $2 }
END {
	for (id in wanted)
		if (!(id in seen)) fail("no " id)
	if (strings[0] != "" || nstrings <= last_string) fail("the strings")
	if (n["sample_type"] != 4 || n["sample"] < least) fail("too few samples")
	if (period != 4096 && least > 0) fail("the period")
	if (strings[usual] != "bytes") fail("the usual type")
	printf "%d %d %d %d %d functions\n", total[0], total[1], total[2], total[3],
		n["function"]
	exit bad
}
EOF

# decoded FILE LEAST -- it is valid, and has so many samples; totals go to totals
decoded()
{
	protoc --decode=pprof.Profile --proto_path="$top_srcdir/tests" profile.proto \
		<"$1" >"$tmp/decoded" || return 1
	grep -E '^ *[0-9]+:' "$tmp/decoded" && return 1		# unknown fields
	awk -v least="$2" -f "$tmp/valid.awk" "$tmp/decoded" >"$tmp/totals" ||
		{ cat "$tmp/totals"; return 1; }
}

# same FIELD FILE -- a total is the sum of the folded stacks
same()
{
	[ "$(cut -d ' ' -f "$1" "$tmp/totals")" = "$(sum "$tmp/$2.folded" tree)" ]
}

if command -v protoc >/dev/null; then
	ok "protoc decodes it" decoded "$tmp/profile.pb" 3
	field=0
	for kind in bytes objects padding abandoned; do
		field=$((field + 1))
		ok "$kind are those of the folded stacks" same $field $kind
	done
	if grep -q '^#define KV_OS_LINUX 1' ../config.h; then
		ok "the program is a mapping" \
			grep -q "string_table: \".*/subject\"" "$tmp/decoded"
	else
		echo "skip: mappings: only Linux is asked for them"
	fi
	ok "arenas are labels" grep -q 'string_table: "tree/text <&>"' "$tmp/decoded"
	ok "protoc decodes an empty one" decoded "$tmp/empty.pb" 0
	ok "which has no sample" grep -q '^0 0 0 0 ' "$tmp/totals"
else
	echo "skip: pprof: there is no protoc (Debian: protobuf-compiler)"
fi
if command -v pprof >/dev/null; then
	ok "pprof reads it, and finds functions" sh -c \
		'pprof -top "$1/subject" "$1/profile.pb" | grep grow_text' - "$tmp"
else
	echo "skip: pprof itself is not here"
fi

# ---- the flame graph ----
# drawn ARGUMENT... -- to flame.svg
drawn()
{
	"$tool" flame -o "$tmp/flame.svg" "$@"
}

if [ -x $tool ]; then
	ok "it is drawn" drawn "$tmp/bytes.folded"
	ok "no draft is left" test ! -e "$tmp/flame.svg.part"
	callers='main parse'
	[ "$known" = stacks ] || callers=
	if grep -q 'subject+0x' "$tmp/bytes.folded"; then
		for name in $callers new_node new_name grow_text; do
			ok "$name is found in its file" \
				grep -q "<title>$name: " "$tmp/flame.svg"
		done
		# Equal calls are one frame: of the first parse there is one.
		ok "frames of one function are one" test \
			"$(grep -c '<title>grow_text: ' "$tmp/flame.svg")" = 1
	else
		echo "skip: names: a static program is not told its own file"
	fi
	ok "arenas are at the bottom" grep -q '<title>tree/text &lt;&amp;&gt;: ' \
		"$tmp/flame.svg"
	ok "it needs nothing else" sh -c '! grep -E "href=|src=|url\(|<script" "$1"' - \
		"$tmp/flame.svg"
	! command -v xmllint >/dev/null ||
		ok "it is XML" xmllint --noout "$tmp/flame.svg"
	printf 'a;b 3\na;c 1\n\na;b;a 4\n' >"$tmp/small"
	ok "of objects" drawn --unit objects --title 'T<&' "$tmp/small"
	ok "they are counted" grep -q '<title>b: 7 objects, 87.50 %<' "$tmp/flame.svg"
	ok "under their title" grep -q '>T&lt;&amp;<' "$tmp/flame.svg"
	ok "from standard input" sh -c '"$1" flame - <"$2" | grep -q "</svg>"' - \
		$tool "$tmp/small"
	: >"$tmp/none"
	ok "of nothing" drawn "$tmp/none"
	for wrong in 'a;b' 'a;b x' ' 3' 'a 3x'; do
		printf 'a 1\n%s\n' "$wrong" >"$tmp/wrong"
		ok "'$wrong' is no stack" sh -c '! "$1" flame "$2" >"$2.svg" 2>"$2.why" &&
			grep "wrong: line 2: " "$2.why"' - $tool "$tmp/wrong"
	done
	ok "a file that is not there" sh -c '! "$1" flame "$2"' - $tool "$tmp/nothing"
else
	echo "skip: flame graphs: there is no kvarena-trace"
fi

echo "pprof: Checks: $checks, Failures: $failed, Errors: 0"
[ $failed = 0 ]
