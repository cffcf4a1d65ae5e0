# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# QEMU as the emulator of scripts/vm, which sources this file and has the variables.
# A machine without hardware virtualization emulates a processor that has it (SVM with
# nested paging).
# shellcheck disable=SC2034,SC2154 # variables of scripts/vm

# Which machine that is, how many processors it has, which of them COMMAND may run on (a
# mask), and whether threads of its own emulate them: then its clocks may come out wrong.
#
# Where several are emulated, the first is not for COMMAND: a processor that loads an
# x87 state clears a flag in the *first* one's hflags2, not atomically (cpu_clear_ignne()
# of QEMU 10.0), and may so undo the bit that says whether nested paging is on, which
# VMRUN and #VMEXIT write there. A guest that was on the first processor is lost then
# (docs/testing.md, "The emulators").
choose_machine()
{
	local strings=''
	[ -z "$no_byte_strings" ] || strings=,-erms,-fsrm
	mem=${mem:-4G} cpus=${cpus:-2} timeout=${timeout:-120}
	machine=(-accel 'tcg,thread=multi' -cpu "max$strings") emulated=1
	smp=$cpus processors=$(((1 << cpus) - 1))
	if [ -n "$icount" ]; then
		machine=(-accel 'tcg,thread=single' -icount 'shift=0,sleep=off' -cpu "max$strings")
		smp=1 processors=1 emulated=''
	elif [ -w /dev/kvm ] && grep -qs '[1Y]' /sys/module/kvm_{amd,intel}/parameters/nested; then
		machine=(-accel kvm -cpu "host$strings") emulated=''
	elif [ "$cpus" -gt 1 ]; then
		smp=$((cpus + 1)) processors=$((processors << 1))
		# Else each end of a grace period would have to wake the first processor.
		append+=' srcutree.convert_to_big=1'
	fi
}

# Boot KERNEL with INITRD; the serial ports go to files of these names in $dir.
start_machine()
{
	local kernel=$1 initrd=$2 port ports=()
	shift 2
	for port; do
		ports+=(-chardev "file,id=$port,path=$dir/$port" -serial "chardev:$port")
	done
	# shellcheck disable=SC2086 # GMEM_VM_QEMU is words
	"${GMEM_QEMU:-qemu-system-x86_64}" "${machine[@]}" \
		-smp "$smp" -m "$mem" -display none -monitor none -no-reboot -nic none \
		-kernel "$kernel" -initrd "$initrd" \
		-append "$append" "${ports[@]}" ${GMEM_VM_QEMU:-} \
		</dev/null >"$dir/emulator" 2>&1 &
	emulator=$!
}

# Whether the machine, whose emulator ended with status $1, was switched off or reset.
ran_to_its_end()
{
	[ "$1" = 0 ]
}

# The next boot need not measure what the HPET has said in this one.
believe_hpet()
{
	local khz
	khz=$(tr -d '\r' <"$log" |
		sed -n 's/.*: PIT calibration deviates from HPET: [0-9]* \([0-9]*\)$/\1/p')
	[ -z "$khz" ] || append+=" tsc_early_khz=$khz"
}

# Whether the kernel died of a breakpoint outside of our modules, by its log. The kernel has
# some in its code for the moment of a patch, and no processor may run one later.
died_of_old_code()
{
	[ -z "$(<"$dir/status")" ] &&
		tr -d '\r' <"$log" | awk '
			/Oops: int3: / { oops = 1 }
			oops && / RIP: [0-9a-f]+:/ { found = 1; ours = /\[gmem/; exit }
			END { exit !(found && !ours) }'
}
