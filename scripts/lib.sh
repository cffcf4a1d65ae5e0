# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# What the scripts share: where the cache is, which kernel is the target, and
# where the parts of a kernel (image, modules, headers, source) are found.
#
# The cache (${GMEM_CACHE:-~/.cache/gmem}) holds, each made once and then only
# read; RELEASE is as in uname -r, HASH is over all that went into the thing:
#   target                   name and package version of the target kernel
#   kernel-RELEASE/          the kernel's package, unpacked: boot/, lib/modules/
#   source-VERSION/          Debian's linux-source, unpacked
#   debug-VERSION-HASH/      the debug kernel: boot/, lib/modules/, build/
#   selftests-VERSION-HASH/  the kernel's KVM selftests, static
#   bochs-source-VERSION/    Bochs's source and firmware, as Debian has them
#   bochs-VERSION-HASH/      Bochs, which emulates an Intel host
#   initramfs/               base of the test VM's initramfs, one per kernel

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${GMEM_CACHE:-$HOME/.cache/gmem}

say()
{
	echo "${0##*/}: $*" >&2
}

die()
{
	say "$@"
	exit 1
}

hash_of()
{
	sha256sum | cut -c1-12
}

# Run COMMAND... with the path of a new directory appended, and give what it
# made the name DIR, all or nothing. No work if DIR exists; callers that come
# at the same time wait for the first.
once()
{
	local dir=$1 lock
	shift
	[ -e "$dir" ] && return
	mkdir -p "$cache" "$(dirname "$dir")"
	exec {lock}>"$cache/.lock-${dir##*/}"
	flock "$lock"
	if [ ! -e "$dir" ]; then
		rm -rf "$dir.new"
		mkdir "$dir.new"
		"$@" "$dir.new" {lock}>&- >&2
		mv "$dir.new" "$dir"
	fi
	exec {lock}>&-
}

# Suite that has the target kernel and QEMU 10, empty for the release's own.
backports_suite()
{
	local VERSION_ID='' VERSION_CODENAME=''
	# shellcheck source=/dev/null
	. /etc/os-release
	[ "$VERSION_ID" != 12 ] || echo "$VERSION_CODENAME-backports"
}

# Ask apt for the target kernel: "RELEASE PACKAGE_VERSION". $GMEM_KERNEL is a
# release that overrides what the suite's linux-headers-amd64 stands for.
find_target()
{
	local suite release version
	suite=$(backports_suite)
	release=${GMEM_KERNEL:-$(apt-cache show --no-all-versions \
		${suite:+-o "APT::Default-Release=$suite"} linux-headers-amd64 |
		sed -n 's/^Depends:.*linux-headers-\([^ ]*-amd64\).*/\1/p')}
	version=$(apt-cache show --no-all-versions "linux-headers-$release" 2>/dev/null |
		sed -n 's/^Version: //p')
	[ -n "$version" ] || die "no package linux-headers-$release"
	echo "$release $version"
}

# Set target_release and target_version, as scripts/deps has left them.
read_target()
{
	[ -e "$cache/target" ] || "$tree/scripts/deps" >&2
	read -r target_release target_version <"$cache/target"
	if [ -n "${GMEM_KERNEL:-}" ] && [ "$GMEM_KERNEL" != "$target_release" ]; then
		"$tree/scripts/deps" >&2
		read -r target_release target_version <"$cache/target"
	fi
}

# The target kernel's version as used in names in the cache.
target_key()
{
	echo "${target_release%-amd64}"
}

# Directory with boot/vmlinuz-RELEASE and lib/modules/RELEASE of a kernel that
# is called stock, debug, or by its path (such a directory, or a vmlinuz in it).
kernel_root()
{
	case $1 in
	stock)
		read_target
		[ -d "$cache/kernel-$target_release" ] || "$tree/scripts/deps" >&2
		echo "$cache/kernel-$target_release"
		;;
	debug)
		dirname "$("$tree/scripts/debug-kernel")"
		;;
	*/boot/vmlinuz-*)
		realpath "${1%/boot/*}"
		;;
	*)
		realpath "$1"
		;;
	esac
}

# The release of the one kernel in a root.
kernel_release()
{
	local image
	image=$(echo "$1"/boot/vmlinuz-*)
	[ -e "$image" ] || die "$1: no single boot/vmlinuz-RELEASE in it"
	echo "${image##*/vmlinuz-}"
}

# Directory to build modules against for the kernel in a root.
kernel_build()
{
	if [ -d "$1/build" ]; then
		echo "$1/build"
	else
		echo "/usr/src/linux-headers-$(kernel_release "$1")"
	fi
}

# kvm.ko, compressed or not, of kernel RELEASE in a root; nothing if it has none.
kvm_of()
{
	local file
	for file in "$1/lib/modules/$2/kernel/arch/x86/kvm"/kvm.ko*; do
		[ ! -e "$file" ] || echo "$file"
	done
}

unpack_source()
{
	say "unpacking linux-source $target_version"
	tar -xf "/usr/src/linux-source-$(source_series).tar.xz" -C "$1" --strip-components=1
}

# 6.12 for 6.12.95+deb12-amd64.
source_series()
{
	cut -d. -f1-2 <<<"$target_release" | cut -d- -f1
}

# The target kernel's source, unpacked.
kernel_source()
{
	read_target
	once "$cache/source-$(target_key)" unpack_source
	echo "$cache/source-$(target_key)"
}
