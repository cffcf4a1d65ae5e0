# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Bochs as the emulator of scripts/vm, which sources this file and has the variables: an
# Intel processor with VMX and EPT (Tiger Lake: unrestricted guest, A/D bits, PML, APICv,
# posted interrupts). One processor, whose clock goes by its instructions.
# shellcheck disable=SC2034,SC2154 # variables of scripts/vm

# Instructions in a second of the guest: about as many as an idle machine emulates, and
# enough for time-outs of tests to mean what they do elsewhere.
instructions=200000000

choose_machine()
{
	local size=${mem:-2G}
	[ -z "$icount" ] || die "--count-instructions: Bochs's clock goes by instructions as it is"
	[ -z "$no_byte_strings" ] || die "--no-byte-strings: Bochs's processor cannot be without them"
	[ -z "${GMEM_VM_QEMU:-}" ] || die "GMEM_VM_QEMU: Bochs has other arguments"
	[ "${cpus:-1}" = 1 ] || die "--cpus $cpus: the emulated Intel host has one processor"
	[[ $size =~ ^([0-9]{1,6})([MG]?)$ ]] || die "--mem $size: a number with M or G"
	mem=${BASH_REMATCH[1]}
	[ "${BASH_REMATCH[2]}" != G ] || mem=$((mem * 1024))
	[ "$mem" -le 2048 ] || die "--mem $size: Bochs gives a guest 2G at the most"
	processors=1 timeout=${timeout:-900}
	type -P xorriso >/dev/null || die "no xorriso; scripts/deps installs it"
	bochs=$("$tree/scripts/bochs") || {
		local status=$?
		[ "$status" != 77 ] || say "SKIP: no Bochs, so no Intel host"
		exit "$status"
	}
	# CPUID says 2.4 GHz, which Linux would take for the clock's rate. A reset, which would
	# boot the kernel again, is a triple fault, which ends Bochs.
	append+=" tsc=reliable tsc_early_khz=$((instructions / 1000)) reboot=triple"
}

# Bochs boots what its BIOS does: a CD with a boot loader.
make_disc()
{
	local kernel=$1 initrd=$2 top=$dir/disc
	mkdir -p "$top/isolinux"
	ln -s "$kernel" "$top/linux"
	ln -s "$initrd" "$top/initrd"
	cp "$bochs"/{isolinux.bin,ldlinux.c32} "$top/isolinux/"
	cat >"$top/isolinux/isolinux.cfg" <<-END
		DEFAULT linux
		PROMPT 0
		LABEL linux
		KERNEL /linux
		INITRD /initrd
		APPEND $append
	END
	xorriso -as mkisofs -quiet -f -b isolinux/isolinux.bin -c isolinux/boot.cat \
		-no-emul-boot -boot-load-size 4 -boot-info-table -o "$dir/disc.iso" "$top" \
		2>"$dir/emulator" || { cat "$dir/emulator" >&2 && die "no disc to boot from"; }
}

# Boot KERNEL with INITRD; the serial ports go to files of these names in $dir.
start_machine()
{
	local port number=0
	make_disc "$1" "$2"
	shift 2
	{
		cat <<-END
			config_interface: textconfig
			display_library: nogui
			cpu: model=tigerlake, count=1, ips=$instructions, reset_on_triple_fault=0, ignore_bad_msrs=1
			memory: guest=$mem, host=$mem
			romimage: file=$bochs/BIOS-bochs-latest, options=fastboot
			vgaromimage: file=$bochs/vgabios.bin
			ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
			ata0-master: type=cdrom, path=$dir/disc.iso, status=inserted
			boot: cdrom
			floppy_bootsig_check: disabled=1
			speaker: enabled=0
			clock: sync=none, time0=utc, rtc_sync=0
			log: $dir/bochs.log
			panic: action=fatal
			error: action=ignore
			info: action=ignore
			debug: action=ignore
		END
		for port; do
			number=$((number + 1))
			echo "com$number: enabled=1, mode=file, dev=$dir/$port"
		done
	} >"$dir/bochsrc"
	"$bochs/bochs" -q -f "$dir/bochsrc" </dev/null >"$dir/emulator" 2>&1 &
	emulator=$!
}

# Whether the machine, whose emulator ended with status $1, was switched off or reset, both
# of which Bochs takes for errors.
ran_to_its_end()
{
	grep -qE 'soft power off|3rd \([0-9]+\) exception' "$dir/bochs.log"
}
