#!/bin/sh
# t-docs.sh -- what the documents say is there
#
# Every test that doc/features.md and doc/hostile.md name as a proof exists; every
# public function is used in a numbered example and has a manual page, and its comment
# in the header tells of threads, cost and failure; pages have their sections and
# nothing that mandoc complains of; HACKING.md shows every file of the library in its
# layer; no link between documents is dead.
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
proofs=$(grep -oh '`t-[a-z-]*\(\.sh\|: [a-z0-9_]*\)`' "$top/doc/features.md" \
	"$top/doc/hostile.md" | tr -d '`' | tr -d ' ' | sort -u)
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

# Nothing is claimed without one.
awk -F ' *[|] *' '
NF > 20 && $3 == "Y" && $4 !~ /`t-/ { print "no test proves \"" $2 "\"" }
NF > 20 && $2 != "" && $2 !~ /^-/ { rows++ }
END { if (rows < 44) print "rows are missing" }' "$top/doc/features.md" >rows.$$
while read -r line; do
	fail "doc/features.md: $line"
done <rows.$$
rm -f rows.$$

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

# ---- what the header says of each ----
# The comment above a function, or above a row of them, says who may call it and what
# it costs; that of a function which can fail also how that is told.
for header in kv_arena.h kv_arena_inline.h; do
	awk -v inside="^kv_arena_($inside)\$" '
	/^\/\*/ { comment = ""; open = 1 }
	open {
		line = $0
		sub(/^ \*/, "", line)
		comment = comment line
	}
	open && /\*\// { open = 0; next }
	open { next }
	/^$/ { comment = "" }
	/^[a-z].*[ *]kv_arena_[a-z_]*\(/ && !/^(static|typedef)/ {
		name = type = $0
		sub(/\(.*/, "", name)
		sub(/.*[ *]/, "", name)
		sub(/kv_arena_[a-z_]*\(.*/, "", type)
		if (name ~ inside)
			next
		if (comment !~ /\[any\]|\[owner\]|[Aa]ny thread|threads and cost/)
			print name ": who may call it"
		if (comment !~ /Cost|and cost/)
			print name ": what it costs"
		if (type ~ /^int|\*/ &&
		    comment !~ /NULL|-1|E[A-Z]+:|Errors|Never fails|"1.0.0"/)
			print name ": how it fails"
	}' "$top/include/$header"
done >comments.$$
while read -r line; do
	fail "the header does not say of $line"
done <comments.$$
rm -f comments.$$
checks=$((checks + $(echo "$functions" | wc -w)))

# ---- the layer picture of HACKING.md ----
for file in "$top"/lib/*.[ch]; do
	checks=$((checks + 1))
	name=$(basename "$file" | sed 's/\.[ch]$//')
	layer=$(sed -n '1s/.* \[\([0-9]\)\].*/\1/p' "$file")
	awk -v name="$name" -v layer="$layer" '
	/^## / { inside = $2 == "Layers" }
	inside && /^    [0-9 ]  / {
		if ($1 ~ /^[0-9]$/)
			at = $1
		for (i = 1; i <= NF; i++)
			found += at == layer && $i == name
	}
	END { exit !found }' "$top/HACKING.md" ||
		fail "HACKING.md does not show $name in layer $layer"
done

# ---- manual pages ----
pages="$top/doc/man"
macros='kv_arena_new kv_arena_new_array kv_arena_malloc kv_arena_aligned_malloc
	KV_ARENA_SCOPE'
for name in $functions $macros; do
	checks=$((checks + 1))
	grep -qE "^\.Nm $name( ,)?\$" "$pages"/*.3 || fail "no page names $name"
done
for page in "$pages"/*.3; do
	for section in SYNOPSIS DESCRIPTION LIFETIME THREADS COST 'RETURN VALUES' \
		EXAMPLES ERRORS 'SEE ALSO'; do
		checks=$((checks + 1))
		grep -q "^\.Sh $section\$" "$page" ||
			fail "$(basename "$page") has no section $section"
	done
done
for tool in $(sed -n 's/^\(kvarena_[a-z]*\)_SOURCES.*/\1/p' \
	"$top/tools/Makefile.am" | tr _ - | sort -u); do
	checks=$((checks + 1))
	[ -e "$pages/$tool.1" ] || fail "no page for $tool"
done

# All in one directory, where mandoc looks for the pages that they refer to. Those
# of the system need not be here.
if command -v mandoc >/dev/null; then
	tmp=$(mktemp -d ./t-docs.XXXXXX) || exit 99
	trap 'rm -rf "$tmp"' EXIT
	sh "$pages/aliases" --make "$tmp" "$pages"/*.[137]
	cp "$pages"/*.[137] "$tmp"/man3/*.3 "$tmp"
	rm -rf "$tmp"/man[137]
	checks=$((checks + 1))
	(cd "$tmp" && grep -L '^\.so ' ./*.[137] | xargs mandoc -Tlint) 2>/dev/null |
		grep -vE 'manual not found: Xr ([^k]|k[^v])' >"$tmp/lint"
	[ ! -s "$tmp/lint" ] || fail "mandoc: $(cat "$tmp/lint")"
else
	echo "note: no mandoc here, which would look at the pages"
fi

# ---- links ----
# "FILE TARGET" for each link to something of our own, from the top.
(cd "$top" && find . -name '*.md' ! -path './_*' ! -path './.git/*' -exec \
	grep -oHE '\]\([^) ]+\)' {} +) | sed 's/:\](/ /; s/)$//' |
	grep -vE ' (https?|mailto):' >links.$$
while read -r file target; do
	checks=$((checks + 1))
	anchor=${target#*#}
	path=${target%%#*}
	where=$(dirname "$file")/$path
	[ -n "$path" ] || where=$file
	[ -e "$top/$where" ] || fail "$file: dead link to $target"
	# A heading's anchor is its text in lower case, with - for blanks.
	[ "$anchor" = "$target" ] ||
		sed -n 's/^#\{1,6\} //p' "$top/$where" | tr 'A-Z ' 'a-z-' |
		tr -cd 'a-z0-9_\n-' | grep -qx -- "$anchor" ||
		fail "$file: no heading for #$anchor"
done <links.$$
grep -q README.md links.$$ || fail "links were not found"
rm -f links.$$

echo "docs: Checks: $checks, Failures: $failed, Errors: 0"
[ $failed = 0 ]
