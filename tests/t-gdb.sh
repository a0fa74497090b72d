#!/bin/sh
# t-gdb.sh -- gdb lists arenas and blocks, and says who owns an address: of a
# process, and of its core
src=$(cd "${top_srcdir:-..}" && pwd) || exit 99
build=$(pwd)/..
script=$src/tools/gdb/kvarena-gdb.py
CC=${CC:-cc}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
checks=0
failed=0
# shellcheck source=/dev/null
. "${top_srcdir:-..}/tests/kvtest.sh"

skip()
{
	echo "skip: $1"
	exit 77
}

[ -z "$EMULATOR" ] || skip "gdb sees the emulator"
command -v gdb >/dev/null 2>&1 || skip "there is no gdb (Debian: gdb)"
case " $CFLAGS $KV_CFLAGS" in
*-fsanitize*) skip "a sanitizer and gdb exclude each other" ;;
esac

# debug ARGUMENT... -- gdb without anybody's settings
debug()
{
	HOME=$tmp gdb -nx -batch -iex 'set debuginfod enabled off' \
		-iex 'set auto-load safe-path /dev/null' "$@" </dev/null
}

debug -ex 'python print("has " + "python")' 2>&1 | grep -q 'has python' ||
	skip "this gdb was built without Python"
# shellcheck disable=SC2086
${LIBTOOL:-$build/libtool} --quiet --tag=CC --mode=link $CC $CFLAGS -g \
	-I"$src/include" $LDFLAGS -no-install -o "$tmp/subject" \
	"$src/tests/gdb-subject.c" "$build/lib/libkvarena.la" -lpthread || exit 99
cd "$tmp" || exit 99

cat >look <<'END'
kvarena arenas
kvarena blocks
echo named:\n
kvarena blocks root/queries
echo by pointer:\n
kvarena blocks evil
kvarena owner in_root
kvarena owner in_old_block
kvarena owner packed
kvarena owner packed + 200
kvarena owner in_queries
kvarena owner of_other_thread
kvarena owner alone
kvarena owner warm
kvarena owner outside
kvarena owner root
kvarena owner main
python print("held %s" % " ".join(str(arena.held()) for arena in arenas()))
END
cat >mistakes <<'END'
python
for command in "kvarena blocks nobody", "kvarena owner", "kvarena blocks main":
    try:
        gdb.execute(command)
    except gdb.error as error:
        print("refused: %s" % error)
END

# see FILE -- what both must show
see()
{
	ok "$1: root" says "$1" '^0x[0-9a-f]{16} .* MiB +[0-9.]+ MiB +[0-9]+ +-  root$'
	ok "$1: a child below it, with two shards" \
		says "$1" '^0x[0-9a-f]{16} .* 3 +2    queries$'
	ok "$1: no control character of a name" says "$1" '  bad\?\[31mname$'
	ok "$1: a block that serves one allocation" \
		says "$1" ' 4\.0 MiB +3\.0 MiB +0 B  one allocation$'
	ok "$1: by path" test "$(sed -n '/^named/,/^by/s/ (0x.*//p' "$1")" = root/queries
	ok "$1: by pointer" test "$(sed -n '/^by/,/owner/s/ (0x.* *$//p' "$1" |
		sed -n 1p)" = 'bad?[31mname'
	ok "$1: the owners" test "$(sed -n 's/^0x[0-9a-f]*: //p' "$1" |
		sed 's/ 0x[0-9a-f]*//; s/[0-9]* bytes into its block//')" = "$owners"
}

owners='arena root,  (current); handed out
arena root,  (left); handed out, or lost at the end of a window
arena root,  (current); handed out
arena root,  (current); free
arena root/queries,  (current); handed out
arena root/queries,  (current); handed out
arena root/queries,  (one allocation); handed out
no arena; block is warm in a cache
no arena
arena root itself
no arena'

# ---- a process ----
debug -x "$script" -ex 'break stop_here' -ex run -x look -x mistakes \
	-ex 'generate-core-file core' -ex continue ./subject >live 2>&1
grep -q 'Breakpoint 1, stop_here' live || {
	cat live
	skip "gdb may not run a program here"
}
if grep -q 'no debugging information' live; then
	skip "the library was built without -g"
fi
see live
ok "what is held, to the byte" test "$(grep -c '^held' live)" = 2
ok "as the library says" test "$(grep '^held' live | uniq | wc -l)" = 1
ok "a name that nobody has" says live 'refused: No symbol "nobody"'
ok "an expression that is no arena" says live 'refused: no arena lives there'
ok "no address" says live 'refused: an address'

# ---- a core ----
if [ -s core ]; then
	debug -x "$script" -x look ./subject core >dead 2>&1
	see dead
	ok "the same bytes" test "$(grep '^held' dead)" = "$(grep '^held' live | sed 1q)"
else
	ok "gdb writes a core" cat live
fi

# ---- a program without arenas ----
debug -x "$script" -ex 'kvarena arenas' /bin/sh >other 2>&1
ok "says what is missing" says other 'no debugging information of libkvarena'

echo "gdb: Checks: $checks, Failures: $failed, Errors: 0"
[ $failed = 0 ]
