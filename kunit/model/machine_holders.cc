// SPDX-License-Identifier: GPL-2.0-only
/*
 * References of pages beside the cache's (machine.h): pins of user space, references that
 * the kernel has for a while, and those of KVM where it asks for a guest's page outside of
 * faults.
 */
#include "kunit/model/machine.h"

#include <algorithm>

#include <gmem/gmem.h>

#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/share.h"

namespace model
{

void Machine::pin(const Op &op)
{
	const int n = some_file(op.a);

	if (!files_[n].open || !files_[n].mappable || held_.size() == kHeld)
		return;
	const std::uint64_t index = span_in(files_[n], op).start;

	if (touch_at(n, index, op.b & 1, real_[n].fd)) {
		held_.push_back({ fake::user_pin(fake::file_at(real_[n].fd), index), true });
		expect(held_.back().page, "a page that is mapped cannot be pinned");
	}
}

void Machine::hold(const Op &op)
{
	const int n = some_file(op.a);
	File &file = files_[n];

	if (!file.open || held_.size() == kHeld)
		return;
	struct page *const page = kapi_cache_peek(real_[n].inode, span_in(file, op).start);

	if (page) {
		kapi_page_get(page);
		held_.push_back({ page, false });
	}
}

void Machine::drop(const Op &op)
{
	if (held_.empty())
		return;
	const auto it = held_.begin() + op.a % held_.size();

	if (it->pinned)
		fake::user_unpin(it->page);
	else
		kapi_page_put(it->page);
	held_.erase(it);
}

bool Machine::in_use(int n, std::uint64_t index) const
{
	struct page *const page = kapi_cache_peek(real_[n].inode, index);

	return std::any_of(held_.begin(), held_.end(),
			   [page](const Held &held) { return held.page == page; });
}

/* kvm_vcpu_map(): KVM reads and writes a page itself, until it unmaps it. */
void Machine::vcpu_map(const Op &op)
{
	const auto [vm, gfn] = place_of(op);

	if (!vm || held_.size() == kHeld)
		return;
	RealSlot *const slot = slot_at(vm, gfn);
	const long blocks = fake::free_blocks();
	const unsigned reserve = kapi_pages_reserved();
	kvm_vcpu vcpu{ vm };
	kvm_host_map map;

	vm->srcu.lock_shared();
	const int ret = gmem_kvm_vcpu_map(&vcpu, gfn, &map, true);

	vm->srcu.unlock_shared();
	fake::return_to_user();
	if (map.page)
		held_.push_back({ map.page, false });
	if (!slot || !slot->expected.mappable) {
		const bool is_private = slot && vm->type == fake::kSwProtectedVm &&
					kapi_kvm_range_private(vm, gfn, gfn + 1);

		expect(!map.page, "KVM maps a page of a file that cannot be mapped");
		return expect(ret == (is_private ? -EINVAL : fake::stock().answer),
			      "KVM maps what is not the file's");
	}
	const int n = slot->expected.file;
	const unsigned order = map.page ? huge_at(n, slot->expected.page_of(gfn)) : 0;

	lent({ slot, gfn, map.page, false, order, blocks, reserve }, ret == 0 ? 0 : -EAGAIN);
	expect(map.page ? ret == 0 : ret == -EINVAL, "error of KVM's mapping");
}

/* gmem_get_pfn() by a caller that is no fault, as KVM's code for SNP. */
void Machine::get_pfn(const Op &op)
{
	const auto [vm, gfn] = place_of(op);
	RealSlot *const slot = vm ? slot_at(vm, gfn) : nullptr;

	if (!slot || held_.size() == kHeld)
		return;
	const long blocks = fake::free_blocks();
	const unsigned reserve = kapi_pages_reserved();
	gmem_u64 pfn = 0;
	int order = 0;

	vm->srcu.lock_shared();
	const int ret = gmem_get_pfn(vm, slot->slot, gfn, &pfn, &order);

	vm->srcu.unlock_shared();
	fake::return_to_user();
	struct page *const page = ret ? nullptr : fake::page_of_pfn(pfn);

	if (page)
		held_.push_back({ page, false });
	lent({ slot, gfn, page, true, static_cast<unsigned>(order), blocks, reserve }, ret);
}

/* Of a memslot on a file: the page, or no page for a reason. */
void Machine::lent(const Lent &to, int ret)
{
	const Slot &slot = to.slot->expected;

	if (slot.file < 0)
		return expect(!to.page, "a page of a file that is closed");
	File &file = files_[slot.file];
	const std::uint64_t index = slot.page_of(to.gfn);
	const bool either = !to.is_private && !file.converts;
	Page &page = file.pages[index];
	const bool fits = slot.shows_whole(index, kRun);

	if (!either && page.shared() == to.is_private)
		return expect(!to.page && (ret == -EAGAIN || fake::fail_fired()),
			      "the kernel is given a page of the other kind");
	const std::uint64_t start = to.gfn / kRun * kRun;
	const bool one_kind =
		fits && (file.mappable ? file.one_kind(file.run_of(index))
				       : kapi_kvm_range_private(slot.vm, start, start + kRun));
	const kapi_platform platform = platform_of(slot.vm);

	if (file.size() == kGiant)
		expect_giant(file, shows_giant(slot), to.reserve);
	if (fake::fail_fired()) {
		adopt(slot.file);
		if (!to.page)
			return;
	} else {
		expect_fill(file, index, fits && (file.mappable || one_kind) && to.blocks);
		const bool elsewhere = platform != KAPI_PLATFORM_NONE && !page.shared() &&
				       (page.prepared() ? page.gfn != to.gfn
							: occupied(slot.vm, to.gfn));

		if (page.bad())
			strike(page);
		if (page.bad() || elsewhere)
			return expect(!to.page, "the kernel is given a page that nobody gets");
	}
	expect(to.page == kapi_cache_peek(real_[slot.file].inode, index),
	       "the kernel is given another page");
	expect_ready({ .file = slot.file,
		       .index = index,
		       .fits = fits,
		       .one_kind = one_kind,
		       .gfn = to.gfn },
		     one_kind ? to.order : 0);
}

} /* namespace model */
