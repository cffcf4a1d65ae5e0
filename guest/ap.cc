// SPDX-License-Identifier: GPL-2.0-only
/*
 * The creation of vCPUs (ap.h), and the entries for a vCPU's reset and its SIPI (kapi/ap.h). The
 * steps are those of KVM's for hardware: the reset that a request brings is one as by INIT, at
 * whose end the vCPU gets the save area that it was given last.
 */
#include "guest/ap.h"

#include "guest/private_page.h"
#include "guest/save_area.h"
#include "guest/vmgexit.h"
#include "kapi/ap.h"
#include "mmu/c_bit.h"
#include "mmu/entry.h"

namespace gmem
{

namespace
{

constexpr unsigned kAddressBits = 64;
/* Requests. Number 1, between them, creates the vCPU now. */
constexpr std::uint64_t kCreateOnInit = 0, kDestroy = 2;

/* What a guest may name as a save area. It is looked at when a vCPU is to run from it. */
bool may_be_save_area(struct kvm_vcpu *vcpu, std::uint64_t gpa)
{
	const unsigned bits = kapi_vcpu_address_bits(vcpu);

	/*
	 * Processors take the first page of a block for all of it there: KVM refuses that. User
	 * space may say that the vCPU has more bits than an address.
	 */
	return gpa % kPageSize == 0 && gpa % (kRunPages * kPageSize) != 0 &&
	       (bits >= kAddressBits || gpa >> bits == 0);
}

/* ---- the vCPU's own task ------------------------------------------------------------------ */

/* -EFAULT: no memory of guest_memfd's is there; other errors: it is no private page. */
Result<Backing> backing_of(const PrivatePage &page)
{
	if (!page.has_memory())
		return error(EFAULT);
	if (!page)
		return error(EINVAL);
	return page.get();
}

/* The vCPU has the registers that the page has; NULL, or what is wrong. */
const char *load(const Knowing &guest, unsigned nr, Gfn gfn, const Backing &backing)
{
	const Pfn pfn{ kapi_page_pfn(backing.page.get()) };
	const auto state = make<kapi_vcpu_state>();
	const RmpAnswer answer = guest.platform().enter_save_area(nr, gfn, pfn);

	if (answer.fault != RmpAnswer::Fault::None || !is_ok(answer.code))
		return answer.code == RmpCode::FailInuse ? "one that another vCPU runs from"
							 : "none that is validated";

	const char *broken = "no memory for it";

	if (state.ok())
		broken = read_save_area(
			std::span<const std::uint8_t, kPageSize>{
				static_cast<const std::uint8_t *>(kapi_frame(pfn.value)),
				kPageSize },
			guest.platform().vmsa_features(), CBit::of(guest.kvm()).mask(),
			*state.value());
	if (!broken && !kapi_vcpu_set_state(guest.vcpu(), state.value().get()))
		broken = "values that the processor refuses";
	if (broken)
		guest.platform().leave_save_area(nr);
	return broken;
}

/*
 * It has no save area, and then the one at @gpa. Without memory there it waits for ever, as KVM
 * has it; and what is no save area of the guest's, or has no such values, KVM runs, and the
 * processor refuses.
 */
void start(const Knowing &guest, unsigned nr, std::uint64_t gpa)
{
	SnpSaveArea &area = *guest.platform().save_area(nr);
	const char *broken = "one where no memory is";

	area.stopped = true;
	kapi_vcpu_refuse(guest.vcpu());
	kapi_vcpu_set_halted(guest.vcpu(), true);
	if (gpa == SnpSaveArea::kNone)
		return;

	const Gfn gfn{ gpa >> kPageShift };
	const PrivatePage page{ guest.kvm(), gfn };
	const Result<Backing> backing = backing_of(page);
	const int error = backing.ok() ? 0 : -backing.status().code();

	if (error != EFAULT) {
		kapi_vcpu_set_halted(guest.vcpu(), false);
		broken = error ? "a page that is not private"
			       : load(guest, nr, gfn, backing.value());
	}
	if (broken)
		return report(guest, 0, "a save area", broken,
			      { { "gpa", gpa },
				{ "error", static_cast<std::uint64_t>(error) },
				{ "features", guest.platform().vmsa_features() } });
	area.stopped = false;
}

/*
 * INIT of a guest that knows, or a shutdown. The registers of such a guest are in its save area,
 * where KVM cannot set them: they stay, but for a vCPU that gets another one, or that has none
 * any more.
 */
void init(const Knowing &guest)
{
	const unsigned nr = kapi_vcpu_nr(guest.vcpu());
	SnpSaveArea *const area = guest.platform().save_area(nr);
	std::uint64_t gpa;

	if (!area || !guest.platform().take_save_area(guest.vcpu(), gpa))
		return kapi_vcpu_lacks_state(guest.vcpu()) ? kapi_stock_reset(guest.vcpu(), true)
							   : kapi_vcpu_init(guest.vcpu());
	forget_held(guest);
	kapi_vcpu_leave_smm(guest.vcpu());
	kapi_stock_reset(guest.vcpu(), true);
	start(guest, nr, gpa);
}

/* KVM's SRCU. KVM does without where user space asks for a vCPU's state. */
class Reading {
    public:
	explicit Reading(struct kvm_vcpu *vcpu)
		: kvm_(kapi_vcpu_kvm(vcpu)), token_(kapi_kvm_read_lock(kvm_))
	{
	}
	~Reading() { kapi_kvm_read_unlock(kvm_, token_); }
	Reading(const Reading &) = delete;
	Reading &operator=(const Reading &) = delete;

