// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operations (machine.h): each predicts by the reference, acts, and compares.
 */
#include "kunit/model/machine.h"

#include <cstdio>
#include <cstdlib>
#include <iterator>

#include <gmem/gmem.h>
#include <uapi/gmem.h>

#include "gmem/result.h"
#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/pci_hole.h"
#include "kunit/fakes/platform.h"
#include "kunit/fakes/share.h"
#include "kunit/fakes/work.h"

namespace model
{

namespace
{

constexpr std::uint64_t kSizes[] = { 1, 3, 511, 512, 513, 1024, 1300, 2048 };
constexpr std::uint64_t kPlaces[] = { 0, 1, 100, 256, 511, 512, 513, 520, 1023, 1024, 1500, 1536 };
constexpr std::uint64_t kFlags[] = { 0, GUEST_MEMFD_FLAG_MMAP,
				     GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED,
				     GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED };
constexpr unsigned kGmemRegion = KAPI_MEM_GUEST_MEMFD;
constexpr std::uint64_t kGfnBases[] = { 0, 1, 512, 520, 1024, 2048, 2304, 3072 };

template <class T, std::size_t N> T pick(const T (&table)[N], unsigned n)
{
	return table[n % N];
}

} /* namespace */

Machine::~Machine()
{
	fake::fail_nth(0);
	while (!held_.empty())
		drop({});
	for (int i = 0; i < kFiles; i++)
		close(i);
	drop_stale();
	drop_consumers();
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
		check_consumers();
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
		return populate(op, false);
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
	case Kind::Touch:
		return touch(op);
	case Kind::Pin:
		return pin(op);
	case Kind::Convert:
		return convert(op);
	case Kind::ConvertGfns:
		return convert_gfns(op);
	case Kind::Consumer:
		return consumer(op);
	case Kind::Lend:
		return lend(op);
	case Kind::Link:
		return link(op);
	case Kind::Stale:
		return stale(op);
	case Kind::Mark:
		return mark(op);
	case Kind::VcpuMap:
		return vcpu_map(op);
	case Kind::GetPfn:
		return get_pfn(op);
	case Kind::Keep:
		return populate(op, true);
	case Kind::Launch:
		return launch(op);
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
	return { slot->expected.vm, gfns.start + op.x % std::min(size, kStruck) };
}

Span Machine::span_in(const File &file, const Op &op) const
{
	const std::uint64_t start = op.c & 1 ? op.x % std::min(file.size(), kStruck)
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
	if (op.x % 8 == 7) {
		vm = fake::vm_create(fake::kDefaultVm);
		return;
	}
	vm = fake::vm_create(op.b % 4 == 3 ? fake::kSnpVm : fake::kSwProtectedVm, op.c % 8 != 7);
	if (op.b % 4 != 3)
		begin_launch(vm, pick(kPlatforms, op.b / 4));
}

void Machine::drop_vm(const Op &op)
{
	struct kvm *&vm = vms_[op.a % kVms];

	/* Memslots of the VM are out of reach from now on. */
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
	const bool giant = op.y % 512 == 77;
	const std::uint64_t size = giant ? kGiant : pick(kSizes, op.c);
	const std::uint64_t flags = giant ? 0 : pick(kFlags, op.x);
	kvm_create_guest_memfd args{ size << 12, flags };

	/* One for all of a sequence. */
	if (giant)
		fake::set_reserve(1);
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
	file.mappable = flags & GUEST_MEMFD_FLAG_MMAP;
	file.converts = file.mappable && vm->type != fake::kDefaultVm;
	file.keeps = vm->type != fake::kSnpVm && platform_of(vm) == KAPI_PLATFORM_NONE;
	file.pages.assign(size, Page{});
	file.runs.assign(size / kRun + 1, Run{});
	if (giant && file.keeps && !file.mappable)
		file.giant = Giant::Untried;
	if (flags & GUEST_MEMFD_FLAG_INIT_SHARED) {
		for (Page &page : file.pages)
			happens(page, Event::MadeShared);
	}
}

void Machine::close(int n)
{
	File &file = files_[n];

	if (!file.open)
		return;
	struct kvm *const vm = file.vm;

	const std::vector<struct page *> kept = never_freed(n, { 0, file.size() });

	forget(n);
	fake::close_fd(real_[n].fd);
	check_never_freed(kept);
	for (Stale &view : stale_)
		view.file = view.file == n ? -1 : view.file;
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
	std::uint64_t npages = file.size() == kGiant ? kGiant : pick(kSizes, op.x >> 8);

	if (file.open && offset < file.size() && op.c % 16 != 13)
		npages = std::min(npages, file.size() - offset);

	/* A gigabyte's place is the first one. */
	const std::uint64_t gfn = npages == kGiant ? 0
				  : op.c & 128	   ? pick(kGfnBases, op.y)
					       : pick(kGfnBases, op.y) / 512 * 512 + offset % 512;
	const Slot expected{ vm, n, gfn, { offset, offset + npages }, file.mappable };
	const int ret = add_slot(slot, expected, file.open ? real_[n].fd : 9999);

	if (fake::fail_fired())
		expect(ret == -ENOMEM || (ret == -EFAULT && vm->type == fake::kDefaultVm),
		       "error of a failed bind");
	else
		expect(ret == bind_error(expected), "bind");
	if (ret == 0) {
		slot.used = true;
		slot.expected = expected;
	}
}

int Machine::bind_error(const Slot &slot) const
{
	const File &file = files_[slot.file];
	const bool is_default = slot.vm->type == fake::kDefaultVm;

	/* KVM looks at a default VM's memslot when the file is known to be one for it. */
	if (is_default && !file.open)
		return -EBADF;
	if (is_default && !file.mappable)
		return -EINVAL;
	for (const RealSlot &other : slots_) {
		if (other.used && other.expected.vm == slot.vm &&
		    other.expected.gfns().overlaps(slot.gfns()))
			return -EEXIST; /* KVM's own check */
	}
	if (!file.open)
		return -EBADF;
	if (file.vm != slot.vm || slot.pages.end > file.size())
		return -EINVAL;
	for (const RealSlot &other : slots_) {
		if (other.used && other.expected.file == slot.file &&
		    other.expected.pages.overlaps(slot.pages))
			return -EINVAL;
	}
	for (const Consumer &c : consumers_) {
		if (c.used && c.file == slot.file && !c.coexists && c.pages.overlaps(slot.pages))
			return -EINVAL;
	}
	return 0;
}

int Machine::add_slot(RealSlot &slot, const Slot &as, int fd)
{
	const std::uint64_t npages = as.pages.end - as.pages.start;
	const unsigned id = static_cast<unsigned>(&slot - slots_.data());

	if (as.vm->type != fake::kDefaultVm)
		return fake::slot_add(as.vm, as.base_gfn, npages, fd, as.pages.start, &slot.slot);

	const fake::Region2 request{ { id, kGmemRegion, as.base_gfn << 12, npages << 12, 0 },
				     { as.pages.start << 12, static_cast<unsigned>(fd) } };
	const long ret = fake::request_region2(as.vm, request);

	slot.slot = fake::region_slot(as.vm, id);
	return static_cast<int>(ret);
}

void Machine::unbind(const Op &op)
{
	RealSlot &slot = slots_[op.b % kSlots];
	struct kvm *const vm = slot.expected.vm;

	if (!slot.used)
		return;
	if (vm->type != fake::kDefaultVm) {
		fake::slot_delete(vm, slot.slot);
	} else {
		const unsigned id = op.b % kSlots;
		const fake::Region2 nothing{
			{ id, kGmemRegion, slot.expected.base_gfn << 12, 0, 0 }, {}
		};
		const long ret = fake::request_region2(vm, nothing);

		expect(ret == (fake::fail_fired() ? -EFAULT : 0), "deletion of a memslot");
		if (ret)
			return;
	}
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

	const std::vector<struct page *> kept = never_freed(n, span);

	expect(fake::fallocate(fake::file_at(real_[n].fd), true, span.start << 12,
			       (span.end - span.start + extra) << 12) == 0,
	       "punch");
	check_never_freed(kept);
	expect_unmapped(n, span);
	for (std::uint64_t i = span.start; i < span.end; i++) {
		Page &page = file.pages[i];

		if (page.present()) {
			happens(page, Event::Removed);
			file.break_giant();
		}
		page.marked = page.told = false;
	}
	check_unmapped(n, span);
	for (std::uint64_t i = span.start; i < span.end; i += kRun - i % kRun) {
		Run &run = file.runs[i / kRun];

		run.prepared_as_block = run.wants = false;
		if (file.empty(file.run_of(i)))
			run = Run{};
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
}

void Machine::attributes(const Op &op)
{
	const auto [vm, gfn] = place_of(op);
	const std::uint64_t length = op.c & 4 ? 1 + op.y % 16 : pick(kSizes, op.y);
	const Span gfns{ gfn, std::min(fake::kGfns, gfn + length) };

	if (!vm || vm->type == fake::kDefaultVm || gfn >= fake::kGfns)
		return;
	/* Past gmem, as on a kernel whose ioctl is not taken over: no file may convert. */
	for (const RealSlot &slot : slots_) {
		if (slot.used && slot.expected.mappable && slot.expected.vm == vm &&
		    slot.expected.gfns().overlaps(gfns))
			return;
	}
	fake::set_private(vm, gfns.start, gfns.end, op.c % 8 != 5);
}

} /* namespace model */
