#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Debian's OVMF as an SNP guest that knows it, where the model does it wrong (debugfs
# gmem/snp_misdeeds): OVMF comes to its shell where it can put up with that, and else ends itself.
# For scripts/demo-snp-aware's machine. One case each.
# shellcheck shell=dash
# shellcheck source=scripts/guest/snp-lib
. /add/snp-lib

passed=0 failed=0

# case_of MISDEED TIMES AFTER shell|end
case_of()
{
	how='' before=$(done_of "$1")
	echo "$1 $2 $3" >$misdeeds || return
	start_snp "$qemu" -bios /add/OVMF.fd
	if await 'Shell>'; then
		how=shell
		type_in 'reset -s\r'
	else
		how=end
	fi
	await_end
	echo "$1 0" >$misdeeds
	if [ "$how" = "$4" ] && [ "$(done_of "$1")" -gt "$before" ] && [ "$(in_all pages)" = 0 ]; then
		echo "PASS $1: $how, done $(($(done_of "$1") - before)) times"
		passed=$((passed + 1))
	else
		echo "FAIL $1: $how, QEMU's status is $status, done $(($(done_of "$1") - before)) times"
		dmesg | grep 'snp-model: ' | tail -n 5
		cat "$errors"
		failed=$((failed + 1))
	fi
}

# Lines that are no order, and change nothing.
refused()
{
	before=$(cat $misdeeds)
	for line in '' 'nothing' 'psc-lies x' 'psc-lies 1 2 3' 'psc-lies -1' 'psc-lies 4294967296' 'psc-lies 1 4294967296' \
		'psc-lies 00000000000000000000000000000000000000000000000000000000000001'; do
		if echo "$line" 2>/dev/null >$misdeeds; then
			echo "FAIL taken: $line"
			failed=$((failed + 1))
			return
		fi
	done
	[ "$(cat $misdeeds)" = "$before" ] && passed=$((passed + 1)) && echo "PASS refused"
}

qemu=$(qemus | head -n 1)
refused
case_of pvalidate-size 4294967295 0 shell
case_of psc-lies 4 20 shell
case_of psc-stuck 5 0 shell
case_of psc-refused 1 3 end
case_of pvalidate-same 1 100 end
case_of no-features 1 0 end
case_of event-refused 1 10 end
echo "$passed passed, $failed failed"
[ $failed = 0 ]
