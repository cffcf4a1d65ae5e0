// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entries for guests that know that they are SNP's, of VMs on the model (kapi/guest.h):
 * the exits of such a vCPU that KVM would answer for an ordinary guest. What the instructions
 * do is in instructions.cc.
 */
#include <algorithm>
#include <array>

#include "guest/decode.h"
#include "guest/instructions.h"
#include "guest/knowing.h"
#include "guest/misdeeds.h"
#include "guest/private_page.h"
#include "guest/reflect.h"
#include "guest/vcpu_memory.h"
#include "guest/vmgexit.h"
#include "mmu/entry.h"

namespace
{

using namespace gmem;

/* Every vCPU runs at this level: there is nothing yet by which a guest could make another. */
constexpr unsigned kVmpl = 0;
constexpr unsigned kGhcbMsr = 0xc0010130;

/* ---- the guest's memory ---------------------------------------------------------------- */

class VcpuPages final : public GuestPages {
    public:
	VcpuPages(Knowing &guest, bool by_user)
		: guest_(guest), memory_(guest.vcpu()),
		  access_(by_user ? std::uint64_t{ KAPI_PFERR_USER } : 0)
	{
	}
	~VcpuPages() = default;

	unsigned address_bits() const override { return memory_.address_bits(); }
	/* The page is what it is, whether the guest names it with its C-bit or without. */
	Translation translate(std::uint64_t addr) override
	{
		Translation result = memory_.translate(addr, access_);

		result.gpa = CBit::of(guest_.kvm()).without(result.gpa);
		return result;
	}
	Result<RmpAnswer> pvalidate(std::uint64_t gpa, RmpSize size, bool validate) override;
	Result<RmpAnswer> rmpadjust(std::uint64_t gpa, RmpSize size,
				    const RmpAdjust &adjust) override
	{
		return with_page(gpa, [&](Gfn gfn, Pfn pfn) {
			return guest_.platform().rmpadjust(gfn, pfn, size, adjust);
		});
	}

	Instruction fetch(const kapi_registers &regs);

    private:
	template <class Fn> Result<RmpAnswer> with_page(std::uint64_t gpa, Fn ask);
	std::size_t read_code(std::uint64_t addr, std::span<std::uint8_t> to);

	Knowing &guest_;
	VcpuMemory memory_;
	const std::uint64_t access_;
};

/*
 * What @ask(gfn, pfn) says of the private page at @gpa. A block that is too large for it is
 * split, as KVM does it where hardware exits for that.
 */
template <class Fn> Result<RmpAnswer> VcpuPages::with_page(std::uint64_t gpa, Fn ask)
{
	const Gfn gfn{ gpa >> kPageShift };
	const PrivatePage page{ guest_.kvm(), gfn };
	RmpAnswer answer{ .fault = RmpAnswer::Fault::NotGuests };

	if (!page)
		return answer;
	{
		GMEM_TRY(backing, page.get());
		answer = ask(gfn, Pfn{ kapi_page_pfn(backing.page.get()) });
	}
	if (answer.fault == RmpAnswer::Fault::TooLarge)
		GMEM_CHECK(page.split());
	return answer;
}

Result<RmpAnswer> VcpuPages::pvalidate(std::uint64_t gpa, RmpSize size, bool validate)
{
	if (size == RmpSize::k2M && misdeeds().due(Misdeed::PvalidateSize))
		return RmpAnswer{ .code = RmpCode::FailSizeMismatch };

	GMEM_TRY(answer, with_page(gpa, [&](Gfn gfn, Pfn pfn) {
			 return guest_.platform().pvalidate(gfn, pfn, size, validate);
		 }));
	/* From here on an access is #VC, where guests have that. */
	if (answer.changed && !validate && kapi_guests_get_vc())
		PrivatePage{ guest_.kvm(), Gfn{ gpa >> kPageShift } }.unmap(
			size == RmpSize::k2M ? std::uint64_t{ kRunPages } : 1);
	if (answer.changed && misdeeds().due(Misdeed::PvalidateSame))
		answer.changed = false;
	return answer;
}

/* As many bytes as lie in the page at @addr; 0: it is not there. */
std::size_t VcpuPages::read_code(std::uint64_t addr, std::span<std::uint8_t> to)
{
	const std::size_t size = std::min<std::size_t>(to.size(), kPageSize - addr % kPageSize);
	const Touched how = memory_.read(addr, std::as_writable_bytes(to.first(size)),
					 access_ | KAPI_PFERR_FETCH);

	return how.end == Touched::End::Done ? size : 0;
}

/* The page behind the first is looked at only if the instruction may go on there. */
Instruction VcpuPages::fetch(const kapi_registers &regs)
{
	std::array<std::uint8_t, kInstructionMax> bytes;
	Instruction instruction;
	std::size_t have = 0;

	while (have < bytes.size() && instruction.opcode == Opcode::Other) {
		const std::size_t more = read_code(regs.code + have,
						   std::span{ bytes }.subspan(have));

		if (!more)
			break;
		have += more;
		instruction = decode(std::span{ bytes }.first(have), regs.wide);
	}
	return instruction;
}

/* ---- how it goes on -------------------------------------------------------------------- */

/* What KVM is told of the exit, with @regs as the instruction left them. */
int finish(struct kvm_vcpu *vcpu, const kapi_registers &regs, const Executed &executed)
{
	switch (executed.end) {
	case Executed::End::Retired:
		kapi_vcpu_retire(vcpu, &regs);
		break;
	case Executed::End::Protection:
		kapi_vcpu_protection_fault(vcpu);
		break;
	case Executed::End::PageFault:
		kapi_vcpu_page_fault(vcpu, executed.addr, executed.error_code);
		break;
	case Executed::End::Nested:
		kapi_vcpu_exit_private(vcpu, executed.addr);
		return executed.status.code();
	case Executed::End::Undefined:
	case Executed::End::Again:
		break;
	}
	return kGoOn;
}

/* PVALIDATE or RMPADJUST. False: to this guest it is undefined, too. */
bool execute(Knowing &guest, int &ret)
{
	kapi_registers regs;

	kapi_vcpu_registers(guest.vcpu(), &regs);

	VcpuPages pages{ guest, regs.cpl == 3 };
	const Instruction instruction = pages.fetch(regs);
	const kapi_registers before = regs;
	Executed executed{ .end = Executed::End::Undefined };

	if (instruction.opcode == Opcode::Pvalidate)
		executed = pvalidate(regs, instruction, kVmpl, pages);
	else if (instruction.opcode == Opcode::Rmpadjust)
		executed = rmpadjust(regs, instruction, kVmpl, pages);
	if (executed.end == Executed::End::Undefined)
		return false;
	if (executed.broken)
		report(guest, before.rip,
		       instruction.opcode == Opcode::Pvalidate ? "PVALIDATE" : "RMPADJUST",
		       executed.broken,
		       { { "rax", before.rax }, { "rcx", before.rcx }, { "rdx", before.rdx } });
	if (executed.not_validated && reflected_not_validated(guest, ret))
		return true;
	ret = finish(guest.vcpu(), regs, executed);
	return true;
}

/* False: it is a hypercall like any guest's. */
bool vmgexit(Knowing &guest, int &ret)
{
	kapi_registers regs;

	kapi_vcpu_registers(guest.vcpu(), &regs);

	const Instruction instruction = VcpuPages{ guest, regs.cpl == 3 }.fetch(regs);

	if (instruction.opcode != Opcode::Vmgexit)
		return false;

	ret = serve_vmgexit(guest, instruction);
	return true;
}

/*
 * VMGEXIT, or #VC where hardware has that for VMMCALL. The exit's code is the same for both, so that
 * VMGEXIT calls KVM's body itself for what it asks for.
 */
bool hypercall(Knowing &guest, int &ret)
{
	return vmgexit(guest, ret) || reflected(guest.vcpu(), Service::Hypercall, ret);
}

/* RDMSR or WRMSR of anything but the GHCB MSR. */
bool reflected_msr(struct kvm_vcpu *vcpu, Service service, int &ret)
{
	return !has_msr_itself(kapi_vcpu_msr_index(vcpu)) && reflected(vcpu, service, ret);
}

/* An exit that @ours(guest, ret) answers, or else KVM's own body. */
int serve_exit(kapi_entry nr, struct kvm_vcpu *vcpu, bool (*ours)(Knowing &, int &),
	       int (*stock)(struct kvm_vcpu *))
{
	Entry entry{ nr };
	Knowing guest{ vcpu };
	int ret = kGoOn;

	if (guest && ours(guest, ret))
		return ret;
	entry.stock();
	return stock(vcpu);
}

} /* namespace */

