#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Debian's Linux as an SNP guest whose messages to the firmware are answered wrongly (debugfs
# gmem/snp_misdeeds): when its driver asks again, and when it does not use a key again. For
# scripts/demo-snp-aware's machine. One case each.
# shellcheck shell=dash
# shellcheck source=scripts/guest/snp-lib
. /add/snp-lib

passed=0 failed=0

# The guest's next line that is like $1, behind those that were there when it was asked.
answer_to()
{
	asked=$(grep -ac 'linux: ' "$console")
	type_in "$1\n"
	until tail=$(grep -a 'linux: ' "$console" | tail -n "+$((asked + 1))") && echo "$tail" | grep -aq "$2"; do
		kill -0 "$guest" || return
		sleep 0.2
	done
}

judge()
{
	if [ "$2" = "$3" ]; then
		echo "PASS $1"
		passed=$((passed + 1))
	else
		echo "FAIL $1: $2, not $3"
		echo "$tail"
		dmesg | grep 'snp-model: ' | tail -n 3
		failed=$((failed + 1))
	fi
}

# The guest asks for a report at VMPL $2, which comes to $3: "attested" or "not attested".
case_of()
{
	answer_to "attest $2" 'attested at'
	how=$(echo "$tail" | sed -n 's/.*linux: \(.*attested\) at.*/\1/p' | tail -n 1)
	judge "$1" "$how" "$3"
}

# A key that has not been in use.
take_key()
{
	answer_to "key $1" 'has key'
}

order()
{
	before=$(done_of "$1")
	echo "$*" >$misdeeds
}

# The last order was done $2 times.
was_done()
{
	judge "$1 is done" "$(($(done_of "$1") - before))" "$2"
}

memory=512
start_snp "$(qemus | head -n 1)" -bios /add/OVMF.fd -kernel /add/linux -initrd /add/initrd \
	-append "$(cat /add/linux-arguments)"
await 'linux: ready' || exit

order request-busy 2
case_of 'busy: it asks again' 0 attested
was_done request-busy 2
order answer-tampered 1
case_of 'an answer that is not the firmware'"'"'s' 0 'not attested'
was_done answer-tampered 1
case_of 'whose key is not used again' 0 'not attested'

take_key 1
order answer-replayed 1
case_of 'an answer, to be replayed' 1 attested
case_of 'one that has been there' 1 'not attested'
was_done answer-replayed 1
case_of 'whose key is not used again, either' 1 'not attested'

take_key 2
order request-refused 1
case_of 'the firmware refuses' 2 'not attested'
was_done request-refused 1
case_of 'nor that one' 2 'not attested'

take_key 3
case_of 'the last key' 3 attested
case_of 'and again' 3 attested

type_in '\n'
await_end
judge "the guest's end" $status 0
judge 'pages that are left' "$(in_all pages)" 0
echo "$passed passed, $failed failed"
[ $failed = 0 ]
