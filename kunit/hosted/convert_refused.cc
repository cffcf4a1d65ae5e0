// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversions that cannot be, and why: pins, poison, consumers, signals. Nothing has
 * changed then, and the error names the first page in the way. And consumers whose
 * unmapping fails when it is too late for that.
 *
 * Tests: gmem/conversion.cc, gmem/consumers.cc.
 */
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

/* A consumer beside KVM's memslots. */
class Consumer final : public Binding {
    public:
	Consumer(const GuestFile &to, std::uint64_t start, std::uint64_t end)
		: Binding(pages(start, end)), file_(to)
	{
		ExclusiveLock lock{ file_ };

		EXPECT(File::of(file_.handle)->bindings().add(*this).ok());
	}
	~Consumer()
	{
		if (!file_.handle)
			return;
		ExclusiveLock lock{ file_ };

		File::of(file_.handle)->bindings().remove(*this);
	}

	bool shows_private(IndexRange) const override { return false; }
	Status prepare_convert(IndexRange range, Share to) override
	{
		prepared = range;
		prepares++;
		last_to = to;
		return refusal;
	}
	void begin(IndexRange) override { begins++; }
	void unmap(IndexRange range) override
	{
		unmaps++;
		unmapped = range;
		if (!failing.empty())
			file_.inode().unmap_failed(failing);
	}
	void converted(IndexRange range, Share to) override
	{
		EXPECT(range == unmapped && begins == ends + 1);
		conversions++;
		last_to = to;
	}
	void end(IndexRange) override { ends++; }
	void file_closed() override {}
	void destroy() override {}

	Status refusal;
	IndexRange failing, prepared, unmapped;
	unsigned prepares = 0, begins = 0, unmaps = 0, conversions = 0, ends = 0;
	Share last_to = Share::kShared;

    private:
	struct ExclusiveLock {
		explicit ExclusiveLock(const GuestFile &f) : inode(f.inode().handle())
		{
			kapi_inode_lock(inode);
		}
		~ExclusiveLock() { kapi_inode_unlock(inode); }
		struct inode *inode;
	};

	const GuestFile &file_;
};

/* Holds pages, whatever kind they are. */
class Indifferent final : public Binding {
    public:
	explicit Indifferent(IndexRange range) : Binding(range) {}

	bool shows_private(IndexRange) const override { return false; }
	void begin(IndexRange) override {}
	void unmap(IndexRange) override { unmaps++; }
	void end(IndexRange) override {}
	void file_closed() override {}
	void destroy() override {}

	unsigned unmaps = 0;
};

void a_holder_need_not_mind()
{
	const Guest g{ 16, kInitShared };
	const GuestFile file{ g.vm, 512, kInitShared };
	Bindings &bindings = File::of(file.handle)->bindings();
	Indifferent holder{ pages(3, 9) };

	kapi_inode_lock(file.inode().handle());
	EXPECT(bindings.add(holder).ok());
	kapi_inode_unlock(file.inode().handle());
	EXPECT_EQ(file.convert(0, 512, Share::kPrivate), 0);
	EXPECT_EQ(file.convert(9, 512, Share::kShared), 0);
	EXPECT_EQ(holder.unmaps, 1u);
	kapi_inode_lock(file.inode().handle());
	bindings.remove(holder);
	kapi_inode_unlock(file.inode().handle());
}

void a_pin_is_in_the_way()
{
	const Guest g{ 1024, kInitShared };
	std::uint64_t at = 0;

	for (const unsigned index : { 0u, 5u, 511u, 512u, 1023u }) {
		EXPECT(g.file.user_write(index, index + 1));
		struct page *const pinned = g.file.pin(index);

		REQUIRE(pinned);
		EXPECT_EQ(g.file.convert(0, 1024, Share::kPrivate, &at), -EAGAIN);
		EXPECT_EQ(at, index);
		EXPECT(g.file.shared(0, 1024));
		EXPECT(g.attributes(0, 1024, false));
		/* Mappings come back by themselves. */
		EXPECT_EQ(g.file.user_read(index), index + 1);
		/* Pages that are not pinned can be converted. */
		if (index)
			EXPECT_EQ(g.file.convert(0, index, Share::kPrivate), 0);
		EXPECT_EQ(g.file.convert(index, 1024, Share::kPrivate, &at), -EAGAIN);
		EXPECT_EQ(at, index);
		fake::user_unpin(pinned);
		EXPECT_EQ(g.file.convert(0, 1024, Share::kPrivate), 0);
		EXPECT_EQ(g.read(index), index + 1);
		EXPECT_EQ(g.file.convert(0, 1024, Share::kShared), 0);
	}
}

