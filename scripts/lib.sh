# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# What the scripts share: where the cache is, what kernels are called, and where the parts
# of a kernel (image, modules, headers, source) are found or put.
#
# A kernel's NAME, wherever one is asked for:
#   stock         what everything is measured on: that of bookworm-backports, or $GMEM_KERNEL
#   debug         scripts/debug-kernel's, of the same version
#   SUITE-SERIES  bookworm-6.12, trixie-6.12, trixie-7.2, trixie-7.3: the newest of Debian's
#                 suite, its security updates and backports included
#   RELEASE       as in uname -r, "-amd64" may be left out
#   tdx-SERIES    scripts/tdx-kernel's, a TDX host, of the version of trixie-SERIES
#   intel         stock, for the emulated Intel host
#   PATH          a directory with boot/vmlinuz-RELEASE and lib/modules/RELEASE
#
# The cache (${GMEM_CACHE:-~/.cache/gmem}) holds, each made once and then only
# read; RELEASE is as in uname -r, HASH is over all that went into the thing:
#   newest/NAME              release, package version and suite that NAME stands for, until
#                            "make kernels" looks again
#   kernel-RELEASE/          the kernel's packages, unpacked: boot/, lib/modules/
#   headers-RELEASE/         those to build modules with: usr/src/, usr/lib/linux-kbuild-*/
#   source-VERSION/          Debian's linux-source, unpacked
#   debug-VERSION-HASH/      the debug kernel: boot/, lib/modules/, build/
#   tdx-VERSION-HASH/        the TDX host's, likewise
#   selftests-VERSION-HASH/  the kernel's KVM selftests, static
#   bochs-source-VERSION/    Bochs's source and firmware, as Debian has them
#   bochs-VERSION-HASH/      Bochs, which emulates an Intel host
#   initramfs/               base of the test VM's initramfs, one per kernel
# and what packages.sh and lib-programs.sh keep there.

shopt -s inherit_errexit

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
		clear_away "$dir.new"
		mkdir "$dir.new"
		"$@" "$dir.new" {lock}>&- >&2
		mv "$dir.new" "$dir"
	fi
	exec {lock}>&-
}

# Remove what an attempt that was killed has left: debootstrap's is root's, and has mounts.
clear_away()
{
	local mount
	[ -e "$1" ] || return 0
	rm -rf --one-file-system "$1" 2>/dev/null && return
	awk -v below="$1/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
		while read -r mount; do
			"${as_root[@]}" umount --lazy "$mount"
		done
	"${as_root[@]}" rm -rf --one-file-system "$1"
}

# Pack a directory as an initramfs part.
pack()
{
	(cd "$1" && find . -mindepth 1 -printf '%P\0' | sort -z |
		cpio --quiet -0 -o -H newc -R 0:0)
}

# shellcheck source=scripts/packages.sh
. "$tree/scripts/packages.sh"

# "RELEASE VERSION SUITE" that a kernel's NAME stands for.
kernel_of()
{
	local name=$1 found
	[[ $name != intel ]] || name=stock
	[[ $name != stock ]] || name=${GMEM_KERNEL:-stock}
	case $name in
	stock | *-amd64 | [a-z]*-[0-9]*) ;;
	*) name+=-amd64 ;;
	esac
	# A machine that stopped may have left it empty.
	if ! grep -qsE '^[^ ]+ [^ ]+ [^ ]+$' "$cache/newest/$name"; then
		found=$(find_kernel "$name") || return
		remember_kernel "$name" "$found"
	fi
	cat "$cache/newest/$name"
}

remember_kernel()
{
	local name temporary
	mkdir -p "$cache/newest"
	for name in "$1" "${2%% *}"; do
		temporary=$(mktemp "$cache/newest/.XXXXXX")
		echo "$2" >"$temporary"
		mv "$temporary" "$cache/newest/$name"
	done
}

# The same, as Debian's lists of today have it.
find_kernel()
{
	local name=$1 suite release version series
	case $name in
	stock) suite=bookworm ;;
	*+deb12*) suite=bookworm release=$name ;;
	*+deb13*) suite=trixie release=$name ;;
	bookworm-[0-9]* | trixie-[0-9]*) suite=${name%%-*} series=${name#*-} ;;
	*) die "no kernel is called ${name%-amd64}: see scripts/lib.sh" ;;
	esac
	refresh_suite "$suite"
	if [ "$name" = stock ]; then
		release=$(suite_apt "$suite" apt-cache -o "APT::Default-Release=$suite-backports" \
			show --no-all-versions linux-headers-amd64 |
			sed -n 's/^Depends:.*linux-headers-\([^ ]*-amd64\).*/\1/p')
	elif [ -z "${release:-}" ]; then
		release=$(suite_apt "$suite" apt-cache pkgnames "linux-headers-$series." |
			sed -nE 's/^linux-headers-([0-9.]+\+deb[0-9.]+-amd64)$/\1/p' | sort -V | tail -n 1)
	fi
	version=$(suite_apt "$suite" apt-cache show --no-all-versions "linux-headers-$release" 2>/dev/null |
		sed -n 's/^Version: //p')
	[ -n "$version" ] || die "Debian's $suite has no kernel $name any more, or not yet"
	echo "$release $version $suite"
}

