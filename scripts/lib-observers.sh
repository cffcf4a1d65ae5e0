# shellcheck shell=bash
# shellcheck disable=SC2154 # what lib.sh sets
# SPDX-License-Identifier: GPL-2.0-only
# Programs that look into a kernel, as Debian's suites have them, and what they need to know
# of it. Sourced after lib-programs.sh.
#
# In the cache:
#   tracers-VERSION-HASH/    bpftrace and perf, which run wherever the folder is, with lib/
#   drgn-VERSION-HASH/drgn   a debugger for dumps of kernels, likewise, with its Python
#   debug-info-RELEASE/      a kernel's own: vmlinux-RELEASE, kvm.ko

# Folder of SUITE's bpftrace and perf.
tracers_of()
{
	local version perf dir
	version=$(newest_package bpftrace "$1") || return
	perf=$(newest_package linux-perf "$1") || return
	dir=$cache/tracers-$(without_epoch "$version")-$(hash_of <<<"$perf $(<"$tree/scripts/lib-observers.sh")")
	once "$dir" make_tracers "$1" "bpftrace=$version" "linux-perf=$perf"
	echo "$dir"
}

make_tracers()
{
	local suite=$1 bpftrace=$2 perf=$3 dir=$4 all=$4/all name
	mkdir -p "$dir"/{all,lib,real}
	unpack_closure "$suite" "$all" "$bpftrace" "$perf"
	# Before Debian 13 some libraries were there.
	[ ! -d "$all/lib/x86_64-linux-gnu" ] ||
		cp -an "$all/lib/x86_64-linux-gnu/." "$all/usr/lib/x86_64-linux-gnu/"
	for name in bpftrace perf; do
		cp -L "$all/usr/bin/$name" "$dir/real/"
		copy_libraries "$all" "$dir/real/$name" "$dir/lib"
		cat >"$dir/$name" <<-'END'
			#!/bin/sh
			dir=$(dirname "$(readlink -f "$0")")
			exec "$dir/lib/ld-linux-x86-64.so.2" --library-path "$dir/lib" "$dir/real/${0##*/}" "$@"
		END
		chmod +x "$dir/$name"
	done
	rm -r "$all"
}

# SUITE's drgn: a program.
drgn_of()
{
	local version dir
	version=$(newest_package python3-drgn "$1") || return
	dir=$cache/drgn-$(without_epoch "$version")-$(hash_of <"$tree/scripts/lib-observers.sh")
	once "$dir" make_drgn "$1" "$version"
	echo "$dir/drgn"
}

make_drgn()
{
	local suite=$1 version=$2 dir=$3
	unpack_closure "$suite" "$dir/all" "python3-drgn=$version"
	cat >"$dir/drgn" <<-'END'
		#!/bin/sh
		all=$(dirname "$(readlink -f "$0")")/all
		export PYTHONHOME="$all/usr" PYTHONPATH="$all/usr/lib/python3/dist-packages"
		export PYTHONDONTWRITEBYTECODE=1
		path=$all/lib/x86_64-linux-gnu:$all/usr/lib/x86_64-linux-gnu
		exec "$(find "$all" -name ld-linux-x86-64.so.2 -print -quit)" --library-path "$path" \
			"$all/usr/bin/python3" "$all/usr/bin/drgn" "$@"
	END
	chmod +x "$dir/drgn"
}

# Folder of a kernel's debug information. A gigabyte is fetched for it.
debug_info_of()
{
	local target_release target_version target_suite dir
	read_target "$1" || return
	dir=$cache/debug-info-$target_release
	once "$dir" make_debug_info
	echo "$dir"
}

make_debug_info()
{
	local dir=$1
	say "fetching debug information of $target_release (1 GB)"
	(cd "$dir" && suite_apt "$target_suite" apt-get -qq download \
		"linux-image-$target_release-dbg=$target_version") || die "not to be had any more"
	dpkg --fsys-tarfile "$dir"/*.deb | tar -x -C "$dir" --wildcards --transform 's:.*/::' \
		"*/boot/vmlinux-$target_release" '*/kvm/kvm.ko*'
	rm "$dir"/*.deb
}