void the_first_of_several_pins_is_named()
{
	const Guest g{ 1024, kInitShared };
	struct page *const low = g.file.pin(300), *const high = g.file.pin(600);
	std::uint64_t at = 0;

	REQUIRE(low && high);
	EXPECT_EQ(g.file.convert(100, 1024, Share::kPrivate, &at), -EAGAIN);
	EXPECT_EQ(at, 300u);
	fake::user_unpin(low);
	EXPECT_EQ(g.file.convert(100, 1024, Share::kPrivate, &at), -EAGAIN);
	EXPECT_EQ(at, 600u);
	/* Made shared, which it is already: nothing to ask. */
	EXPECT_EQ(g.file.convert(0, 1024, Share::kShared), 0);
	fake::user_unpin(high);
	EXPECT_EQ(g.file.convert(100, 1024, Share::kPrivate), 0);
}

/* Only pages that change are looked at. */
void references_of_private_pages_do_not_matter()
{
	const Guest g{ 512, kInitShared };

	EXPECT_EQ(g.file.convert(5, 6, Share::kPrivate), 0);
	EXPECT(g.write(5, 77));
	struct page *const page = g.file.cached(5);

	kapi_page_get(page);
	EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate), 0);
	/* Nor does the reference matter to making the page shared: the host may have it then. */
	EXPECT_EQ(g.file.convert(0, 512, Share::kShared), 0);
	EXPECT_EQ(g.file.user_read(5), 77u);
	kapi_page_put(page);
}

void references_for_a_moment_are_waited_for()
{
	const Guest g{ 512, kInitShared };

	for (const unsigned sleeps : { 1u, 2u, 20u, 39u }) {
		EXPECT(g.file.user_write(5, 77));
		fake::hold_until_sleep(g.file.cached(5), sleeps);
		const unsigned long before = fake::times_slept();

		EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate), 0);
		EXPECT_EQ(fake::times_slept(), before + sleeps);
		EXPECT_EQ(g.read(5), 77u);
		EXPECT_EQ(g.file.convert(0, 512, Share::kShared), 0);
	}
	/* In one of the kernel's batches: they are drained once, soon. */
	EXPECT(g.file.user_write(5, 78));
	fake::hold_until_drained(g.file.cached(5));
	const unsigned long drained = fake::batches_drained(), slept = fake::times_slept();

	EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate), 0);
	EXPECT_EQ(fake::batches_drained(), drained + 1);
	EXPECT(fake::times_slept() <= slept + 2);
	EXPECT_EQ(g.file.convert(0, 512, Share::kShared), 0);
	/* No reference, no wait. */
	const unsigned long idle = fake::times_slept();

	EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate), 0);
	EXPECT_EQ(fake::times_slept(), idle);
	EXPECT_EQ(fake::batches_drained(), drained + 1);
}

void a_long_reference_is_a_pin()
{
	const Guest g{ 512, kInitShared };
	std::uint64_t at = 0;

	EXPECT(g.file.user_write(5, 77));
	fake::hold_until_sleep(g.file.cached(5), 60);
	EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate, &at), -EAGAIN);
	EXPECT_EQ(at, 5u);
	EXPECT(g.file.shared(0, 512));
	EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate), 0);
}

