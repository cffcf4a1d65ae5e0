# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# A kernel of our own, built from Debian's linux-source by a configuration of this folder on
# top of tinyconfig. Sourced by debug-kernel and tdx-kernel.

# More variables for the kernel's make, set by who sources this.
kernel_variables=()

# Build into the folder OUT (the last argument) from SOURCE by CONFIG, in SUITE; the release
# ends in SUFFIX.
build_kernel()
{
	local source=$1 config=$2 suite=$3 suffix=$4 out=$5 release
	local build=$out/build
	# shellcheck disable=SC2154 # read_target of lib.sh, which who sources this has sourced
	say "building a kernel by ${config##*/} of $target_version (minutes)"
	mkdir "$build"
	make=("$tree/scripts/in-chroot" "$suite" make -s -C "$source" "O=$build" "LOCALVERSION=$suffix"
		${kernel_variables[@]+"${kernel_variables[@]}"})
	"${make[@]}" tinyconfig
	"$source/scripts/kconfig/merge_config.sh" -m -O "$build" "$build/.config" "$config" >/dev/null
	"${make[@]}" olddefconfig
	unmet "$build/.config" "$config"
	"${make[@]}" -j "$(nproc)" bzImage modules
	release=$(cat "$build/include/config/kernel.release")
	mkdir "$out/boot"
	cp "$build/arch/x86/boot/bzImage" "$out/boot/vmlinuz-$release"
	"${make[@]}" INSTALL_MOD_PATH="$out" modules_install
	rm -f "$out/lib/modules/$release/build"
	# Newer kernels name the folder there; it gets its own name by and by.
	sed -i "s|$out/|${out%.new}/|" "$build/Makefile"
	# Modules need the configuration, headers and symbol versions only.
	find "$build" -name '*.o' ! -path '*/scripts/*' ! -path '*/tools/*' -delete
}

# Say which options did not take: a checker that is silently off proves nothing.
unmet()
{
	local line
	grep '^CONFIG_' "$2" | while read -r line; do
		case $line in
		*=n) ! grep -q "^${line%=n}=" "$1" || say "not in the kernel: $line" ;;
		*) grep -qxF "$line" "$1" || say "not in the kernel: $line" ;;
		esac
	done
}