    private:
	struct kvm *const kvm_;
	const int token_;
};

bool is_stopped(struct kvm_vcpu *vcpu)
{
	const Knowing guest{ vcpu };
	const SnpSaveArea *const area = guest.knows()
						? guest.platform().save_area(kapi_vcpu_nr(vcpu))
						: nullptr;

	return area && area->stopped;
}

} /* namespace */

Result<bool> create_vcpu(const Knowing &guest, const Ghcb &ghcb)
{
	const std::uint64_t info_1 = ghcb.get(GhcbField::Info1);
	/* With the VMPL in its upper half, of which there is one. */
	const std::uint64_t request = info_1 & 0xffffffff;
	const std::uint64_t gpa = request == kDestroy ? SnpSaveArea::kNone
						      : ghcb.get(GhcbField::Info2);
	struct kvm_vcpu *const target = kapi_kvm_vcpu_by_id(guest.kvm(),
							    static_cast<unsigned>(info_1 >> 32));

	if (!target || request > kDestroy)
		return false;
	if (request != kDestroy && (ghcb.get(GhcbField::Rax) != guest.platform().vmsa_features() ||
				    !may_be_save_area(guest.vcpu(), gpa)))
		return false;

	GMEM_CHECK(guest.platform().give_save_area(target, gpa, request != kCreateOnInit));
	return true;
}

} /* namespace gmem */

void gmem_kvm_reset(struct kvm_vcpu *vcpu, bool is_init)
{
	using namespace gmem;
	Entry entry{ KAPI_ENTRY_RESET };
	const Knowing guest{ vcpu };

	/* Whatever it runs just now: a request has KVM reset it in the middle of that. */
	if (!is_init || !guest.knows()) {
		entry.stock();
		return kapi_stock_reset(vcpu, is_init);
	}

	const Reading reading{ vcpu };

	init(guest);
}

void gmem_kvm_sipi(struct kvm_vcpu *vcpu, unsigned char vector)
{
	using namespace gmem;
	Entry entry{ KAPI_ENTRY_SIPI };
	Knowing guest{ vcpu };

	if (!guest) {
		entry.stock();
		return kapi_stock_sipi(vcpu, vector);
	}

	const Reading reading{ vcpu };
	/*
	 * The vector has no say in where it runs: at first from what the launch has measured,
	 * which INIT has left, then behind the VMGEXIT that has held it, or from the save area
	 * that INIT has given it.
	 */
	const Status status = release_held(guest);

	if (!status.ok())
		report(guest, 0, "SIPI", "a GHCB that cannot be had",
		       { { "vector", vector },
			 { "error", static_cast<std::uint64_t>(-status.code()) },
			 { "msr", guest.ghcb_msr() } });
}

int gmem_kvm_events(struct kvm_vcpu *vcpu)
{
	using namespace gmem;
	Entry entry{ KAPI_ENTRY_EVENTS };
	const int ret = kapi_stock_events(vcpu);

	/* INIT may have given it a save area, and SIPI let it run without one. */
	if (ret < 0 || !kapi_vcpu_is_entering(vcpu) || !is_stopped(vcpu)) {
		entry.stock();
		return ret;
	}
	kapi_vcpu_exit_refused(vcpu);
	return -EIO;
}
