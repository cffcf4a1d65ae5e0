# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Cases of a test that is a script: sourced by those in this folder.

passed=0 failed=0

# ok NAME COMMAND...: one line, with the seconds it took if that is some.
ok()
{
	local name=$1 start=$SECONDS took=''
	shift
	if "$@"; then
		[ $((SECONDS - start)) -lt 2 ] || took=" ($((SECONDS - start)) s)"
		echo "ok - $name$took"
		passed=$((passed + 1))
	else
		echo "not ok - $name"
		failed=$((failed + 1))
	fi
}

# The last line, and the status.
done_testing()
{
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}