int gmem_kvm_undefined(struct kvm_vcpu *vcpu)
{
	return serve_exit(KAPI_ENTRY_UNDEFINED, vcpu, execute, kapi_stock_undefined);
}

int gmem_kvm_hypercall(struct kvm_vcpu *vcpu)
{
	return serve_exit(KAPI_ENTRY_HYPERCALL, vcpu, hypercall, kapi_stock_hypercall);
}

int gmem_kvm_rdmsr(struct kvm_vcpu *vcpu)
{
	Entry entry{ KAPI_ENTRY_RDMSR };
	Knowing guest{ vcpu };
	int ret;

	if (guest && kapi_vcpu_msr_index(vcpu) == kGhcbMsr)
		return kapi_vcpu_read_msr(vcpu, guest.ghcb_msr());
	if (reflected_msr(vcpu, Service::Rdmsr, ret))
		return ret;
	entry.stock();
	return kapi_stock_rdmsr(vcpu);
}

int gmem_kvm_wrmsr(struct kvm_vcpu *vcpu)
{
	Entry entry{ KAPI_ENTRY_WRMSR };
	Knowing guest{ vcpu };
	kapi_registers regs;
	int ret;

	if (!guest || kapi_vcpu_msr_index(vcpu) != kGhcbMsr) {
		if (reflected_msr(vcpu, Service::Wrmsr, ret))
			return ret;
		entry.stock();
		return kapi_stock_wrmsr(vcpu);
	}
	kapi_vcpu_registers(vcpu, &regs);

	const std::uint64_t value = (regs.rdx & 0xffffffff) << 32 | (regs.rax & 0xffffffff);
	const Status status = guest.set_ghcb_msr(value);

	return status.ok() ? kapi_vcpu_wrote_msr(vcpu) : status.code();
}

/* All of its accesses exit, whatever user space's filter says: on hardware it has no part. */
bool gmem_kvm_msr_allowed(struct kvm_vcpu *vcpu, unsigned int index, unsigned int type)
{
	Entry entry{ KAPI_ENTRY_MSR_ALLOWED };

	/* KVM asks when it makes the vCPU, and later for others' sake. */
	if (Knowing{ vcpu }.knows())
		return false;
	entry.stock();
	return kapi_stock_msr_allowed(vcpu, index, type);
}

int gmem_kvm_sev_status(struct kvm_vcpu *vcpu, struct msr_data *msr)
{
	Entry entry{ KAPI_ENTRY_GET_MSR };
	Knowing guest{ vcpu };

	kapi_msr_answer(msr, guest ? sev_status(guest.platform().vmsa_features()) : 0);
	return 0;
}