# Set target_release, target_version and target_suite to those of a kernel's NAME.
read_target()
{
	local target
	target=$(kernel_of "${1:-stock}") || return
	read -r target_release target_version target_suite <<<"$target"
}

# The target kernel's version as used in names in the cache.
target_key()
{
	echo "${target_release%-amd64}"
}

# Suite whose compiler a KDIR needs, empty for any: SUITE itself, or that of the cache's.
suite_to_build()
{
	case $1 in
	bookworm | trixie) echo "$1" ;;
	"$cache"/headers-*+deb12*) echo bookworm ;;
	"$cache"/headers-*+deb13* | "$cache"/tdx-*+deb13*) echo trixie ;;
	esac
}

make_kernel()
{
	local dir=$1 release=$target_release packages file
	if has_package "$target_suite" "linux-binary-$release"; then
		packages=("linux-binary-$release" "linux-modules-$release" "linux-base-$release")
	elif has_package "$target_suite" "linux-image-$release-unsigned"; then
		packages=("linux-image-$release-unsigned")
	else
		packages=("linux-image-$release")
	fi
	unpack_packages "$target_suite" "$dir" "${packages[@]/%/=$target_version}"
	# Newer packages have all in /usr.
	[ -d "$dir/lib/modules" ] || ln -s usr/lib "$dir/lib"
	[ ! -d "$dir/boot" ] || return 0
	mkdir "$dir/boot"
	for file in vmlinuz config; do
		ln -s "../lib/modules/$release/$file" "$dir/boot/$file-$release"
	done
}

make_headers()
{
	local dir=$1 common=${target_release%-amd64}
	local packages=("linux-headers-$target_release" "linux-headers-$common-common" "linux-kbuild-$common")
	unpack_packages "$target_suite" "$dir" "${packages[@]/%/=$target_version}"
	rm -rf "${dir:?}/usr/share" "$dir/usr/lib/modules"
	# All other paths in there are relative.
	sed -i "s|/usr/src/|${dir%.new}/usr/src/|" \
		"$dir/usr/src/linux-headers-$target_release/Makefile" || die "no headers in $dir"
}

make_source()
{
	local dir=$1 series=${target_release%%[-+]*} archives
	series=$(cut -d. -f1-2 <<<"$series")
	archives=$(mktemp -d)
	unpack_packages "$target_suite" "$archives" "linux-source-$series=$target_version"
	tar -xf "$archives/usr/src/linux-source-$series.tar.xz" -C "$dir" --strip-components=1 ||
		die "linux-source-$series cannot be unpacked"
	rm -r "$archives"
}

# Directory with boot/vmlinuz-RELEASE and lib/modules/RELEASE of the kernel called NAME, or
# that has a vmlinuz at a path.
kernel_root()
{
	local build
	case $1 in
	debug)
		build=$("$tree/scripts/debug-kernel") || return
		dirname "$build"
		;;
	tdx-[0-9]*)
		build=$("$tree/scripts/tdx-kernel" "${1#tdx-}") || return
		dirname "$build"
		;;
	*/boot/vmlinuz-*)
		realpath "${1%/boot/*}"
		;;
	*/* | . | ..)
		realpath "$1"
		;;
	*)
		read_target "$1" || return
		once "$cache/kernel-$target_release" make_kernel
		echo "$cache/kernel-$target_release"
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
	local release
	if [ -d "$1/build" ]; then
		echo "$1/build"
		return
	fi
	release=$(kernel_release "$1")
	if [ "$1" = "$cache/kernel-$release" ]; then
		read_target "$release" || return
		once "$cache/headers-$release" make_headers
	fi
	if [ -d "$cache/headers-$release" ]; then
		echo "$cache/headers-$release/usr/src/linux-headers-$release"
	else
		echo "/usr/src/linux-headers-$release"
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

# Source of the kernel called NAME, unpacked.
# shellcheck disable=SC2120 # stock where no NAME is given
kernel_source()
{
	read_target "${1:-stock}" || return
	once "$cache/source-$(target_key)" make_source
	echo "$cache/source-$(target_key)"
}

# Files of a module, if the kernel has it as one, and of what it depends on.
with_needs()
{
	local path need
	path=$(cd "$1" && find . \( -name "$2.ko*" -o -name "${2//-/_}.ko*" \) -print -quit)
	[ -n "$path" ] || return 0
	echo "$path"
	for need in $(/sbin/modinfo -F depends "$1/$path" | tr , ' '); do
		with_needs "$1" "$need"
	done
}

# A module's file into a folder, without its compression.
copy_module()
{
	local name=${1##*/}
	case $name in
	*.xz) xz -dc "$1" >"$2/${name%.xz}" ;;
	*) cp "$1" "$2/$name" ;;
	esac
}
