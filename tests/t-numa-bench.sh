#!/bin/sh
# t-numa-bench.sh -- kvarena-bench --numa tells of every way of placing
#
# On a machine with one node all pages are local. Whether the figures are right on
# four, "make check-numa" tells: there the kernel counts the pages.
bench=../tools/kvarena-bench

if [ -n "$EMULATOR" ] || [ ! -d /sys/devices/system/node/node0 ]; then
	echo "skip: the system tells of no nodes"
	exit 77
fi
if [ ! -x $bench ]; then
	echo "skip: kvarena-bench is not built"
	exit 77
fi

$bench --numa 1 >t-numa-bench.out 2>t-numa-bench.err
status=$?
if grep -q 'needs Linux' t-numa-bench.err; then
	echo "skip: this build does without Linux's extensions"
	exit 77
fi
nodes=$(grep -c '^node ' t-numa-bench.out)

# A row is "| name | fill | step | local | remote |", or says that it was refused.
awk -F '|' -v status=$status -v nodes="$nodes" '
function want(good, what) {
	checks++
	if (!good) {
		failures++
		print "FAIL: " what
	}
}
/^\| [a-z]/ && !/placement/ {
	rows++
	refused += /refused/
	if (!/refused/) {
		want($3 > 0 && $4 > 0, "times of" $2)
		want($5 + $6 >= 256, "pages of" $2)
		want(nodes > 1 || $6 == 0, "one node, and pages elsewhere:" $2)
	}
}
END {
	want(rows == 6, "six ways of placing, not " rows + 0)
	want((status == 0) == (refused == 0), "the exit status is " status)
	print "numa-bench: Checks: " checks ", Failures: " failures + 0 ", Errors: 0"
	exit failures != 0
}' t-numa-bench.out || exit 1
[ ! -s t-numa-bench.err ] || {
	cat t-numa-bench.err
	exit 1
}