void poison_is_in_the_way()
{
	const Guest g{ 1024, kInitShared };
	std::uint64_t at = 0;

	EXPECT(g.file.user_write(5, 77) && g.file.user_write(600, 78));
	EXPECT(fake::memory_failure(g.file.inode().handle(), 600));
	fake::return_to_user();
	EXPECT_EQ(g.file.convert(0, 1024, Share::kPrivate, &at), -EHWPOISON);
	EXPECT_EQ(at, 600u);
	EXPECT(g.file.shared(0, 1024) && g.attributes(0, 1024, false));
	EXPECT_EQ(g.file.user_read(5), 77u);
	EXPECT_EQ(g.file.convert(0, 600, Share::kPrivate), 0);
	EXPECT_EQ(g.file.convert(601, 1024, Share::kPrivate), 0);
	EXPECT_EQ(g.file.convert(600, 601, Share::kPrivate, &at), -EHWPOISON);
	EXPECT_EQ(at, 600u);
	/* Poison of a private page does the same, unless the page is as wanted already. */
	EXPECT_EQ(g.read(5), 77u);
	EXPECT(fake::memory_failure(g.file.inode().handle(), 5));
	fake::return_to_user();
	EXPECT_EQ(g.file.convert(0, 600, Share::kPrivate), 0);
	EXPECT_EQ(g.file.convert(0, 600, Share::kShared, &at), -EHWPOISON);
	EXPECT_EQ(at, 5u);
	EXPECT(g.file.is_private(0, 600));
	/* Once the page is gone there is nothing to lose. */
	EXPECT_EQ(g.file.punch(5, 6), 0);
	EXPECT_EQ(g.file.convert(0, 600, Share::kShared), 0);
	EXPECT_EQ(g.file.user_read(5), 0u);
}

/* A pin, a consumer and poison are in one range. */
void the_first_of_several_causes_is_named()
{
	const Guest g{ 16, kInitShared };
	const GuestFile file{ g.vm, 1024, kInitShared };
	std::uint64_t at = 0;

	for (const unsigned index : { 5u, 300u, 600u })
		EXPECT(file.user_write(index, index));
	EXPECT(fake::memory_failure(file.inode().handle(), 300));
	fake::return_to_user();

	struct page *const low = file.pin(5), *const high = file.pin(600);

	REQUIRE(low && high);
	EXPECT_EQ(file.convert(0, 1024, Share::kPrivate, &at), -EAGAIN);
	EXPECT_EQ(at, 5u);
	fake::user_unpin(low);
	EXPECT_EQ(file.convert(0, 1024, Share::kPrivate, &at), -EHWPOISON);
	EXPECT_EQ(at, 300u);
	EXPECT_EQ(file.convert(300, 1024, Share::kPrivate, &at), -EHWPOISON);
	EXPECT_EQ(at, 300u);
	{
		Consumer before{ file, 100, 200 }, after{ file, 400, 500 };

		before.refusal = after.refusal = error(EBUSY);
		/* As long as a page is lost, no consumer is asked. */
		EXPECT_EQ(file.convert(0, 1024, Share::kPrivate, &at), -EHWPOISON);
		EXPECT_EQ(at, 300u);
		EXPECT_EQ(before.prepares + after.prepares, 0u);
		/* All consumers are asked before the pin is waited for. */
		EXPECT_EQ(file.convert(301, 1024, Share::kPrivate, &at), -EBUSY);
		EXPECT_EQ(at, 400u);
	}
	EXPECT_EQ(file.convert(301, 1024, Share::kPrivate, &at), -EAGAIN);
	EXPECT_EQ(at, 600u);
	EXPECT(file.shared(0, 1024));
	fake::user_unpin(high);
	EXPECT_EQ(file.convert(301, 1024, Share::kPrivate), 0);
}

