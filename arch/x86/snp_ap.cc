// SPDX-License-Identifier: GPL-2.0-only
/*
 * Save areas that a guest gives its vCPUs (snp_platform.h). What is in one is guest/'s.
 */
#include "arch/x86/snp_platform.h"
#include "kapi/ap.h"

namespace gmem
{

/* lock_ is held. A page that is the guest's no more has lost its use with that. */
void SnpPlatform::leave(unsigned nr, SnpSaveArea &area)
{
	if (area.gpa == SnpSaveArea::kNone)
		return;
	machine()->rmp.leave_vmsa({ area.pfn, guest_.asid, area.gpa, RmpSize::k4K }, nr);
	area.gpa = SnpSaveArea::kNone;
}

Status SnpPlatform::give_save_area(struct kvm_vcpu *vcpu, std::uint64_t gpa, bool now)
{
	const unsigned nr = kapi_vcpu_nr(vcpu);
	MutexGuard guard{ lock_ };
	SnpSaveArea *area = save_areas_.load(nr);

	if (!area) {
		GMEM_TRY(made, make<SnpSaveArea>());
		GMEM_CHECK(save_areas_.insert(nr, made.get(), area));
		area = made.release();
	}
	area->awaits_reset = true;
	area->next = gpa;
	if (now) {
		leave(nr, *area);
		kapi_vcpu_request_reset(vcpu);
	}
	return Status{};
}

bool SnpPlatform::take_save_area(struct kvm_vcpu *vcpu, std::uint64_t &gpa)
{
	const unsigned nr = kapi_vcpu_nr(vcpu);
	MutexGuard guard{ lock_ };
	SnpSaveArea *const area = save_areas_.load(nr);

	if (!area || !area->awaits_reset)
		return false;
	area->awaits_reset = false;
	kapi_vcpu_forget_reset(vcpu);
	gpa = area->next;
	leave(nr, *area);
	return true;
}

RmpAnswer SnpPlatform::enter_save_area(unsigned nr, Gfn gfn, Pfn pfn)
{
	MutexGuard guard{ lock_ };
	SnpSaveArea *const area = save_areas_.load(nr);
	const RmpAnswer answer =
		machine()->rmp.enter_vmsa({ pfn, guest_.asid, gpa_of(gfn), RmpSize::k4K }, nr);

	if (answer.fault == RmpAnswer::Fault::None && is_ok(answer.code)) {
		area->gpa = gpa_of(gfn);
		area->pfn = pfn;
	}
	return answer;
}

void SnpPlatform::leave_save_area(unsigned nr)
{
	MutexGuard guard{ lock_ };

	leave(nr, *save_areas_.load(nr));
}

} /* namespace gmem */
