#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The module comes and goes beside running VMs (busybox sh, inside the VM):
#   load_test.sh [ROUNDS]
# Needs gmem.ko (not loaded), gmem_test.ko, load.sh, stress and pci_hole_vmm_test beside it
# in /add. A VM that started before the first load keeps running through all of them. Where
# the kernel has software-protected VMs of its own (the debug kernel), that VM and its
# files are the stock backend's; elsewhere it is a default VM.
here=$(dirname "$0")
rounds=${1:-100}
# shellcheck source=selftests/lib/load.sh
. "$here/load.sh"

alive()
{
	kill -0 "$1" 2>/dev/null
}

load_and_unload()
{
	for round in $(seq "$rounds"); do
		if ! insmod "$here/gmem.ko" || ! loaded || ! rmmod gmem || loaded; then
			echo "# round $round failed"
			return 1
		fi
	done
}

echo "TAP version 13"
ok kvm_runs_before start_stress
first=$stress
ok "load_and_unload_${rounds}_times" load_and_unload
ok vm_of_before_is_alive alive "$first"

ok load insmod "$here/gmem.ko"
ok second_load_is_refused refused insmod "$here/gmem.ko"
ok still_loaded loaded
ok vm_of_after_starts start_stress
second=$stress
ok unload_with_an_open_file_is_busy refused rmmod gmem
ok still_loaded_when_busy loaded
sleep 1
ok vm_of_after_is_alive alive "$second"
ok vm_of_after_ends stop_stress "$second"
ok unload await rmmod gmem
sleep 1
ok vm_of_before_survives_the_unload alive "$first"
ok vm_of_before_ends stop_stress "$first"
# Another module (gmem_test.ko) has a function that every kernel has: nothing is taken over,
# and the log names the function.
occupied()
{
	insmod "$here/gmem_test.ko" occupy="$1"
}

log_names()
{
	dmesg | grep -q "gmem: .*$1.*not loading"
}

ok a_function_is_occupied occupied kvm_gmem_populate
ok load_is_refused_then refused insmod "$here/gmem.ko"
ok the_log_names_the_function log_names kvm_gmem_populate
ok kvm_is_untouched untouched
ok the_function_is_free_again rmmod gmem_test
ok bad_parameter_is_refused refused insmod "$here/gmem.ko" backend=none
ok load_after_refusals insmod "$here/gmem.ko"
ok unload_after_refusals rmmod gmem

# One that is optional: what needs it is refused, and says so.
no_holes()
{
	dmesg | grep -q 'gmem: .*kvm_arch_prepare_memory_region.*going without' &&
		"$here/pci_hole_vmm_test" | grep -q '^ok 1 test_capability$'
}

ok an_optional_function_is_occupied occupied kvm_arch_prepare_memory_region
ok load_without_it insmod "$here/gmem.ko"
ok no_holes_then no_holes
ok unload_without_it rmmod gmem
ok the_optional_function_is_free_again rmmod gmem_test

# Its needs are exported by KVM itself.
ok kvm_unloads rmmod kvm_amd kvm
ok load_without_kvm_is_refused refused insmod "$here/gmem.ko"

# ftrace stops for good, after an error of the kernel's: calls may come to the module for
# ever, so it must not go. The last ones, as nothing has ftrace start again.
logged_that_it_stays()
{
	dmesg | grep -q 'gmem: .*the module stays'
}

stays()
{
	rmmod gmem &
	await logged_that_it_stays && loaded
}

# The vendor's module comes after gmem.ko, and goes and comes back beside it. Without
# two-dimensional paging nobody has private memory.
load_without_a_vendor()
{
	modprobe kvm && insmod "$here/gmem.ko"
}

files_served()
{
	sed -n 's/^kvm_gmem_create served \([0-9]*\) .*/\1/p' /sys/kernel/debug/gmem/calls
}

ok load_without_a_vendor load_without_a_vendor
for vendor in kvm_amd 'kvm_amd npt=0' kvm_amd; do
	# shellcheck disable=SC2086 # a parameter
	ok "$vendor: comes_after_gmem" modprobe $vendor
	before=$(files_served)
	ok "$vendor: a_vm_runs" start_stress
	case $vendor in
	*npt=0) ok "$vendor: on_ordinary_memory" test "$(files_served)" = "$before" ;;
	*) ok "$vendor: on_gmem" test "$(files_served)" -gt "$before" ;;
	esac
	ok "$vendor: that_vm_ends" stop_stress "$stress"
	ok "$vendor: goes_before_gmem" await rmmod kvm_amd
done
ok unload_without_a_vendor await rmmod gmem
ok kvm_comes_back modprobe kvm_amd
ok load_with_kvm insmod "$here/gmem.ko"
ok ftrace_stops insmod "$here/gmem_test.ko" stop_ftrace=1
ok a_vm_runs_without_ftrace start_stress
ok that_vm_ends stop_stress "$stress"
ok a_module_that_is_called_stays stays
ok kvm_is_whole start_stress
ok that_vm_ends_too stop_stress "$stress"
done_testing