void a_consumer_may_refuse()
{
	Guest g{ 1024, kInitShared };
	const GuestFile file{ g.vm, 1024, kInitShared };
	Consumer first{ file, 100, 200 }, second{ file, 700, 800 };
	std::uint64_t at = 0;

	EXPECT(file.user_write(5, 77));
	second.refusal = error(EBUSY);
	EXPECT_EQ(file.convert(0, 1024, Share::kPrivate, &at), -EBUSY);
	EXPECT_EQ(at, 700u);
	EXPECT(first.prepared == pages(100, 200) && second.prepared == pages(700, 800));
	EXPECT(second.last_to == Share::kPrivate);
	EXPECT_EQ(first.begins + second.begins, 0u);
	EXPECT(file.shared(0, 1024));
	/* The first consumer that refuses decides, with an error of its own. */
	first.refusal = error(EACCES);
	EXPECT_EQ(file.convert(150, 1024, Share::kPrivate, &at), -EACCES);
	EXPECT_EQ(at, 150u);
	EXPECT(first.prepared == pages(150, 200));
	/* Beside them, it is not asked. */
	EXPECT_EQ(file.convert(200, 700, Share::kPrivate), 0);
	first.refusal = second.refusal = Status{};
	EXPECT_EQ(file.convert(0, 1024, Share::kPrivate), 0);
	EXPECT_EQ(first.conversions, 1u);
	EXPECT(first.unmapped == pages(100, 200) && first.last_to == Share::kPrivate);
	EXPECT_EQ(file.convert(120, 130, Share::kShared), 0);
	EXPECT(first.unmapped == pages(120, 130) && first.last_to == Share::kShared);
	/* Made shared it is asked as well. */
	first.refusal = error(EBUSY);
	EXPECT_EQ(file.convert(0, 1024, Share::kShared, &at), -EBUSY);
	EXPECT_EQ(at, 100u);
	EXPECT(first.last_to == Share::kShared);
	EXPECT_EQ(first.begins, first.ends);
}

/* A page that a consumer could not unmap is lost. The conversion stands. */
void a_failed_unmap_loses_the_page()
{
	for (const bool to_private : { false, true }) {
		Guest g{ 16, kInitShared };
		const GuestFile file{ g.vm, 1024, to_private ? kInitShared : kMmap };
		struct kvm_memory_slot *slot;

		EXPECT_EQ(fake::slot_add(g.vm, 4096, 512, file.fd, 0, &slot), 0);
		for (unsigned i = 0; i < 16; i++)
			EXPECT(g.write(4096 + i, 100 + i));
		{
			Consumer consumer{ file, 512, 1024 };
			std::uint64_t pfn[2];

			EXPECT_EQ(fake::fallocate(file.handle, false, 512 * kPageSize,
						  512 * kPageSize),
				  0);
			for (unsigned i = 0; i < 2; i++)
				pfn[i] = kapi_page_pfn(file.cached(600 + i));
			consumer.failing = pages(600, 602);
			EXPECT_EQ(file.convert(0, 1024, private_if(to_private)), 0);
			consumer.failing = {};
			/* The rest of the conversion stands. */
			EXPECT(to_private ? file.is_private(0, 1024) : file.shared(0, 1024));
			EXPECT_EQ(g.read(4096 + 5), 105u);
			/* The loss shows at the next touch, and at the next conversion. */
			EXPECT_EQ(file.touch(600), to_private ? -EFAULT : -EHWPOISON);
			std::uint64_t at = 0;

			EXPECT_EQ(file.convert(0, 1024, private_if(!to_private), &at), -EHWPOISON);
			EXPECT_EQ(at, 600u);
			EXPECT_EQ(file.convert(602, 1024, private_if(!to_private)), 0);
			EXPECT_EQ(file.convert(602, 1024, private_if(to_private)), 0);
			if (!to_private)
				EXPECT_EQ(file.user_read(599), 0u);
			/* Never handed out again. */
			EXPECT_EQ(file.punch(512, 1024), 0);
			EXPECT_EQ(file.store().stats().get(KAPI_STAT_LEAKED), 2);
			EXPECT_EQ(fake::page_of_pfn(pfn[0])->refs.load(), 1);
			fake::page_of_pfn(pfn[0])->leaked = true;
			fake::page_of_pfn(pfn[1])->leaked = true;
			EXPECT_EQ(file.convert(0, 1024, Share::kShared), 0);
			EXPECT_EQ(file.user_read(600), 0u);
			EXPECT(kapi_page_pfn(file.cached(600)) != pfn[0] &&
			       kapi_page_pfn(file.cached(600)) != pfn[1]);
		}
		fake::slot_delete(g.vm, slot);
	}
}

