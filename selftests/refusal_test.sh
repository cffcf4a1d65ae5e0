#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What loading is refused for, on a KVM with a fault planted in it (busybox sh, inside the
# VM). Beside it in /add: gmem.ko (not loaded), load.sh, stress; faults/, a folder for each
# fault as scripts/check_kvm/tests/loadable makes them; foreign/, modules of the same name
# that were built for other kernels. After each fault KVM runs a VM as if nobody had tried.
here=$(dirname "$0")
# shellcheck source=selftests/lib/load.sh
. "$here/load.sh"

# Leave the log empty for what comes.
clear_log()
{
	dmesg -c >/dev/null
}

log_says()
{
	dmesg | grep -qF "gmem: $1" && return
	dmesg | grep gmem | sed 's/^/# /'
	return 1
}

# Have KVM of file $1 instead of the one that is loaded.
change_kvm()
{
	rmmod kvm_amd kvm && insmod "$1" && modprobe kvm_amd && clear_log
}

# shellcheck disable=SC2119 # stress needs no options
a_vm_runs()
{
	start_stress && stop_stress "$stress"
}

plain=$(find /lib/modules -name kvm.ko)
echo "TAP version 13"
for fault in "$here"/faults/*/; do
	with=$(basename "$fault")
	ok "kvm_with_$with" change_kvm "$fault/kvm.ko"
	if [ -e "$fault/loads" ]; then
		# shellcheck disable=SC2046 # none or several words
		ok "$with: load" insmod "$here/gmem.ko" $(cat "$fault/parameters" 2>/dev/null)
		ok "$with: a_vm_runs_on_gmem" a_vm_runs
		ok "$with: unload" await rmmod gmem
	else
		ok "$with: load_is_refused" refused insmod "$here/gmem.ko"
	fi
	while read -r line; do
		ok "$with: the_log_says: $line" log_says "$line"
	done <"$fault/says"
	ok "$with: kvm_is_untouched" untouched
	ok "$with: a_vm_runs" a_vm_runs
done
ok kvm_of_the_kernel change_kvm "$plain"
for module in "$here"/foreign/*.ko; do
	release=$(basename "$module" .ko)
	ok "$release: load_is_refused" refused insmod "$module"
	ok "$release: the_log_says_so" log_says "version magic '$release "
	ok "$release: kvm_is_untouched" untouched
done
ok load insmod "$here/gmem.ko"
ok a_vm_runs_on_gmem a_vm_runs
ok unload await rmmod gmem
done_testing
