// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that moves to another VM (machine.h, docs/link.md), and what is left of the
 * view that it came from.
 */
#include "kunit/model/machine.h"

#include <algorithm>

#include "kunit/fakes/files.h"
#include "kunit/fakes/pci_hole.h"
#include "kunit/fakes/platform.h"
#include "kunit/fakes/share.h"

namespace model
{

void Machine::link(const Op &op)
{
	const int n = some_file(op.a);
	File &file = files_[n];
	struct kvm *const to = vms_[op.b % kVms];

	if (!file.open || !to || stale_.size() == kStale)
		return;
	/* A module has one platform: of software-protected VMs all or none are plain. */
	const kapi_platform platform = platform_of(to);

	if (file.vm->type == fake::kSwProtectedVm && to->type == file.vm->type &&
	    file.keeps != (platform == KAPI_PLATFORM_NONE))
		return;
	const bool denied = op.c % 16 == 15;

	fake::set_platform(platform);
	fake::deny_memory_of(denied ? file.vm : nullptr);
	const int fd = fake::link(to, real_[n].fd);

	fake::deny_memory_of(nullptr);
	fake::set_platform(KAPI_PLATFORM_NONE);
	if (file.vm == to || file.vm->type != to->type)
		return expect(fd == -EINVAL, "memory is linked to a VM that cannot have it");
	if (!file.keeps)
		return expect(fd == -EOPNOTSUPP, "memory that is a platform's is linked");
	if (denied)
		return expect(fd == -EPERM, "memory is linked without a right to it");
	if (fake::fail_fired())
		return expect(fd == -ENOMEM || fd == -EMFILE || fd == -ENFILE,
			      "error of a failed link");
	expect(fd >= 0, "link");
	check_guests(n, { 0, file.size() });
	file.ran = file.ran || file.vm->ran;
	forget(n);
	stale_.push_back({ real_[n].fd, n, file.size() });
	real_[n].fd = fd;
	file.vm = to;
	if (op.c & 1)
		return;
	/* The next steps: the new VM gets a memslot of the memory, and populates a page. */
	const std::uint8_t at = op.c / 2 % kSlots;
	constexpr std::uint16_t kAll = 7 << 8;
	std::uint16_t page = op.x % std::min(file.size(), kStruck);

	while (page && !file.pages[page].is.faulted())
		page--;
	bind({ Kind::Bind, static_cast<std::uint8_t>(n), at, 0, kAll, 0 });
	populate({ Kind::Populate, 0, at, 2, page, 1 }, false);
}

/* Memslots and consumers of a file's one view forget it. */
void Machine::forget(int n)
{
	expect_unmapped(n, { 0, files_[n].size() });
	for (RealSlot &slot : slots_) {
		if (slot.used && slot.expected.file == n)
			slot.expected.file = -1;
	}
	for (Consumer &c : consumers_) {
		if (c.used && c.file == n)
			c.file = -1;
	}
}

/* The descriptor of before the link: it still shows shared pages to user space, no more. */
void Machine::stale(const Op &op)
{
	if (stale_.empty())
		return;
	const auto it = stale_.begin() + op.a % stale_.size();

	switch (op.b % 4) {
	case 0:
		fake::close_fd(it->fd);
		stale_.erase(it);
		return;
	case 1:
		return expect(
			fake::fallocate(fake::file_at(it->fd), op.c & 1, op.x << 12, 1 << 12) ==
				(op.c & 1 || op.x < it->size ? -ESTALE : -EINVAL),
			"fallocate of a view that is no more");
	case 2:
		if (it->file >= 0 && files_[it->file].mappable && files_[it->file].open)
			touch_at(it->file, op.x % files_[it->file].size(), op.c & 1, it->fd);
		return;
	}
}

void Machine::drop_stale()
{
	for (const Stale &view : stale_)
		fake::close_fd(view.fd);
	stale_.clear();
}

} /* namespace model */
