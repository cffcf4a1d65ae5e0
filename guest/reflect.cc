// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entries for exits that are #VC to guests that know SNP (kapi/vc.h). Exits that are other
 * things to such a guest, too, are in entries.cc.
 */
#include "guest/reflect.h"

#include "guest/knowing.h"
#include "guest/private_page.h"
#include "guest/vcpu_memory.h"
#include "mmu/entry.h"

namespace
{

using namespace gmem;

/* ---- delivery -------------------------------------------------------------------------- */

/*
 * The vCPU's guest is one that gets #VC, and no guest of its own runs. An event that KVM delivers
 * again would come on top of #VC: then KVM serves the exit itself.
 */
bool may_get_vc(const Knowing &guest)
{
	return guest && !kapi_vcpu_redelivers(guest.vcpu());
}

/* Error code of #VC for an access to a page that is not validated, which is no exit's. */
constexpr std::uint32_t kNotValidated = 0x404;

/* Of a page that cannot be had, the fault itself says so. */
Result<bool> is_validated(const Knowing &guest, Gfn gfn)
{
	const PrivatePage page{ guest.kvm(), gfn };

	if (!page)
		return true;

	GMEM_TRY(backing, page.get());
	return guest.platform().is_validated(gfn, Pfn{ kapi_page_pfn(backing.page.get()) });
}

/* False: KVM has to serve the exit. */
bool deliver(struct kvm_vcpu *vcpu, std::uint32_t error_code, int &ret)
{
	kapi_event_state state;
	VcpuMemory memory{ vcpu };

	kapi_vcpu_event_state(vcpu, &state);

	const Delivered delivered = deliver_vc(state, error_code, memory);

	ret = kGoOn;
	switch (delivered.end) {
	case Delivered::End::Unable:
		return false;
	case Delivered::End::Entered:
		kapi_vcpu_set_event_state(vcpu, &state);
		break;
	case Delivered::End::Exception:
		if (delivered.vector == kPageFaultVector)
			kapi_vcpu_page_fault(vcpu, delivered.addr, delivered.error_code);
		else
			kapi_vcpu_exception(vcpu, delivered.vector, delivered.error_code);
		break;
	case Delivered::End::Nested:
		kapi_vcpu_exit_private(vcpu, delivered.addr);
		ret = -EFAULT;
		break;
	}
	return true;
}

/* An exit that is #VC, or else what @stock() says. */
template <class Fn> int serve(kapi_entry nr, struct kvm_vcpu *vcpu, Service service, Fn stock)
{
	Entry entry{ nr };
	int ret;

	if (reflected(vcpu, service, ret))
		return ret;
	entry.stock();
	return stock();
}

/* No memory is at the fault's address: neither the VMM's nor what the alias shows. */
bool is_mmio(struct kvm_vcpu *vcpu, std::uint64_t gpa)
{
	return !kapi_kvm_slot_of(kapi_vcpu_kvm(vcpu), gpa >> kPageShift);
}

} /* namespace */

bool gmem::reflected(struct kvm_vcpu *vcpu, Service service, int &ret)
{
	const std::uint64_t code = kapi_vcpu_exit_code(vcpu);

	return kapi_guests_get_vc() && is_vc(service, code) && may_get_vc(Knowing{ vcpu }) &&
	       deliver(vcpu, static_cast<std::uint32_t>(code), ret);
}

bool gmem::reflected_not_validated(const Knowing &guest, int &ret)
{
	return kapi_guests_get_vc() && may_get_vc(guest) &&
	       deliver(guest.vcpu(), kNotValidated, ret);
}

bool gmem_kvm_unvalidated(struct kvm_vcpu *vcpu, kapi_u64 gpa, int *ret)
{
	const Knowing guest{ vcpu };

	if (!guest)
		return false;

	const Result<bool> validated = is_validated(guest, Gfn{ gpa >> kPageShift });

	return validated.ok() && !validated.value() && reflected_not_validated(guest, *ret);
}

int gmem_kvm_cpuid(struct kvm_vcpu *vcpu)
{
	return serve(KAPI_ENTRY_CPUID, vcpu, Service::Cpuid,
		     [&] { return kapi_stock_cpuid(vcpu); });
}

int gmem_kvm_pio(struct kvm_vcpu *vcpu, int size, unsigned short port, int in)
{
	return serve(KAPI_ENTRY_PIO, vcpu, Service::Pio,
		     [&] { return kapi_stock_pio(vcpu, size, port, in); });
}

int gmem_kvm_emulate(struct kvm_vcpu *vcpu, kapi_u64 gpa, int how, void *insn, int insn_len)
{
	Entry entry{ KAPI_ENTRY_EMULATE };
	const bool nested_fault = kapi_vcpu_exit_code(vcpu) == KAPI_EXIT_NPF;
	int ret;

	if (begins_instruction(how) && (!nested_fault || is_mmio(vcpu, gpa)) &&
	    reflected(vcpu, Service::Emulation, ret))
		return ret;
	entry.stock();
	return kapi_stock_emulate(vcpu, gpa, how, insn, insn_len);
}

int gmem_kvm_rdpmc(struct kvm_vcpu *vcpu)
{
	return serve(KAPI_ENTRY_RDPMC, vcpu, Service::Rdpmc,
		     [&] { return kapi_stock_rdpmc(vcpu); });
}

int gmem_kvm_wbinvd(struct kvm_vcpu *vcpu)
{
	return serve(KAPI_ENTRY_WBINVD, vcpu, Service::Wbinvd,
		     [&] { return kapi_stock_wbinvd(vcpu); });
}

int gmem_kvm_invd(struct kvm_vcpu *vcpu)
{
	return serve(KAPI_ENTRY_INVD, vcpu, Service::Invd, [&] { return kapi_stock_invd(vcpu); });
}

int gmem_kvm_monitor(struct kvm_vcpu *vcpu)
{
	return serve(KAPI_ENTRY_MONITOR, vcpu, Service::Monitor,
		     [&] { return kapi_stock_monitor(vcpu); });
}

int gmem_kvm_mwait(struct kvm_vcpu *vcpu)
{
	return serve(KAPI_ENTRY_MWAIT, vcpu, Service::Mwait,
		     [&] { return kapi_stock_mwait(vcpu); });
}
