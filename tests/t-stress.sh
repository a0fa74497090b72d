#!/bin/sh
# t-stress.sh -- kvarena-stress runs, repeats a seed, and refuses wrong arguments
stress="$EMULATOR ../stress/kvarena-stress$EXEEXT"
checks=0
failed=0

# gives STATUS ARGS... -- what it writes is then in $out
gives()
{
	want=$1
	shift
	checks=$((checks + 1))
	# shellcheck disable=SC2086
	out=$($stress "$@" 2>&1)
	got=$?
	out=$(echo "$out" | tr -d '\r')	# as Windows ends lines
	[ $got = "$want" ] && return
	echo "FAIL: status $got, not $want: kvarena-stress $*"
	echo "$out"
	failed=$((failed + 1))
}

# says PATTERN
says()
{
	checks=$((checks + 1))
	echo "$out" | grep -q -e "$1" && return
	echo "FAIL: no '$1' in:"
	echo "$out"
	failed=$((failed + 1))
}

# How many pieces a run verified: the same for the same seed, by one thread.
pieces()
{
	echo "$out" | sed -n 's/.*: \([0-9]*\) pieces.*/\1/p'
}

gives 0 --rounds=1 --allocations=3000
says ': seed [0-9]*, 8 threads, 3000 allocations each'
says 'round 1 safe .* ok$'
says 'round 1 unsafe .* ok$'
gives 0 --rounds 2 --threads 2 --allocations 1000 --seed 5 --mode safe
says 'round 2 safe   seed 6: '
gives 0 --seconds=1 --threads=1 --allocations=1000

gives 0 --rounds=3 --threads=1 --allocations=2000 --seed=77 --mode=unsafe
first=$(pieces)
gives 0 --rounds=3 --threads=1 --allocations=2000 --seed=77 --mode=unsafe
checks=$((checks + 1))
if [ -z "$first" ] || [ "$first" != "$(pieces)" ]; then
	echo "FAIL: a seed gave '$first' and then '$(pieces)'"
	failed=$((failed + 1))
fi

# Interrupted, it has said how to do it again.
if [ -z "$EMULATOR" ] && timeout --preserve-status 9 true 2>/dev/null; then
	plain=$stress
	stress="timeout --preserve-status -s INT 1 $plain"
	gives 130 --seconds=60
	stress=$plain
	says ': seed [0-9]*, 8 threads'
fi

for bad in --threads=0 --threads=2000 --threads=x --rounds=0 --rounds= \
	--seed=-1 --mode=fast --allocations=0 --seconds=1h --wrong word; do
	gives 2 "$bad"
done
gives 0 --help
says 'usage: kvarena-stress'
gives 0 --version

echo "stress: Checks: $checks, Failures: $failed, Errors: 0"
[ $failed = 0 ]
