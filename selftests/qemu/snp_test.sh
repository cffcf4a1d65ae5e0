#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Unmodified QEMU launches SNP guests on the model, in the VM of scripts/snp-vm: the firmware of
# selftests/firmware, what is measured of it, and what must not be launched. Needs gmem-measure, and
# two keys for ID blocks. A case a line; ends in the count.
# ROUNDS launches in a row, with the QEMUs by turns (default 20).
# shellcheck shell=dash
# shellcheck source=scripts/guest/snp-lib
. /add/snp-lib

passed=0 failed=0
firmware=/add/firmware/snp.fd

# ok NAME COMMAND...: one line, and what the guest's console and QEMU said if it is not.
ok()
{
	name=$1
	shift
	if "$@"; then
		echo "ok - $name"
		passed=$((passed + 1))
	else
		echo "not ok - $name"
		failed=$((failed + 1))
		console_text | sed 's/^/# /'
		sed 's/^/# QEMU: /' "$errors"
	fi
}

# The firmware found all as it should be.
ran()
{
	await_end
	[ $status = 33 ]
}

# It did not run at all, and QEMU said why.
refused()
{
	await_end
	[ $status != 33 ] && [ ! -s "$console" ] && [ -s "$errors" ]
}

# It did not run, and nothing of it is left.
did_not_run()
{
	await_end
	[ $status != 33 ] && [ ! -s "$console" ] && nothing_left
}

# Refused by these words.
refused_by()
{
	refused && grep -q -e "$1" "$errors"
}

# Nothing is left of all guests, and no rule of the platform was broken.
nothing_left()
{
	[ "$(in_all pages)" = 0 ] && [ "$(in_all leaked)" = 0 ] && [ "$(in_all platform_reports)" = 0 ]
}

# All memory is there in runs of 2 MiB: but the first, which has the VGA's and the ROM's holes;
# the image's; and $1 blocks of which a part has been converted.
in_runs()
{
	pages=$(in_files pages) runs=$(in_files runs_2m)
	echo "# $pages pages, $runs runs"
	[ "$pages" -ge $(((memory - 1) * 256)) ] && [ "$runs" -ge $((memory / 2 - 1 - $1)) ]
}

firmware_cases()
{
	start_plain "$qemu" -bios $firmware
	ok "$v plain_guest" ran
	start_snp "$qemu" -bios $firmware -fw_cfg name=opt/gmem/checks,string=memory \
		-fw_cfg name=opt/gmem/end,string=key
	await 'passed, .* failed'
	ok "$v memory_is_in_runs" in_runs 0
	type_in x
	ok "$v memory" ran
	start_snp "$qemu" -bios $firmware -fw_cfg name=opt/gmem/end,string=key
	await 'passed, .* failed'
	ok "$v memory_is_in_runs_but_what_was_converted" in_runs 3
	type_in x
	ok "$v conversion" ran
	start_snp "$qemu" -bios $firmware -smp 2
	ok "$v two_processors" ran
	start_snp "$qemu" -bios $firmware -device virtio-rng-pci
	ok "$v a_virtio_device_that_nobody_uses" ran
}

# What may be said of the guest beside cbitpos.
property_cases()
{
	for snp in ,policy=0xb0000 ,kernel-hashes=on \
		",host-data=$(head -c 32 /dev/zero | base64 | tr -d '\n')"; do
		start_snp "$qemu" -bios $firmware
		ok "$v property $(echo "$snp" | cut -c2-20)" ran
	done
	# Reserved bits of the policy.
	for snp in ,policy=0x10000 ,policy=0x8000000000030000; do
		start_snp "$qemu" -bios $firmware
		ok "$v refuses $(echo "$snp" | cut -c2-)" refused
	done
	# An id block of zeros is of another guest, and signed by nobody.
	snp=",id-block=$(head -c 96 /dev/zero | base64 | tr -d '\n')"
	snp="$snp,id-auth=$(head -c 4096 /dev/zero | base64 | tr -d '\n')"
	start_snp "$qemu" -bios $firmware
	ok "$v refuses an_id_block_of_another_guest" refused
	snp=''
}

# What the module tells of the one launch that there is, in file $1.
told()
{
	[ "$(wc -l <"/sys/kernel/debug/gmem/$1")" = 1 ] && cat "/sys/kernel/debug/gmem/$1"
}

# predicted PROCESSORS [OPTION]...: what gmem-measure says of such a launch
predicted()
{
	vcpus=$1
	shift
	/add/gmem-measure snp --ovmf $firmware --vcpus "$vcpus" --vcpu-sig "$signature" \
		--vmm "$(vmm_of "$qemu")" "$@"
}

# Its steps come to the digest that the module and gmem-measure have, and are those of a launch with
# $1 processors.
measured_as_predicted()
{
	told launch_steps >/tmp/steps || return
	digest=$(told launches | cut -d ' ' -f 2)
	predicted "$1" --transcript >/tmp/predicted
	[ "$(/add/gmem-measure /tmp/steps)" = "$digest" ] && [ "$(predicted "$1")" = "$digest" ] &&
		/add/gmem-measure compare /tmp/predicted /tmp/steps
}

