// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operations (machine.h): each predicts by the reference, acts, and compares.
 */
#include "kunit/model/machine.h"

#include <cstdio>
#include <cstdlib>
#include <iterator>

#include <gmem/gmem.h>

#include "gmem/result.h"
#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/platform.h"
#include "kunit/fakes/work.h"

namespace model
{

namespace
{

constexpr std::uint64_t kSizes[] = { 1, 3, 511, 512, 513, 1024, 1300, 2048 };
constexpr std::uint64_t kPlaces[] = { 0, 1, 100, 256, 511, 512, 513, 520, 1023, 1024, 1500, 1536 };
constexpr std::uint64_t kGfnBases[] = { 0, 1, 512, 520, 1024, 2048, 2304, 3072 };

template <class T, std::size_t N> T pick(const T (&table)[N], unsigned n)
{
	return table[n % N];
}

} /* namespace */

Machine::~Machine()
{
	fake::fail_nth(0);
	for (struct page *page : held_)
		kapi_page_put(page);
	for (int i = 0; i < kFiles; i++)
		close(i);
	for (struct kvm *vm : vms_) {
		if (vm)
			kapi_kvm_put(vm);
	}
	fake::set_no_blocks(false);
	fake::check_clean();
}

void Machine::expect(bool ok, const char *what)
{
	if (ok)
		return;
	std::fprintf(stderr, "MISMATCH at step %zu, %s: %s\n", steps_,
		     current_ ? describe(*current_).c_str() : "end", what);
	std::abort();
}

void Machine::run(const Sequence &ops)
{
	for (const Op &op : ops) {
		current_ = &op;
		step(op);
		if (op.kind != Kind::Fail)
			fake::fail_nth(0);
		for (int i = 0; i < kFiles; i++)
			check_file(i, steps_ % 16 == 0);
		steps_++;
	}
	for (int i = 0; i < kFiles; i++)
		check_file(i, true);
	current_ = nullptr;
}

void Machine::step(const Op &op)
{
	switch (op.kind) {
	case Kind::Fault:
		return fault(op);
	case Kind::Sweep:
		return sweep(op);
	case Kind::Write:
		return write(op);
	case Kind::Punch:
		return punch(op);
	case Kind::Allocate:
		return allocate(op);
	case Kind::Populate:
		return populate(op);
	case Kind::Bind:
		return bind(op);
	case Kind::Unbind:
		return unbind(op);
	case Kind::Attributes:
		return attributes(op);
	case Kind::Create:
		return create(op);
	case Kind::Close:
		return close(op.a % kFiles);
	case Kind::MakeVm:
		return make_vm(op);
	case Kind::DropVm:
		return drop_vm(op);
	case Kind::Poison:
		return poison(op);
	case Kind::Hold:
		return hold(op);
	case Kind::Drop:
		return drop(op);
	case Kind::Work:
		return work();
	case Kind::Scarce:
		scarce_ = op.a & 1;
		return fake::set_no_blocks(scarce_);
	case Kind::Fail:
		if (op.b % 4 == 3)
			return busy(op);
		return fake::fail_nth(1 + op.a % 6);
	case Kind::Kinds:
		break;
	}
}

int Machine::some_file(unsigned n) const
{
	for (int i = 0; i < kFiles; i++) {
		if (files_[(n + i) % kFiles].open)
			return (n + i) % kFiles;
	}
	return n % kFiles;
}

const Machine::RealSlot *Machine::some_slot(unsigned n) const
{
	for (int i = 0; i < kSlots; i++) {
		if (slots_[(n + i) % kSlots].used)
			return &slots_[(n + i) % kSlots];
	}
	return nullptr;
}

Machine::Place Machine::place_of(const Op &op) const
{
	const RealSlot *const slot = some_slot(op.b);

	if (!slot || op.c % 32 == 31)
		return { vms_[op.a % kVms], op.x % 4096u };

	/* Near the ends of a slot, or anywhere in it. */
	const Span gfns = slot->expected.gfns();
	const std::uint64_t size = gfns.end - gfns.start;

	switch (op.c % 4) {
	case 0:
		return { slot->expected.vm, gfns.start + pick(kPlaces, op.x) % size };
	case 1:
		return { slot->expected.vm, gfns.end - 1 - pick(kPlaces, op.x) % size };
	}
	return { slot->expected.vm, gfns.start + op.x % size };
}

Span Machine::span_in(const File &file, const Op &op) const
{
	const std::uint64_t start = op.c & 1 ? op.x % file.size()
					     : pick(kPlaces, op.x) % file.size();
	const std::uint64_t length = op.c & 2 ? 1 + op.y % 16 : pick(kSizes, op.y);

	return { start, std::min(file.size(), start + length) };
}

Machine::RealSlot *Machine::slot_at(struct kvm *vm, std::uint64_t gfn)
{
	for (RealSlot &slot : slots_) {
		if (slot.used && slot.expected.vm == vm && slot.expected.gfns().contains(gfn))
			return &slot;
	}
	return nullptr;
}

void Machine::make_vm(const Op &op)
{
	struct kvm *&vm = vms_[op.a % kVms];

	constexpr kapi_platform kPlatforms[] = { KAPI_PLATFORM_NONE, KAPI_PLATFORM_NONE,
						 KAPI_PLATFORM_SNP_MODEL, KAPI_PLATFORM_TDX_MODEL };

	if (vm)
		return;
	vm = fake::vm_create(op.b % 4 == 3 ? fake::kSnpVm : fake::kSwProtectedVm, op.c % 8 != 7);
	if (op.b % 4 != 3)
		begin_launch(vm, pick(kPlatforms, op.b / 4));
}

void Machine::drop_vm(const Op &op)
{
	struct kvm *&vm = vms_[op.a % kVms];

	/* Its slots are out of reach, if they still are. */
	for (RealSlot &slot : slots_) {
		if (slot.used && slot.expected.vm == vm)
			slot.used = false;
	}
	launches_.erase(vm);
	if (vm)
		kapi_kvm_put(vm);
	vm = nullptr;
}

void Machine::create(const Op &op)
{
	RealFile &real = real_[op.b % kFiles];
	File &file = files_[op.b % kFiles];
	struct kvm *const vm = vms_[op.a % kVms] ? vms_[op.a % kVms] : vms_[0];

	if (!vm || file.open)
		return;
	const std::uint64_t size = pick(kSizes, op.c);
	kvm_create_guest_memfd args{ size << 12, 0 };

	fake::set_platform(platform_of(vm));
	const int fd = gmem_create(vm, &args);

	fake::set_platform(KAPI_PLATFORM_NONE);
	fake::return_to_user();
	if (fake::fail_fired()) {
		expect(fd == -ENOMEM || fd == -EMFILE || fd == -ENFILE ||
			       (fd == -EIO && platform_of(vm) != KAPI_PLATFORM_NONE),
		       "error of a failed create");
		return;
	}
	expect(fd >= 0, "create");
	real = { fd, fake::file_at(fd)->inode };
	file.open = true;
	file.vm = vm;
	file.pages.assign(size, Page{});
	file.block.assign(size / kRun + 1, false);
	file.unknown.assign(size / kRun + 1, false);
	file.as_one.assign(size / kRun + 1, false);
}

void Machine::close(int n)
{
	File &file = files_[n];

	if (!file.open)
		return;
	for (RealSlot &slot : slots_) {
		if (slot.used && slot.expected.file == n)
			slot.expected.file = -1;
	}
	struct kvm *const vm = file.vm;

	fake::close_fd(real_[n].fd);
	file = File{};
	real_[n] = RealFile{};
	end_launch(vm);
}

void Machine::bind(const Op &op)
{
	RealSlot &slot = slots_[op.b % kSlots];
	const int n = op.c % 16 == 15 ? op.a % kFiles : some_file(op.a);
	const File &file = files_[n];
	struct kvm *const vm = file.open && op.c % 16 != 14 ? file.vm : vms_[op.c % kVms];

	if (slot.used || !vm || (vm != vms_[0] && vm != vms_[1]))
		return;
	/* Mostly where gfns and pages are congruent, as real VMs have it. */
	const std::uint64_t offset = op.c & 64 ? pick(kPlaces, op.x)
					       : pick(kPlaces, op.x) / 512 * 512;
	std::uint64_t npages = pick(kSizes, op.x >> 8);

	if (file.open && offset < file.size() && op.c % 16 != 13)
		npages = std::min(npages, file.size() - offset);

	const std::uint64_t gfn = op.c & 128 ? pick(kGfnBases, op.y)
					     : pick(kGfnBases, op.y) / 512 * 512 + offset % 512;
	Slot expected{ vm, n, gfn, { offset, offset + npages } };
	int want = 0;

	for (const RealSlot &other : slots_) {
		if (!other.used)
			continue;
		if (other.expected.vm == vm && other.expected.gfns().overlaps(expected.gfns()))
			want = -EEXIST; /* KVM's own check */
	}
	if (!want && !file.open)
		want = -EBADF;
	if (!want && (file.vm != vm || expected.pages.end > file.size()))
		want = -EINVAL;
	for (const RealSlot &other : slots_) {
		if (!want && other.used && other.expected.file == n &&
		    other.expected.pages.overlaps(expected.pages))
			want = -EINVAL;
	}

	const int ret = fake::slot_add(vm, gfn, npages, file.open ? real_[n].fd : 9999, offset,
				       &slot.slot);

	if (fake::fail_fired())
		expect(ret == -ENOMEM, "error of a failed bind");
	else
		expect(ret == want, "bind");
	if (ret == 0) {
		slot.used = true;
		slot.expected = expected;
	}
}

void Machine::unbind(const Op &op)
{
	RealSlot &slot = slots_[op.b % kSlots];

	if (!slot.used)
		return;
	fake::slot_delete(slot.expected.vm, slot.slot);
	slot.used = false;
}

void Machine::punch(const Op &op)
{
	const int n = some_file(op.a);
	File &file = files_[n];

	if (!file.open)
		return;
	const Span span = span_in(file, op);
	/* Sometimes past the end, where there is nothing. */
	const std::uint64_t extra = op.b % 8 == 0 && span.end == file.size() ? 700 : 0;

	expect(fake::fallocate(fake::file_at(real_[n].fd), true, span.start << 12,
			       (span.end - span.start + extra) << 12) == 0,
	       "punch");
	for (std::uint64_t i = span.start; i < span.end; i++) {
		file.pages[i] = Page{};
		for (const RealSlot &slot : slots_) {
			if (slot.used && slot.expected.file == n && slot.expected.pages.contains(i))
				expect(fake::mapped_order(slot.expected.vm,
							  slot.expected.base_gfn + i -
								  slot.expected.pages.start) < 0,
				       "mapped after a punch");
		}
	}
	for (std::uint64_t i = span.start; i < span.end; i += kRun - i % kRun) {
		file.as_one[i / kRun] = false;
		if (file.empty(file.run_of(i)))
			file.block[i / kRun] = file.unknown[i / kRun] = false;
	}
}

void Machine::allocate(const Op &op)
{
	const int n = some_file(op.a);
	File &file = files_[n];

	if (!file.open)
		return;
	const Span span = span_in(file, op);

	if (op.b % 16 == 0) {
		expect(fake::fallocate(fake::file_at(real_[n].fd), false, span.start << 12,
				       (file.size() + 1 - span.start) << 12) == -EINVAL,
		       "allocation past the end");
		return;
	}
	long blocks = fake::free_blocks();
	const long ret = fake::fallocate(fake::file_at(real_[n].fd), false, span.start << 12,
					 (span.end - span.start) << 12);

	if (fake::fail_fired()) {
		expect(ret == 0 || ret == -ENOMEM, "error of a failed allocation");
		return adopt(n);
	}
	expect(ret == 0, "allocate");
	for (std::uint64_t i = span.start; i < span.end; i++) {
		const Span run = file.run_of(i);
		const bool whole = span.start <= run.start && run.start + kRun <= span.end;
		const bool as_block = whole && file.empty(run) && blocks > 0;

		blocks -= as_block;
		expect_fill(file, i, as_block);
	}
	/* Which of the new pages lie where is for the next fault to see. */
	for (std::uint64_t i = span.start; i < span.end; i += kRun - i % kRun) {
		const Span run = file.run_of(i);
		struct page *const first = kapi_cache_peek(real_[n].inode, i);

		for (std::uint64_t p = run.start; p < run.end; p++) {
			struct page *const other = kapi_cache_peek(real_[n].inode, p);

			if (other && kapi_page_pfn(other) - kapi_page_pfn(first) != p - i)
				file.block[i / kRun] = false;
		}
	}
}

void Machine::attributes(const Op &op)
{
	const auto [vm, gfn] = place_of(op);
	const std::uint64_t length = op.c & 4 ? 1 + op.y % 16 : pick(kSizes, op.y);

	if (vm)
		fake::set_private(vm, gfn, std::min(fake::kGfns, gfn + length), op.c % 8 != 5);
}

void Machine::poison(const Op &op)
{
	const int n = some_file(op.a);
	File &file = files_[n];

	if (!file.open)
		return;
	const std::uint64_t index = span_in(file, op).start;
	const bool hit = fake::memory_failure(real_[n].inode, index);

	fake::return_to_user();
	expect(hit == file.pages[index].present, "poison of a page");
	file.pages[index].lost = hit;
	for (const RealSlot &slot : slots_) {
		if (slot.used && slot.expected.file == n && slot.expected.pages.contains(index))
			expect(fake::mapped_order(slot.expected.vm,
						  slot.expected.base_gfn + index -
							  slot.expected.pages.start) < 0,
			       "mapped after poison");
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
		held_.push_back(page);
	}
}

void Machine::drop(const Op &op)
{
	if (held_.empty())
		return;
	const auto it = held_.begin() + op.a % held_.size();

	kapi_page_put(*it);
	held_.erase(it);
}

void Machine::work()
{
	if (!fake::run_work())
		return;
	/* Runs may have become one block; nothing else may have changed. */
	for (File &file : files_) {
		for (std::size_t n = 0; n < file.block.size(); n++) {
			if (!file.block[n])
				file.unknown[n] = true;
		}
	}
}

void Machine::adopt(int n)
{
	File &file = files_[n];

	for (std::uint64_t i = 0; i < file.size(); i++) {
		const bool present = kapi_cache_peek(real_[n].inode, i);

		expect(present || !file.pages[i].present, "a failure took a page away");
		if (present && !file.pages[i].present)
			file.pages[i].present = file.unknown[i / kRun] = true;
	}
	for (std::size_t run = 0; run < file.block.size(); run++)
		file.unknown[run] = true;
}

void Machine::check_file(int n, bool fully)
{
	const File &file = files_[n];

	if (!file.open)
		return;
	if (steps_ % 4 == 0 || fully)
		expect(real_[n].inode->nrpages == file.present(), "number of pages");
	if (!fully)
		return;
	for (std::uint64_t i = 0; i < file.size(); i++) {
		const Page &page = file.pages[i];
		struct page *const real = kapi_cache_peek(real_[n].inode, i);

		expect((real != nullptr) == page.present, "a page is there or not");
		if (!real)
			continue;
		expect(real->poisoned == page.lost, "poison");
		if (page.prepared)
			expect(real->content == page.content, "content of a page");
	}
	check_launched(file, n);
}

} /* namespace model */
