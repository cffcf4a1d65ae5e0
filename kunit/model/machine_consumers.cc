// SPDX-License-Identifier: GPL-2.0-only
/*
 * Consumers of include/gmem/consumer.h beside KVM's memslots (machine.h): which ranges
 * each may bind, and that each is told of changes to its range and of nothing else.
 */
#include "kunit/model/machine.h"

#include <algorithm>

#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"

namespace model
{

const gmem_consumer_ops Machine::Consumer::kOps = {
	.owner = nullptr,
	.prepare = [](void *data, gmem_u64 start, gmem_u64 end, bool) -> int {
		Consumer &c = *static_cast<Consumer *>(data);

		c.wrong |= c.busy || !c.pages.covers({ start, end });
		return c.refuses ? -EBUSY : 0;
	},
	.failed =
		[](void *data, gmem_u64 start, gmem_u64 end, bool) {
			Consumer &c = *static_cast<Consumer *>(data);

			c.wrong |= c.busy || !c.pages.covers({ start, end });
			c.failed += end - start;
		},
	.begin =
		[](void *data, gmem_u64 start, gmem_u64 end) {
			Consumer &c = *static_cast<Consumer *>(data);

			c.wrong |= c.busy || c.releases || !c.pages.covers({ start, end });
			c.busy = true;
			c.begun = { start, end };
		},
	.unmap =
		[](void *data, gmem_u64 start, gmem_u64 end) {
			Consumer &c = *static_cast<Consumer *>(data);

			c.wrong |= !c.busy || !c.begun.covers({ start, end });
			c.unmapped += end - start;
		},
	.end =
		[](void *data, gmem_u64 start, gmem_u64 end) {
			Consumer &c = *static_cast<Consumer *>(data);

			c.wrong |= !c.busy || c.begun.start != start || c.begun.end != end;
			c.busy = false;
		},
	.converted =
		[](void *data, gmem_u64 start, gmem_u64 end, bool) {
			Consumer &c = *static_cast<Consumer *>(data);

			c.wrong |= !c.busy || !c.begun.covers({ start, end });
			c.converted += end - start;
		},
	.release =
		[](void *data) {
			Consumer &c = *static_cast<Consumer *>(data);

			c.wrong |= c.busy;
			c.releases++;
		},
};

int Machine::consumer_error(const Consumer &c) const
{
	if (c.pages.end > files_[c.file].size())
		return -EINVAL;
	for (const Consumer &other : consumers_) {
		if (other.used && other.file == c.file && other.pages.overlaps(c.pages) &&
		    !(other.coexists && c.coexists))
			return -EEXIST;
	}
	for (const RealSlot &slot : slots_) {
		if (slot.used && slot.expected.file == c.file && !c.coexists &&
		    slot.expected.pages.overlaps(c.pages))
			return -EEXIST;
	}
	return 0;
}

void Machine::consumer(const Op &op)
{
	Consumer &c = consumers_[op.b % kConsumers];
	const int n = some_file(op.a);

	if (c.used) {
		gmem_consumer_unbind(c.handle);
		fake::return_to_user();
		c = Consumer{};
		return;
	}
	/* Memslots of a VM that is out of reach are there still, and not known here. */
	if (!files_[n].open || (files_[n].vm != vms_[0] && files_[n].vm != vms_[1]))
		return;
	c.file = n;
	c.pages = span_in(files_[n], op);
	c.coexists = op.c % 4 != 0;
	/* Only one of them refuses, so that the order of asking does not matter. */
	c.refuses = op.b % kConsumers == 0 && op.c & 16;
	if (op.c % 32 == 31)
		c.pages.end = files_[n].size() + 1;

	const int error = consumer_error(c);
	struct file *file;

	expect(gmem_file_get(real_[n].fd, &file) == 0, "the file of a descriptor");
	const int ret = gmem_consumer_bind(file, c.pages.start, c.pages.end, &Consumer::kOps, &c,
					   c.coexists ? GMEM_CONSUMER_SHARED : 0, &c.handle);

	gmem_file_put(file);
	fake::return_to_user();
	expect(ret == (fake::fail_fired() ? -ENOMEM : error), "bind of a consumer");
	if (ret)
		c = Consumer{};
	else
		c.used = true;
}

/*
 * Whether the VM would use @block of a file as one, if a memslot shows the block; true
 * without such a memslot. The memslots of a VM out of reach count as well.
 */
bool Machine::used_as_one(int n, Span block) const
{
	struct kvm *const vm = files_[n].vm;

	for (const auto &slot : vm->slots) {
		const struct file *const file = slot->file;
		const Slot shown{
			vm, n, slot->base_gfn, { slot->pgoff, slot->pgoff + slot->npages }
		};

		if (!file || file->inode != real_[n].inode || !shown.pages.overlaps(block))
			continue;
		const std::uint64_t gfn = shown.gfn_of(block.start);

		return shown.shows_whole(block.start, block.size()) &&
		       kapi_kvm_range_private(vm, gfn, gfn + block.size());
	}
	return true;
}

void Machine::lend(const Op &op)
{
	Consumer &c = consumers_[op.b % kConsumers];

	if (!c.used)
		return;
	const std::uint64_t index = c.pages.start + op.x % (c.pages.end - c.pages.start + 1);
	const bool is_private = op.c & 1;
	const long blocks = fake::free_blocks();
	const unsigned reserve = kapi_pages_reserved();
	struct page *page = nullptr;
	unsigned order = 0;
	const int ret = gmem_consumer_get_page(c.handle, index, is_private, &page, &order);

	if (ret == 0)
		gmem_consumer_put_page(page);
	fake::return_to_user();
	if (c.file < 0)
		return expect(ret == -ESTALE, "a page of a file that is closed");
	if (index == c.pages.end)
		return expect(ret == -EINVAL, "a page behind what is bound");

	File &file = files_[c.file];
	const Span run = file.run_of(index);
	/* A page comes as for a guest. The bound range limits the order that is told. */
	const bool fits = file.has_run(index);
	const bool whole = fits && (file.mappable || used_as_one(c.file, run));

	if (is_private && !file.keeps)
		return expect(ret == -EOPNOTSUPP, "a page that is a guest's");
	if (file.pages[index].shared() == is_private)
		return expect(ret == (fake::fail_fired() ? -ENOMEM : -EAGAIN),
			      "a page of the other kind");
	if (file.size() == kGiant)
		expect_giant(file, used_as_one(c.file, { 0, kGiant }), reserve);
	if (fake::fail_fired()) {
		expect(ret == 0 || ret == -ENOMEM || (file.pages[index].bad() && ret == -EHWPOISON),
		       "error of a page that cannot be lent");
		adopt(c.file);
	} else {
		expect_fill(file, index, whole && blocks);
		if (file.pages[index].bad())
			strike(file.pages[index]);
		expect(ret == (file.pages[index].bad() ? -EHWPOISON : 0), "a page is lent");
	}
	if (ret == 0)
		expect_ready({ .file = c.file,
			       .index = index,
			       .fits = fits,
			       .one_kind = c.pages.covers(run) && file.one_kind(run) },
			     order);
}

void Machine::expect_unmapped(int n, Span pages)
{
	for (Consumer &c : consumers_) {
		if (c.used && c.file == n && c.pages.overlaps(pages))
			c.expected += c.pages.cut(pages).size();
	}
}

void Machine::expect_failed(int n, Span pages)
{
	for (Consumer &c : consumers_) {
		if (!c.used || c.file != n || !c.pages.overlaps(pages))
			continue;
		expect(c.failed >= c.pages.cut(pages).size(),
		       "a consumer does not hear of failure");
		c.failed -= c.pages.cut(pages).size();
	}
}

/* After each operation; what they were told is forgotten then. */
void Machine::check_consumers()
{
	for (Consumer &c : consumers_) {
		if (!c.used)
			continue;
		expect(!c.wrong && !c.busy, "a consumer is told the wrong thing");
		expect(c.releases == (c.file < 0), "a consumer hears of the end of its file");
		expect(!unmaps_known_ || c.unmapped == c.expected, "what a consumer unmaps");
		expect(c.failed == 0 || fake::fail_fired(),
		       "a consumer hears of a failure that was none");
		expect(c.converted == 0 || c.converted == c.unmapped, "a consumer and conversions");
		c.unmapped = c.converted = c.failed = c.expected = 0;
	}
	unmaps_known_ = true;
}

void Machine::drop_consumers()
{
	for (Consumer &c : consumers_) {
		if (c.used)
			gmem_consumer_unbind(c.handle);
		c = Consumer{};
	}
	fake::return_to_user();
}

} /* namespace model */
