// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM on the SNP model (snp_platform.h).
 */
#include "arch/x86/snp_platform.h"

#include <algorithm>

#include "arch/x86/show.h"
#include "kapi/sev.h"

namespace gmem
{

namespace
{

constinit Machine<SnpMachine> the_machine;

RmpCode update(Pfn pfn, const RmpUpdate &update, Patience &patience)
{
	return patience.ask([&] { return the_machine->rmp.update(pfn, update); });
}

RmpCode update(Pfn pfn, const RmpUpdate &to)
{
	Patience patience;

	return update(pfn, to, patience);
}

} /* namespace */

SnpMachine *SnpPlatform::machine()
{
	return the_machine.get();
}

Result<ModelVm *> SnpPlatform::create(struct kvm *vm)
{
	return the_machine.add<SnpPlatform>(vm);
}

Result<ModelVm *> SnpPlatform::create_for_commands(struct kvm *vm)
{
	return the_machine.add<SnpPlatform>(vm, true);
}

/* The list's lock is held. -ENOSPC. */
Status SnpPlatform::take_asid()
{
	const unsigned asid = the_machine->asids.next_clear(0);

	if (asid > Rmp::kMaxAsid)
		return error(ENOSPC);
	the_machine->asids.set(asid);
	asid_ = asid;
	return Status{};
}

Status SnpPlatform::launch()
{
	SnpStatus status;

	if (by_commands_)
		return Status{};
	GMEM_CHECK(take_asid());
	return begin({}, status);
}

/* A context page, a started launch, its ASID. What there is of it on failure end() takes down. */
Status SnpPlatform::begin(const SnpLaunchStart &start, SnpStatus &status)
{
	SnpFirmware &firmware = the_machine->firmware;

	gctx_ = kapi_page_alloc_charged();
	if (!gctx_)
		return error(ENOMEM);

	const Pfn pfn{ kapi_page_pfn(gctx_) };

	GMEM_CHECK(the_machine->rmp.cover(pfn, 1));
	GMEM_CHECK(status_of(update(pfn, { 0, true, RmpSize::k4K, true, 0 })));
	status = firmware.gctx_create(guest_, pfn);
	if (status == SnpStatus::Success)
		status = firmware.launch_start(guest_, start);
	if (status == SnpStatus::Success)
		status = firmware.activate(guest_, asid_);
	return status == SnpStatus::Success ? Status{} : error(EIO);
}

void SnpPlatform::end()
{
	if (!gctx_)
		return;

	const Pfn pfn{ kapi_page_pfn(gctx_) };
	SnpFirmware &firmware = the_machine->firmware;

	(void)firmware.decommission(guest_);
	if (is_hosts(pfn) || (firmware.page_reclaim(pfn, RmpSize::k4K) == SnpStatus::Success &&
			      update(pfn, {}) == RmpCode::Ok))
		kapi_page_put(gctx_);
	else
		(void)broken(pfn, "a guest's context cannot be reclaimed: leaked");
	gctx_ = nullptr;
	/* Another guest's context may come to lie there. */
	guest_.gctx = Pfn{};
}

SnpPlatform::~SnpPlatform()
{
	std::uint64_t nr = 0;

	for (; SnpVcpu *const vcpu = vcpus_.find(nr, ~0ull); nr++)
		Destroy{}(vcpu);
	for (nr = 0; SnpSaveArea *const area = save_areas_.find(nr, ~0ull); nr++)
		Destroy{}(area);
	drop_vmsas();
	end();
	/* The list's lock is held. */
	if (asid_)
		the_machine->asids.reset(asid_);
	the_machine.drop();
}

Status SnpPlatform::broken(Pfn pfn, const char *what)
{
	the_machine->rmp.report(pfn, what);
	return error(EIO);
}

Status SnpPlatform::prepare(struct kvm *, Gfn gfn, Pfn pfn, unsigned order)
{
	const bool huge = order >= kRunOrder;
	Rmp &rmp = the_machine->rmp;

	if (dead())
		return error(EIO);
	/* No guest runs before its launch has ended. */
	if (by_commands_ && !launched_)
		return error(EINVAL);
	GMEM_CHECK(rmp.cover(pfn, 1ull << order));
	if (!rmp.all_hypervisor(pfn, 1ull << order))
		return broken(pfn, "assigned twice");

	const Status status =
		status_of(update(pfn, { gpa_of(gfn), true, huge ? RmpSize::k2M : RmpSize::k4K,
					false, guest_.asid }));

	if (!status.ok())
		rmp.report(pfn, "cannot be assigned");
	return status;
}

Status SnpPlatform::admit(Gfn gfn, Pfn pfn, unsigned order)
{
	const RmpEntry entry = the_machine->rmp.lookup(pfn);

	if (dead())
		return error(EIO);
	if (entry.state() != RmpState::GuestInvalid && entry.state() != RmpState::GuestValid)
		return broken(pfn, "mapped but not assigned");
	if (entry.asid != guest_.asid)
		return broken(pfn, "mapped into another guest than it is assigned to");
	if (entry.gpa != gpa_of(gfn))
		return broken(pfn, "mapped at another gfn than it is assigned at");
	if (order >= kRunOrder && entry.size != RmpSize::k2M)
		return broken(pfn, "mapped huge over 4 KiB entries");
	return Status{};
}

Status SnpPlatform::split(Pfn pfn)
{
	const RmpCode code = ask([&] { return the_machine->rmp.psmash(pfn); });

	if (code != RmpCode::Ok)
		the_machine->rmp.report(pfn, "PSMASH fails");
	return status_of(code);
}

/* Makes one entry, of whatever size, the hypervisor's. */
Status SnpPlatform::make_hypervisors(Pfn pfn, RmpSize size, Patience &patience)
{
	const RmpEntry entry = the_machine->rmp.lookup(pfn);

	if (entry.immutable && the_machine->firmware.page_reclaim(pfn, size) != SnpStatus::Success)
		return broken(pfn, "SNP_PAGE_RECLAIM fails");

	const Status status = status_of(update(pfn, { .size = size }, patience));

	if (!status.ok())
		the_machine->rmp.report(pfn, "cannot be shared again");
	return status;
}

/* Gives back the entry at the front of @count pages at @pfn. */
Status SnpPlatform::reclaim_entry(Pfn pfn, const RmpEntry &entry, std::uint64_t count,
				  Patience &patience)
{
	if (!entry.assigned)
		return broken(pfn, "freed, but was not assigned");
	if (entry.asid != guest_.asid)
		return broken(pfn, "freed by another guest than it is assigned to");
	if (entry.size == RmpSize::k2M && (pfn.value % kRunPages || count < kRunPages))
		return broken(pfn, "a part of a 2 MiB entry is freed without PSMASH");
	return make_hypervisors(pfn, entry.size, patience);
}

/* What cannot be given back as one entry is not smashed: no part of it could be. */
Status SnpPlatform::reclaim(Pfn pfn, std::uint64_t count)
{
	Patience patience;
	Status result;

	while (count) {
		const RmpEntry entry = the_machine->rmp.lookup(pfn);
		const std::uint64_t rest = kRunPages - pfn.value % kRunPages;
		const std::uint64_t part = entry.size == RmpSize::k2M ? std::min(rest, count) : 1;
		const Status status = reclaim_entry(pfn, entry, count, patience);

		if (status.ok())
			scrub(pfn, part);
		else
			result = status;
		pfn = pfn + part;
		count -= part;
	}
	return result;
}

bool SnpPlatform::is_hosts(Pfn pfn)
{
	return the_machine->rmp.all_hypervisor(pfn, 1);
}

/*
 * The page was made immutable and did not become the guest's. If it cannot be
 * had back, the host would fault on it, and reusing it would be a hole.
 */
Status SnpPlatform::undo_populate(Pfn pfn)
{
	Patience patience;

	if (make_hypervisors(pfn, RmpSize::k4K, patience).ok())
		return Status{};
	die();
	return kHalfDone;
}

/* No type of the firmware's is larger than a byte. */
static std::uint8_t type_of(const PageContent &content)
{
	return content.type < 256 ? content.type : 0;
}

/* More than a page at once is a larger page to the firmware. */
static RmpSize size_of(const PageContent &content)
{
	return content.pages > 1 && snp_page_type_single(type_of(content)) ? RmpSize::k2M
									   : RmpSize::k4K;
}

Status SnpPlatform::may_populate(PageContent &content)
{
	if (dead())
		return error(EIO);

	MutexGuard guard{ lock_ };
	const SnpStatus status = the_machine->firmware.may_update(guest_, type_of(content),
								  size_of(content));

	content.firmware_error = static_cast<std::uint64_t>(status);
	return status == SnpStatus::Success ? Status{} : error(EIO);
}

/* Makes a page of the host's one that the firmware may make the guest's. */
Status SnpPlatform::assign_immutable(Pfn pfn, std::uint64_t gpa)
{
	Rmp &rmp = the_machine->rmp;

	if (dead())
		return error(EIO);
	GMEM_CHECK(rmp.cover(pfn, 1));
	if (!rmp.all_hypervisor(pfn, 1))
		return broken(pfn, "populated, but assigned already");
	return status_of(update(pfn, { gpa, true, RmpSize::k4K, true, guest_.asid }));
}

SnpStatus SnpPlatform::launch_update(Pfn pfn, RmpSize size, std::uint8_t type)
{
	const SnpLaunchUpdate command{
		.page = pfn,
		.size = size,
		.type = type,
		.data = { static_cast<std::uint8_t *>(kapi_frame(pfn.value)), kPageSize },
	};
	MutexGuard guard{ lock_ };

	return the_machine->firmware.launch_update(guest_, command);
}

Status SnpPlatform::populate(Gfn gfn, Pfn pfn, PageContent &content)
{
	const std::uint8_t type = type_of(content);

	GMEM_CHECK(assign_immutable(pfn, gpa_of(gfn)));

	const SnpStatus result = launch_update(pfn, size_of(content), type);

	if (result == SnpStatus::Success)
		return Status{};
	content.firmware_error = static_cast<std::uint64_t>(result);
	content.corrected = type == static_cast<std::uint8_t>(SnpPageType::Cpuid) &&
			    result == SnpStatus::InvalidParam;
	GMEM_CHECK(undo_populate(pfn));
	return error(EIO);
}

Status SnpPlatform::finish(std::uint64_t &firmware_error)
{
	SnpStatus status;
	const Status result = finish({}, status);

	firmware_error = static_cast<std::uint64_t>(status);
	return result;
}

static void print_step(void *seq, const SnpStep &step, bool first)
{
	kapi_seq_print(seq, "%s{\"type\": %u, \"gpa\": \"%#llx\"", first ? "" : ", ",
		       static_cast<unsigned>(step.type), static_cast<unsigned long long>(step.gpa));
	if (snp_page_type_hashed(step.type)) {
		kapi_seq_print(seq, ", \"contents\": \"");
		print_hex(seq, step.contents);
		kapi_seq_print(seq, "\"");
	}
	kapi_seq_print(seq, "}");
}

static void print_steps(void *seq, const SnpSteps &steps)
{
	bool first = true;

	/* Half a list would be another launch's. */
	if (!steps.whole())
		return;
	kapi_seq_print(seq, "{\"kind\": \"snp\", \"steps\": [");
	steps.for_each([&](const SnpStep &step) {
		print_step(seq, step, first);
		first = false;
	});
	kapi_seq_print(seq, "]}\n");
}

void SnpPlatform::show_launch(void *seq, bool steps)
{
	MutexGuard guard{ lock_ };

	if (!guest_.keeps_steps)
		return;
	if (steps)
		return print_steps(seq, guest_.steps);
	kapi_seq_print(seq, "%s ",
		       guest_.state == SnpGuest::State::Running ? "launched" : "launching");
	print_hex(seq, guest_.digest.value());
	kapi_seq_print(seq, " policy %#llx\n", static_cast<unsigned long long>(guest_.policy));
}

/* ---- by KVM's commands -------------------------------------------------------------- */

Status SnpPlatform::init(std::uint64_t vmsa_features, unsigned ghcb_version, bool knowing)
{
	if (initialized())
		return error(EINVAL);
	kapi_platforms_lock();

	const Status status = take_asid();

	kapi_platforms_unlock();
	if (!status.ok())
		return error(EBUSY);
	vmsa_features_ = vmsa_features;
	ghcb_version_ = ghcb_version;
	knowing_.store(knowing);
	return Status{};
}

Status SnpPlatform::start(const SnpLaunchStart &start, SnpStatus &status)
{
	MutexGuard guard{ lock_ };

	guest_.keeps_steps = true;

	const Status result = begin(start, status);

	if (!result.ok())
		end();
	return result;
}

Status SnpPlatform::push_vmsa(ConstBytes vmsa)
{
	GMEM_TRY(area, make<Vmsa>());

	area->page = PageRef{ kapi_page_alloc_charged() };
	if (!area->page)
		return error(ENOMEM);
	std::memcpy(kapi_frame(kapi_page_pfn(area->page.get())), vmsa.data(), kPageSize);
	area->next = std::move(vmsas_);
	vmsas_ = std::move(area);
	return Status{};
}

Status SnpPlatform::measure_vmsa(Vmsa &area, SnpStatus &status)
{
	/* Where the kernel has the first save area: no gfn that a memslot can have. */
	constexpr std::uint64_t kGpa = 0xfffffffff000;
	const Pfn pfn{ kapi_page_pfn(area.page.get()) };

	GMEM_CHECK(assign_immutable(pfn, kGpa));
	status = launch_update(pfn, RmpSize::k4K, static_cast<std::uint8_t>(SnpPageType::Vmsa));
	area.measured = status == SnpStatus::Success;
	if (area.measured)
		return Status{};
	/* A page that is neither the guest's nor the host's is leaked. */
	if (!undo_populate(pfn).ok())
		(void)area.page.release();
	return error(EIO);
}

Status SnpPlatform::measure_vmsas(SnpStatus &status)
{
	for (Vmsa *area = vmsas_.get(); area; area = area->next.get())
		GMEM_CHECK(measure_vmsa(*area, status));
	return Status{};
}

void SnpPlatform::drop_vmsas()
{
	while (vmsas_) {
		const Own<Vmsa> area = std::move(vmsas_);

		vmsas_ = std::move(area->next);
		if (area->measured && !reclaim(Pfn{ kapi_page_pfn(area->page.get()) }, 1).ok())
			(void)area->page.release();
	}
}

Status SnpPlatform::finish(const SnpLaunchFinish &finish, SnpStatus &status)
{
	MutexGuard guard{ lock_ };

	status = the_machine->firmware.launch_finish(guest_, finish);
	if (status != SnpStatus::Success)
		return error(EIO);
	launched_ = true;
	return Status{};
}

/* ---- by the guest ---------------------------------------------------------------------- */

RmpAnswer SnpPlatform::pvalidate(Gfn gfn, Pfn pfn, RmpSize size, bool validate)
{
	return the_machine->rmp.pvalidate({ pfn, guest_.asid, gpa_of(gfn), size }, validate);
}

RmpAnswer SnpPlatform::rmpadjust(Gfn gfn, Pfn pfn, RmpSize size, const RmpAdjust &adjust)
{
	return the_machine->rmp.rmpadjust({ pfn, guest_.asid, gpa_of(gfn), size }, adjust);
}

bool SnpPlatform::is_validated(Gfn gfn, Pfn pfn)
{
	const RmpEntry entry = the_machine->rmp.lookup(pfn);

	return entry.validated && entry.asid == guest_.asid && entry.gpa == gpa_of(gfn);
}

Result<SnpStatus> SnpPlatform::request(SnpMessage request, SnpMessage answer)
{
	GMEM_TRY(held, lock_.lock_killable());
	return the_machine->firmware.guest_request(guest_, request, answer);
}

Status SnpPlatform::keep_answer(std::span<const std::uint8_t, kPageSize> answer)
{
	MutexGuard guard{ lock_ };

	if (!answer_) {
		GMEM_TRY(room, (make<std::array<std::uint8_t, kPageSize>>()));
		answer_ = std::move(room);
	}
	std::copy(answer.begin(), answer.end(), answer_->begin());
	return Status{};
}

bool SnpPlatform::copy_answer(std::span<std::uint8_t, kPageSize> to)
{
	MutexGuard guard{ lock_ };

	if (answer_)
		std::copy(answer_->begin(), answer_->end(), to.begin());
	return answer_ != nullptr;
}

Result<SnpVcpu *> SnpPlatform::vcpu(unsigned nr)
{
	SnpVcpu *present = vcpus_.load(nr);

	if (present)
		return present;

	GMEM_TRY(vcpu, make<SnpVcpu>());
	GMEM_CHECK(vcpus_.insert(nr, vcpu.get(), present));
	return vcpu.release();
}

Status SnpPlatform::measurement(Measurement &out)
{
	MutexGuard guard{ lock_ };

	if (guest_.state != SnpGuest::State::Running)
		return error(EPERM);
	out = guest_.digest.value();
	return Status{};
}

SnpPlatformRef snp_platform_of(struct kvm *kvm)
{
	const auto model = ModelVm::of(kvm, nullptr);

	return SnpPlatformRef{ model.ok() ? static_cast<SnpPlatform *>(model.value()) : nullptr };
}

} /* namespace gmem */