# And of no other.
measured_otherwise()
{
	predicted "$1" --transcript >/tmp/predicted
	! /add/gmem-measure compare /tmp/predicted /tmp/steps >/tmp/differs && grep -q vmsa /tmp/differs
}

measured_cases()
{
	for vcpus in 1 2; do
		for snp in '' ,kernel-hashes=on; do
			start_snp "$qemu" -bios $firmware -smp $vcpus \
				-fw_cfg name=opt/gmem/checks,string=memory \
				-fw_cfg name=opt/gmem/end,string=key
			await 'passed, .* failed'
			ok "$v measured_as_predicted $vcpus$snp" measured_as_predicted $vcpus
			ok "$v measured_otherwise $vcpus$snp" measured_otherwise $((3 - vcpus))
			type_in x
			ok "$v measured $vcpus$snp" ran
		done
	done
	snp=''
}

# id_block PROCESSORS [OPTION]...: has the guest's launch checked against that of PROCESSORS
id_block()
{
	predicted "$@" --id-key /add/id.pem --id-block-out /tmp/id-block --id-auth-out /tmp/id-auth \
		>/dev/null
	snp=",id-block=$(base64 </tmp/id-block | tr -d '\n')"
	snp="$snp,id-auth=$(base64 </tmp/id-auth | tr -d '\n')"
}

id_block_cases()
{
	id_block 1
	start_snp "$qemu" -bios $firmware
	ok "$v id_block" ran
	start_snp "$qemu" -bios $firmware -smp 2
	ok "$v refuses id_block_of_one_processor" refused_by 'SNP_LAUNCH_FINISH'
	snp="$snp,policy=0xb0000"
	start_snp "$qemu" -bios $firmware
	ok "$v refuses id_block_of_another_policy" refused_by 'SNP_LAUNCH_FINISH'
	id_block 2 --policy 0xb0000 --author-key /add/author.pem
	snp="$snp,author-key-enabled=on,policy=0xb0000"
	start_snp "$qemu" -bios $firmware -smp 2
	ok "$v id_block_with_an_author" ran
	# Signed by nobody.
	id_block 1
	snp="$snp,author-key-enabled=on"
	start_snp "$qemu" -bios $firmware
	ok "$v refuses id_block_without_its_author" refused_by 'SNP_LAUNCH_FINISH'
	snp=''
}

cbitpos_cases()
{
	right=$cbitpos
	cbitpos=$(((right + 1) % 64))
	start_snp "$qemu" -bios $firmware
	ok "$v refuses wrong_cbitpos" refused_by 'cbitpos check failed'
	cbitpos=$right
	start "$qemu" -M q35,confidential-guest-support=snp0 \
		-object sev-snp-guest,id=snp0,reduced-phys-bits=1 -bios $firmware
	# Left out it is 0.
	if [ "$right" = 0 ]; then
		ok "$v no_cbitpos" ran
	else
		ok "$v refuses no_cbitpos" refused_by 'cbitpos check failed'
	fi
}

image_cases()
{
	start_snp "$qemu" -drive if=pflash,format=raw,readonly=on,file=$firmware
	ok "$v refuses pflash" refused
	for image in /add/firmware/broken/refused/*.fd; do
		start_snp "$qemu" -bios "$image"
		ok "$v refuses $(basename "$image" .fd)" refused
	done
	for image in /add/firmware/broken/fatal/*.fd; do
		start_snp "$qemu" -bios "$image"
		ok "$v does_not_run $(basename "$image" .fd)" did_not_run
	done
	for image in /add/firmware/broken/launched/*.fd; do
		start_snp "$qemu" -bios "$image"
		ok "$v launches $(basename "$image" .fd)" ran
	done
}

# Killed at any moment of its launch.
kill_cases()
{
	survived=0
	for moment in 0 0.1 0.2 0.3 0.5; do
		start_snp "$qemu" -bios $firmware
		sleep $moment
		kill -KILL "$guest" 2>/dev/null
		await_end
		nothing_left || survived=$((survived + 1))
	done
	ok "$v nothing_is_left_of_killed_guests" [ $survived = 0 ]
}

launch_in_a_row()
{
	round=0
	while [ $round -lt "${ROUNDS:-20}" ]; do
		# shellcheck disable=SC2119
		for qemu in $(qemus); do
			start_snp "$qemu" -bios $firmware -fw_cfg name=opt/gmem/checks,string=memory
			ran && nothing_left || return
			round=$((round + 1))
		done
	done
}

# shellcheck disable=SC2119
for qemu in $(qemus); do
	v=$(version_of "$qemu")
	memory=256
	firmware_cases
	# What is looked at from here on does not need much.
	memory=64
	property_cases
	measured_cases
	id_block_cases
	cbitpos_cases
	image_cases
	kill_cases
done
ok launches_in_a_row launch_in_a_row
ok nothing_is_left nothing_left
echo "$passed passed, $failed failed"
[ $failed = 0 ]
