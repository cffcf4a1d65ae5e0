#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# How long a guest of 256 MiB takes from QEMU's start to its end, having written all of its memory:
# plain, and launched as an SNP guest, by turns. For scripts/snp-vm --count-instructions, where
# time goes by instructions. Fails where SNP takes 1.3 times as long, or more.
# shellcheck shell=dash
# shellcheck source=scripts/guest/snp-lib
. /add/snp-lib

# run HOW: sets took, in hundredths of a second.
run()
{
	from=$(now)
	"$1" "$qemu" -bios /add/firmware/snp.fd -fw_cfg name=opt/gmem/checks,string=memory
	await_end
	took=$(($(now) - from))
	echo "$1 $took"
	[ $status = 33 ]
}

now()
{
	awk '{ print int($1 * 100 + 0.5) }' /proc/uptime
}

passed=0 failed=0
for qemu in $(qemus); do
	plain=0 launched=0 round=0
	run start_plain # not timed: it reads files that are not in memory yet
	while [ $round -lt "${ROUNDS:-3}" ]; do
		run start_plain || break
		plain=$((plain + took))
		run start_snp || break
		launched=$((launched + took))
		round=$((round + 1))
	done
	echo "layer: $(version_of "$qemu"): $((launched * 100 / plain)) % of a plain guest's time"
	if [ $round != 0 ] && [ $((launched * 10)) -lt $((plain * 13)) ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
