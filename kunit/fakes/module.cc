// SPDX-License-Identifier: GPL-2.0-only
/*
 * kapi/module.c's references and kapi/takeover.c's features (module.h), the record of
 * the fault that a thread is in (kapi/faults.c), and pre-faulting beside deletion
 * (kapi/prefault.c).
 */
#include "kunit/fakes/module.h"

#include <atomic>
#include <mutex>
#include <set>
#include <utility>

#include "kunit/fakes/fakes.h"
#include "kunit/fakes/kvm.h"
#include "kunit/fakes/locks.h"

namespace fake
{

namespace
{

constexpr unsigned kAll = ~0u;

std::atomic<unsigned> features{ kAll };
std::atomic<bool> tdp_mmu{ true }, going;
std::atomic<long> refs, only_slots, taken;

std::mutex requests_mutex;
std::multiset<struct kvm *> requests;

} /* namespace */

void set_features(unsigned wanted)
{
	features = wanted;
}

void set_tdp_mmu(bool used)
{
	tdp_mmu = used;
}

void set_module_going(bool is)
{
	going = is;
}

void set_capability_taken(long number)
{
	taken = number;
}

long module_refs()
{
	return refs;
}

void needs_module(const char *what)
{
	if (current().module_refs <= 0)
		bug("%s without a reference of the module", what);
}

void check_module()
{
	if (refs)
		bug("%ld references of the module are left", refs.load());
	features = kAll;
	tdp_mmu = true;
	going = false;
	taken = 0;
}

} /* namespace fake */

using namespace fake;

bool kapi_feature(enum kapi_feature feature)
{
	if (kapi_setting_backend_stock() && feature & (KAPI_FEATURE_BACKEND | KAPI_FEATURE_SHARED))
		return false;
	if (feature == KAPI_FEATURE_SNP_VMS && kapi_setting_platform() != KAPI_PLATFORM_SNP_MODEL)
		return false;
	return features & feature;
}

bool kapi_kvm_tdp_mmu(void)
{
	return tdp_mmu;
}

bool kapi_capability_taken(long number)
{
	return number == taken || number <= KAPI_CAP_VM_TYPES;
}

bool kapi_self_get(void)
{
	if (going)
		return false;
	refs++;
	current().module_refs++;
	return true;
}

void kapi_self_put(void)
{
	if (refs-- <= 0)
		bug("one reference of the module too many is put");
	current().module_refs--;
}

void kapi_slot_mark_only(struct kvm_memory_slot *slot)
{
	refs++;
	only_slots++;
	slot->only = true;
}

void kapi_slot_unmark_only(struct kvm_memory_slot *slot)
{
	if (!slot->only)
		return;
	slot->only = false;
	only_slots--;
	refs--;
}

bool kapi_slot_only(const struct kvm_memory_slot *slot)
{
	return slot && slot->only;
}

bool kapi_faults_matter(void)
{
	return only_slots != 0;
}

void kapi_fault_begin(struct kapi_fault *fault)
{
	if (current().fault)
		bug("a fault within a fault");
	fault->error = 0;
	current().fault = fault;
}

void kapi_fault_end(struct kapi_fault *fault)
{
	if (current().fault != fault)
		bug("a fault ends that has not begun");
	current().fault = nullptr;
}

void kapi_fault_note(kapi_u64 gfn, int error)
{
	if (!current().fault)
		return;
	current().fault->gfn = gfn;
	current().fault->error = error;
}

bool kapi_prefault_begin(struct kapi_prefault *, struct kvm_vcpu *vcpu)
{
	const std::lock_guard guard{ requests_mutex };

	return requests.count(vcpu->kvm) == 0;
}

bool kapi_prefault_end(struct kapi_prefault *)
{
	return stock().prefault_stopped;
}

void kapi_slot_request_begin(struct kapi_slot_request *, struct kvm *kvm)
{
	const std::lock_guard guard{ requests_mutex };

	if (current().slot_request.kvm)
		bug("a task serves two requests for memslots");
	current().slot_request = { kvm, 0, false };
	requests.insert(kvm);
}

void kapi_slot_request_announce(struct kapi_slot_request *)
{
	assert_no_locks();
	if (!current().slot_request.kvm)
		bug("a task announces a request that it does not serve");
	current().slot_request.announced = true;
}

int kapi_slot_request_keep_unmapped(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	if (current().slot_request.kvm != kvm)
		return 0;
	if (!current().slot_request.announced)
		return -EAGAIN;
	kapi_kvm_assert_slots_lock(kvm);
	kapi_mmu_begin(kvm, start, end);
	current().slot_request.unmapped++;
	return 0;
}

void kapi_slot_request_end(struct kapi_slot_request *)
{
	const SlotRequest request = std::exchange(current().slot_request, {});

	for (unsigned i = 0; i < request.unmapped; i++)
		kapi_mmu_end(request.kvm);

	const std::lock_guard guard{ requests_mutex };

	requests.erase(requests.find(request.kvm));
}
