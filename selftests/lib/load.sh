# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-only
# For scripts that load gmem.ko themselves (busybox sh, inside the VM): TAP, a VM that keeps
# running (stress), and what user space sees of the module. Sourced, with $here set to the
# folder of the programs.
# shellcheck disable=SC2154 # here
# shellcheck disable=SC2034 # stress
number=0 failed=0

# ok NAME COMMAND...: one TAP line.
ok()
{
	name=$1
	shift
	number=$((number + 1))
	if "$@"; then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		failed=$((failed + 1))
	fi
}

# The last lines, and the status of the script.
done_testing()
{
	echo "1..$number"
	echo "$((number - failed)) passed, $failed failed"
	[ "$failed" = 0 ]
}

refused()
{
	! "$@" 2>/tmp/refused
}

loaded()
{
	grep -q '^gmem ' /proc/modules
}

# KVM's own bodies serve it.
untouched()
{
	! grep -qE 'kvm_gmem_(create|unbind|get_pfn)|kvm_arch_init_vm' \
		/sys/kernel/tracing/enabled_functions
}

# Wait until COMMAND succeeds, as long as a slow machine may take for it: five minutes.
await()
{
	for _ in $(seq 3000); do
		"$@" && return
		sleep 0.1
	done
	return 1
}

# Run stress, with options, in the background until it says that its guest runs; it is $stress.
start_stress()
{
	: >/tmp/stress
	"$here/stress" "$@" >/tmp/stress 2>&1 &
	stress=$!
	await grep -q ready /tmp/stress && return
	echo "# stress did not start: $(cat /tmp/stress)"
	return 1
}

# Ends stress PID; its status says whether its memory was right all the time.
stop_stress()
{
	kill -TERM "$1"
	wait "$1" && return
	cat /tmp/stress
	return 1
}
