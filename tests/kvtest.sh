# kvtest.sh -- checks of test scripts; they source this where they begin
#
# SPDX-License-Identifier: BSD-2-Clause
#
# A script sets checks and failed to 0 before, and prints both at its end.

# ok WHAT COMMAND... -- one check: COMMAND succeeds
ok()
{
	what=$1
	shift
	checks=$((checks + 1))
	"$@" && return
	echo "FAIL: $what"
	failed=$((failed + 1))
}

# gives STATUS COMMAND... -- its output is then in the files out and err
gives()
{
	want=$1
	shift
	"$@" >out 2>err
	got=$?
	[ $got = "$want" ] && return
	echo "status $got instead of $want: $*"
	cat out err
	return 1
}

# says FILE PATTERN
says()
{
	grep -Eq -e "$2" "$1" && return
	echo "nothing like '$2' in:"
	cat "$1"
	return 1
}
