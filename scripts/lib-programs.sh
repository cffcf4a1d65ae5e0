# shellcheck shell=bash
# shellcheck disable=SC2154 # what lib.sh sets
# SPDX-License-Identifier: GPL-2.0-only
# Programs of other suites of Debian's than this machine's, to be run where nothing of them
# is installed: here, or in the test VM. Sourced after lib.sh.
#
# In the cache:
#   newest/PACKAGE-SUITE     version that is meant, until "make kernels" looks again
#   qemu-VERSION-HASH/       a QEMU: qemu, which runs it wherever the folder is, with
#                            emulator, lib/, share/
#   ovmf-VERSION/OVMF.fd     UEFI firmware in one file, as -bios wants it
#
# The SUITEs are trixie and trixie-backports.

# The version of a package that SUITE has; lists that are not there yet are read.
newest_package()
{
	local package=$1 suite=$2 file
	file=$cache/newest/$package-$suite
	if [ ! -e "$file" ]; then
		refresh_suite "${suite%-backports}"
		look_for_package "$package" "$suite"
	fi
	cat "$file"
}

# The same, as the lists of today have it.
look_for_package()
{
	local package=$1 suite=$2 version temporary
	version=$(suite_apt "${suite%-backports}" apt-cache policy -t "$suite" "$package" |
		sed -n 's/^  Candidate: //p')
	[ -n "$version" ] || die "Debian's $suite has no $package"
	mkdir -p "$cache/newest"
	temporary=$(mktemp "$cache/newest/.XXXXXX")
	echo "$version" >"$temporary"
	mv "$temporary" "$cache/newest/$package-$suite"
}

# "1:10.0.13+ds-0+deb13u1" is 10.0.13+ds-0+deb13u1 in names.
without_epoch()
{
	echo "${1#*:}"
}

# Folder of SUITE's QEMU; its version is in the name.
qemu_of()
{
	local version dir
	version=$(newest_package qemu-system-x86 "$1") || return
	dir=$cache/qemu-$(without_epoch "$version")-$(hash_of <"$tree/scripts/lib-programs.sh")
	once "$dir" make_qemu "$1" "$version"
	echo "$dir"
}

# What it needs to run is a part of what it depends on.
make_qemu()
{
	local suite=$1 version=$2 dir=$3 all=$3/all rom
	mkdir -p "$dir"/{all,lib,share}
	unpack_closure "$suite" "$all" "qemu-system-x86=$version"
	cp "$all/usr/bin/qemu-system-x86_64" "$dir/emulator"
	copy_libraries "$all" "$dir/emulator" "$dir/lib"
	for rom in bios-256k.bin kvmvapic.bin linuxboot.bin linuxboot_dma.bin; do
		find "$all/usr/share" -name "$rom" -exec cp -L {} "$dir/share/" \; -quit
	done
	cat >"$dir/qemu" <<-'END'
		#!/bin/sh
		dir=$(dirname "$(readlink -f "$0")")
		# The machine's own modules, where it has some, are of another build.
		export QEMU_MODULE_DIR="$dir/share"
		exec "$dir/lib/ld-linux-x86-64.so.2" --library-path "$dir/lib" "$dir/emulator" -L "$dir/share" "$@"
	END
	chmod +x "$dir/qemu"
	rm -r "$all"
}

# What a program of the suite unpacked at ROOT is linked to, and its loader.
copy_libraries()
{
	local root=$1 program=$2 into=$3 path loader
	path=$(find "$root/usr/lib/x86_64-linux-gnu" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
	loader=$(find "$root" -name ld-linux-x86-64.so.2 -print -quit)
	"$loader" --library-path "$path" --list "$program" | grep -o "$root/[^ ]*" | sort -u |
		xargs cp -L -t "$into"
	cp -L "$loader" "$into/"
}

# OVMF.fd of SUITE.
ovmf_of()
{
	local version dir
	version=$(newest_package ovmf "$1") || return
	dir=$cache/ovmf-$(without_epoch "$version")
	once "$dir" make_ovmf "$1" "$version"
	echo "$dir/OVMF.fd"
}

make_ovmf()
{
	local suite=$1 version=$2 dir=$3
	mkdir "$dir/all"
	unpack_packages "$suite" "$dir/all" "ovmf=$version"
	cp -L "$dir/all/usr/share/ovmf/OVMF.fd" "$dir/"
	rm -r "$dir/all"
}
