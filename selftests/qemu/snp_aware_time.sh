#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# How long Debian's Linux takes through OVMF from QEMU's start to user space, its memory used: as an
# SNP guest that knows it, and as one that does not, by turns. Counts what the vCPU's thread and
# QEMU's others have run, in user and kernel mode and as the guest, which what else the machine does
# changes less than time; and says the time, too. Fails where the one that knows takes 1.5 times
# as much, or more.
#
# By QEMU 10.0, which has -kernel for both: the one that does not know reads it by PIO (docs/qemu.md).
# shellcheck shell=dash
# shellcheck source=scripts/guest/snp-lib
. /add/snp-lib

now()
{
	awk '{ print int($1 * 100 + 0.5) }' /proc/uptime
}

# Hundredths of a second that the guest's process has run.
ran()
{
	sed 's/.*) //' "/proc/$guest/stat" | awk '{ print $12 + $13 }'
}

# run HOW: sets took and cost, in hundredths of a second. HOW is a value of snp_guests.
run()
{
	rmmod gmem && insmod /vm/gmem.ko platform=snp-model "snp_guests=$1" || return
	start=start_ovmf memory=512
	[ "$1" = asked ] || start=start_snp
	from=$(now)
	$start "$qemu" -bios /add/OVMF.fd -kernel /add/linux -initrd /add/initrd \
		-append "$(cat /add/linux-arguments)"
	if ! await 'linux: ready'; then
		console_text | tail -n 20
		return 1
	fi
	took=$(($(now) - from)) cost=$(ran)
	echo "$1 took $took, ran $cost"
	type_in '\n'
	await_end
}

qemu=$(qemus | head -n 1)
aware=$1
unaware_ran=0 aware_ran=0 unaware_took=0 aware_took=0 round=0
run asked # not counted: it reads files that are not in memory yet
while [ $round -lt "${ROUNDS:-3}" ]; do
	run asked || break
	unaware_ran=$((unaware_ran + cost)) unaware_took=$((unaware_took + took))
	run "$aware" || break
	aware_ran=$((aware_ran + cost)) aware_took=$((aware_took + took))
	round=$((round + 1))
done
[ $round != 0 ] && echo "layer: $aware: $((aware_ran * 100 / unaware_ran)) % of what an unaware guest takes" \
	"of processors, $((aware_took * 100 / unaware_took)) % of its time"
if [ $round = "${ROUNDS:-3}" ] && [ $((aware_ran * 10)) -lt $((unaware_ran * 15)) ]; then
	echo "1 passed, 0 failed"
else
	echo "0 passed, 1 failed"
	exit 1
fi
