// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM on the TDX model (tdx_platform.h).
 */
#include "arch/x86/tdx_platform.h"

#include <uapi/gmem.h>

namespace gmem
{

namespace
{

constinit Machine<TdxMachine> the_machine;

} /* namespace */

TdxMachine *TdxPlatform::machine()
{
	return the_machine.get();
}

Result<ModelVm *> TdxPlatform::create(struct kvm *vm)
{
	return the_machine.add<TdxPlatform>(vm);
}

/* A convertible page for the TD itself. */
Result<Pfn> TdxPlatform::own_page()
{
	struct page *const page = kapi_pages_alloc(0);

	if (!page)
		return error(ENOMEM);

	const Pfn pfn{ kapi_page_pfn(page) };
	struct page *present = nullptr;
	Status status = the_machine->pamt.cover(pfn, 1);

	if (status.ok())
		status = own_pages_.insert(pfn.value, page, present);
	if (!status.ok()) {
		kapi_page_put(page);
		return status;
	}
	return pfn;
}

/* A TD in INITIALIZED, with a vCPU so that it can be finalized. */
Status TdxPlatform::launch()
{
	TdxModule &module = the_machine->module;

	GMEM_TRY(tdr, own_page());
	GMEM_TRY(tdvpr, own_page());
	GMEM_CHECK(status_of(module.mng_create(td_, tdr)));
	GMEM_CHECK(status_of(module.mng_key_config(td_)));
	GMEM_CHECK(status_of(module.mng_init(td_)));
	return status_of(module.vp_create(td_, tdvpr));
}

TdxPlatform::~TdxPlatform()
{
	TdxModule &module = the_machine->module;
	std::uint64_t pfn = 0;

	(void)module.teardown(td_);
	/* The root comes last; it cannot go while another page is the TD's. */
	for (; struct page *const page = own_pages_.find(pfn, ~0ull - 1); pfn++) {
		if (Pfn{ pfn } == td_.tdr)
			continue;
		if (the_machine->pamt.lookup(Pfn{ pfn }).type == PageType::Nda ||
		    module.page_reclaim(td_, Pfn{ pfn }).ok())
			kapi_page_put(page);
		else
			(void)broken(Pfn{ pfn }, "a TD's own page cannot be reclaimed: leaked");
	}
	if (struct page *const root = own_pages_.load(td_.tdr.value)) {
		if (the_machine->pamt.lookup(td_.tdr).type == PageType::Nda ||
		    module.page_reclaim(td_, td_.tdr).ok())
			kapi_page_put(root);
		else
			(void)broken(td_.tdr, "a TD's root cannot be reclaimed: leaked");
	}
	the_machine.drop();
}

Status TdxPlatform::broken(Pfn pfn, const char *what)
{
	the_machine->pamt.report(pfn, what);
	return error(EIO);
}

bool TdxPlatform::runnable()
{
	MutexGuard guard{ td_.mutex };

	return td_.op_state == Td::OpState::Runnable;
}

/*
 * Maps by @map_page() -> Answer, adding the tables that are missing above. @code is
 * what the module said last.
 */
template <class Map> Status TdxPlatform::map(Gfn gfn, std::uint64_t &code, Map map_page)
{
	for (;;) {
		const TdxModule::Answer result = ask(map_page);

		code = result.status;
		if (tdx::status_of(code) != tdx::kEptWalkFailed)
			return status_of(result);

		/* The walk ended at the entry of this level, which has no table below. */
		const unsigned level = result.rdx & 7;

		GMEM_TRY(table, own_page());

		const TdxModule::Answer added = ask([&] {
			return the_machine->module.sept_add(td_, gpa_of(gfn.round_down(9 * level)),
							    level, table);
		});
		/* Another fault may have been faster: the page waits for the TD's end. */
		if (!added.ok() && tdx::status_of(added.status) != tdx::kEptEntryStateIncorrect) {
			code = added.status;
			return status_of(added);
		}
	}
}

Status TdxPlatform::prepare(struct kvm *, Gfn gfn, Pfn pfn, unsigned)
{
	if (dead())
		return error(EIO);
	GMEM_CHECK(the_machine->pamt.cover(pfn, 1));

	std::uint64_t code;
	const Status status = map(
		gfn, code, [&] { return the_machine->module.page_aug(td_, gpa_of(gfn), 0, pfn); });

	if (!status.ok())
		the_machine->pamt.report(pfn, "cannot be given to the TD");
	return status;
}

Status TdxPlatform::admit(Gfn gfn, Pfn pfn, unsigned order)
{
	const PamtEntry entry = the_machine->pamt.lookup(pfn);

	if (dead())
		return error(EIO);
	if (entry.type != PageType::Regular)
		return broken(pfn, "mapped but not the TD's");
	if (entry.owner != td_.tdr)
		return broken(pfn, "mapped into another TD than it belongs to");
	if (entry.gpa != gpa_of(gfn))
		return broken(pfn, "mapped at another gfn than its S-EPT entry's");
	if (order > 0)
		return broken(pfn, "mapped huge over 4 KiB S-EPT entries");
	return Status{};
}

bool TdxPlatform::is_ours(Pfn pfn)
{
	const PamtEntry entry = the_machine->pamt.lookup(pfn);

	return entry.type == PageType::Regular && entry.owner == td_.tdr;
}

/*
 * No vCPU can have the pages in its TLB afterwards. One that cannot be blocked
 * cannot be removed either, which is where that is noticed.
 */
Status TdxPlatform::block(Pfn pfn, std::uint64_t count, Patience &patience)
{
	TdxModule &module = the_machine->module;

	for (std::uint64_t i = 0; i < count; i++) {
		const std::uint64_t gpa = the_machine->pamt.lookup(pfn + i).gpa;

		if (is_ours(pfn + i))
			(void)patience.ask([&] { return module.range_block(td_, gpa, 0); });
	}

	const Status tracked = status_of(patience.ask([&] { return module.track(td_); }));

	if (!tracked.ok())
		the_machine->pamt.report(pfn, "cannot be tracked, nor its neighbours");
	return tracked;
}

Status TdxPlatform::remove(Pfn pfn, Patience &patience)
{
	TdxModule &module = the_machine->module;
	const std::uint64_t gpa = the_machine->pamt.lookup(pfn).gpa;

	if (!is_ours(pfn))
		return broken(pfn, "freed, but was not the TD's");

	const TdxModule::Answer result =
		patience.ask([&] { return module.page_remove(td_, gpa, 0); });

	if (!result.ok()) {
		(void)broken(pfn, "cannot be removed");
		return status_of(result);
	}
	if (!module.page_wbinvd(pfn).ok())
		return broken(pfn, "cannot be flushed");
	scrub(pfn, 1);
	return Status{};
}

Status TdxPlatform::reclaim(Pfn pfn, std::uint64_t count)
{
	Patience patience;
	Status result;

	if (runnable())
		GMEM_CHECK(block(pfn, count, patience));
	for (std::uint64_t i = 0; i < count; i++) {
		const Status status = remove(pfn + i, patience);

		if (!status.ok())
			result = status;
	}
	return result;
}

bool TdxPlatform::is_hosts(Pfn pfn)
{
	return the_machine->pamt.lookup(pfn).type == PageType::Nda;
}

Status TdxPlatform::may_populate(PageContent &content)
{
	if (dead())
		return error(EIO);
	if (content.type != GMEM_PAGE_NORMAL)
		content.firmware_error = tdx::kOperandInvalid | tdx::kRcx;
	else if (runnable())
		content.firmware_error = tdx::kOpStateIncorrect;
	else
		return Status{};
	return error(EIO);
}

/* One pass: each page is added and at once extended. */
Status TdxPlatform::populate(Gfn gfn, Pfn pfn, PageContent &content)
{
	TdxModule &module = the_machine->module;
	const std::uint64_t gpa = gpa_of(gfn);

	if (dead())
		return error(EIO);
	if (content.type != GMEM_PAGE_NORMAL) {
		content.firmware_error = tdx::kOperandInvalid | tdx::kRcx;
		return error(EIO);
	}
	GMEM_CHECK(the_machine->pamt.cover(pfn, 1));

	const Status added = map(gfn, content.firmware_error, [&] {
		return module.page_add(td_, gpa, 0, pfn, kapi_frame(pfn.value));
	});

	if (!added.ok()) {
		the_machine->pamt.report(pfn, "cannot be added");
		return added;
	}

	TdxModule::Answer result;

	for (std::uint64_t at = 0; content.measure && at < kPageSize; at += kTdxChunkSize) {
		result = ask([&] { return module.mr_extend(td_, gpa + at); });
		if (!result.ok())
			break;
	}
	if (result.ok())
		return Status{};
	/* What MRTD has of it stays in MRTD. */
	content.firmware_error = result.status;
	if (!reclaim(pfn, 1).ok()) {
		die();
		return kHalfDone;
	}
	return status_of(result);
}

Status TdxPlatform::finish(std::uint64_t &firmware_error)
{
	const TdxModule::Answer result = ask([&] { return the_machine->module.mr_finalize(td_); });

	firmware_error = result.status;
	return status_of(result);
}

Status TdxPlatform::measurement(Measurement &out)
{
	if (!runnable())
		return error(EPERM);
	out = td_.measurement;
	return Status{};
}

} /* namespace gmem */