void a_failed_unmap_of_a_memslots_page()
{
	const Guest g{ 512, kInitShared };
	struct page *const page = (g.write(5, 77), g.file.cached(5));

	EXPECT_EQ(g.order(5), static_cast<int>(kRunOrder));
	g.file.inode().unmap_failed(pages(5, 6));
	/* A page that is not there cannot be lost. */
	EXPECT_EQ(g.file.punch(6, 7), 0);
	g.file.inode().unmap_failed(pages(6, 7));
	EXPECT_EQ(g.access(6), 0);
	EXPECT_EQ(g.access(5), -EHWPOISON);
	EXPECT_EQ(g.file.touch(5), -EHWPOISON);
	EXPECT_EQ(g.file.punch(0, 512), 0);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_LEAKED), 1);
	page->leaked = true;
	EXPECT_EQ(g.access(5), 0);
}

/* A signal is no error of its own: the caller is told that the page is in use. */
void a_signal_ends_the_waiting()
{
	const Guest g{ 2048, kInitShared };
	std::uint64_t at = 0;

	EXPECT(g.file.user_write(5, 77));
	struct page *const pinned = g.file.pin(5);
	const unsigned long slept = fake::times_slept();

	fake::set_signal_after(8);
	EXPECT_EQ(g.file.convert(0, 2048, Share::kPrivate, &at), -EAGAIN);
	EXPECT(fake::times_slept() < slept + 10);
	EXPECT_EQ(at, 5u);
	EXPECT(g.file.shared(0, 2048) && g.attributes(0, 2048, false));
	EXPECT_EQ(g.file.user_read(5), 77u);
	/* Of the VM's ioctl likewise. */
	fake::set_signal_after(8);
	EXPECT_EQ(fake::set_attributes(g.vm, 0, 2048, true), -EAGAIN);
	EXPECT(fake::times_slept() < slept + 20);
	EXPECT(g.file.shared(0, 2048));
	fake::user_unpin(pinned);
	/* Where nothing is waited for it makes no difference. */
	for (unsigned n = 1; n <= 6; n++) {
		fake::set_signal_after(n);
		EXPECT_EQ(g.file.convert(0, 2048, Share::kPrivate), 0);
		EXPECT_EQ(g.file.convert(0, 2048, Share::kShared), 0);
	}
	fake::set_signal_after(0);
}

/* Touched again and again, the mapping goes each time it is looked at. */
void mappings_that_come_back()
{
	const Guest g{ 512, kInitShared };
	unsigned sleeps = 0;

	EXPECT(g.file.user_write(5, 77));
	EXPECT_EQ(g.file.touch(7), 0);
	fake::hold_until_sleep(g.file.cached(7), 3);
	fake::set_on_sleep([&] {
		/* As a fault that was under way: it has the page, not the lock. */
		struct page *const page = g.file.cached(5);

		if (sleeps++ < 2) {
			kapi_page_get(page);
			page->user_mapped++;
		}
	});
	EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate), 0);
	fake::set_on_sleep(nullptr);
	EXPECT(sleeps >= 2);
	EXPECT(!g.file.mapped(5));
	EXPECT_EQ(g.file.touch(5), -EFAULT);
}

} /* namespace */

GMEM_SUITE(convert_refused, CASE(a_holder_need_not_mind), CASE(a_pin_is_in_the_way),
	   CASE(the_first_of_several_pins_is_named),
	   CASE(references_of_private_pages_do_not_matter),
	   CASE(references_for_a_moment_are_waited_for), CASE(a_long_reference_is_a_pin),
	   CASE(poison_is_in_the_way), CASE(the_first_of_several_causes_is_named),
	   CASE(a_consumer_may_refuse), CASE(a_failed_unmap_loses_the_page),
	   CASE(a_failed_unmap_of_a_memslots_page), CASE(a_signal_ends_the_waiting),
	   CASE(mappings_that_come_back));
