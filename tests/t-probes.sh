#!/bin/sh
# t-probes.sh -- trace points are in the library, cost one instruction, and a
# debugger stops at them and sees their arguments
src=$(cd "${top_srcdir:-..}" && pwd) || exit 99
build=$(pwd)/..
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

library=$build/lib/.libs/libkvarena.so
[ -e "$library" ] || skip "there is no shared library"
[ -z "$EMULATOR" ] || skip "the library is for another machine"
readelf -n /dev/null >/dev/null 2>&1
[ $? != 127 ] || skip "there is no readelf"

cat >"$tmp/has.c" <<'END'
#include <kv_arena.h>
int main(void) { return !kv_arena_has("usdt"); }
END
# shellcheck disable=SC2086
for program in "$tmp/has.c" "$src/tests/gdb-subject.c"; do
	${LIBTOOL:-$build/libtool} --quiet --tag=CC --mode=link $CC $CFLAGS -g \
		-I"$src/include" $LDFLAGS -no-install \
		-o "$tmp/$(basename "$program" .c)" "$program" \
		"$build/lib/libkvarena.la" -lpthread || exit 99
done
cd "$tmp" || exit 99

readelf -n "$library" >notes 2>/dev/null

without_probes()
{
	ok "a library without trace points has none" test "$(grep -c kvarena notes)" = 0
	./has
	ok "and says so" test $? = 1
}

in_the_file()
{
	ok "the library says that it has trace points" ./has
	for probe in create refill block reset destroy oom; do
		ok "a note of $probe" test "$(grep -A1 'Provider: kvarena$' notes |
			grep -c "Name: $probe\$")" -gt 0
	done

	for probe in alloc free; do
		ok "a note of $probe, with a semaphore" test "$(grep -A2 \
			'Provider: otel_memory$' notes | grep -A1 "Name: $probe\$" |
			grep -c 'Semaphore: 0x0*[1-9a-f]')" -gt 0
	done

	# At each place there is one instruction, which does nothing.
	command -v objdump >/dev/null 2>&1 || return
	objdump -d "$library" | tr '\t' ' ' >code
	sed -n 's/.*Location: 0x0*\([0-9a-f]*\),.*/\1/p' notes >places
	while read -r place; do
		ok "a no-op at $place" says code "^ *$place: .* nop *\$"
	done <places
}

# What gdb is told: print the arguments at each probe.
commands()
{
	printf '%s\n' 'break main' run 'info probes stap kvarena'
	for probe in create refill block reset destroy oom; do
		cat <<END
break -probe-stap kvarena:$probe
commands
silent
printf "$probe %#lx %s %lu\n", \$_probe_arg0, (char *)\$_probe_arg1, \$_probe_arg2
continue
end
END
	done
	cat <<'END'
tbreak stop_here
continue
printf "root is %#lx and queries %#lx\n", root, queries
continue
END
}

in_a_debugger()
{
	command -v gdb >/dev/null 2>&1 || { echo "skip: gdb: it is not here"; return; }
	case " $CFLAGS $KV_CFLAGS" in
	*-fsanitize*) echo "skip: gdb: not with a sanitizer"; return ;;
	esac
	commands >watch
	HOME=$tmp gdb -nx -batch -iex 'set debuginfod enabled off' -x watch \
		./gdb-subject </dev/null >seen 2>&1
	grep -q 'Breakpoint 1, ' seen || {
		cat seen
		echo "skip: gdb: it may not run a program here"
		return
	}
	root=$(sed -n 's/^root is \(0x[0-9a-f]*\) .*/\1/p' seen)
	queries=$(sed -n 's/^root is .* \(0x[0-9a-f]*\)$/\1/p' seen)
	ok "lists them" says seen '^stap +kvarena +refill +0x[0-9a-f]+ '
	ok "create, with the name" says seen "^create $root root 0\$"
	ok "of a child" says seen "^create $queries queries 0\$"
	ok "refill, with what was asked for" says seen "^refill $root root 1000\$"
	ok "of a shared arena" says seen "^refill $queries queries 100\$"
	ok "block, with its size" says seen "^block $root root 65536\$"
	ok "block for one allocation" says seen "^block $queries queries 4194304\$"
	ok "once for each block" test "$(grep -c "^block $root " seen)" = 5
	ok "oom, with what could not be had" says seen '^oom 0x[0-9a-f]+ small 1234567$'
	ok "reset, with what is held" says seen "^reset $root root 1[0-9]{6}\$"
	ok "destroy" says seen "^destroy $root root [0-9]+\$"
	samples_in_a_debugger
	ok "of all arenas" test "$(grep -c '^destroy ' seen)" = 4
}

# gdb counts itself in the semaphores, as any tracer does.
samples_in_a_debugger()
{
	for probe in alloc free; do
		cat <<END
break -probe-stap otel_memory:$probe
commands
silent
printf "$probe %#lx\n", \$_probe_arg0
continue
end
END
	done >hooks
	printf '%s\n' 'set environment KVARENA_CONF sample:50000' 'break main' run \
		'source hooks' continue >watch
	HOME=$tmp gdb -nx -batch -iex 'set debuginfod enabled off' -x watch \
		./gdb-subject </dev/null >samples 2>&1
	sed -n 's/^alloc //p' samples | sort >allocated
	sed -n 's/^free //p' samples | sort >freed
	ok "samples, with OpenTelemetry's names" test "$(wc -l <allocated)" -gt 10
	ok "each is given back" cmp allocated freed
}

if grep -q '^#define HAVE_SYS_SDT_H 1' "$build/config.h"; then
	in_the_file
	in_a_debugger
else
	without_probes
fi

echo "probes: Checks: $checks, Failures: $failed, Errors: 0"
[ $failed = 0 ]
