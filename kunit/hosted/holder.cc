// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holders of pages (gmem/holder.h): which pages each may be given, beside a conversion, a
 * link, and after what another holder has done.
 *
 * Tests: gmem/holder.cc, mmu/faults.cc.
 */
#include <memory>

#include <gmem/consumer.h>
#include <uapi/gmem.h>

#include "kunit/fakes/holds.h"
#include "kunit/fakes/sched.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kOld = 0x01d, kNew = 0x2e;
constexpr std::uint64_t kGiant = 1ull << kGiantOrder;

std::unique_ptr<Guest> g;

void start(bool is_private)
{
	g = std::make_unique<Guest>(512, kInitShared);
	for (unsigned i = 0; i < 8; i++)
		EXPECT(g->file.user_write(i, kOld + i));
	if (is_private)
		EXPECT_EQ(g->file.convert(0, 512, Share::kPrivate), 0);
}

void finish()
{
	fake::check_shares();
	g.reset();
	fake::check_clean();
}

void explore(unsigned bound, fake::sched::Scenario scenario)
{
	EXPECT(fake::sched::explore(scenario, bound) > 10);
}

/* ---- the kernel for itself --------------------------------------------------------- */

void convert(std::uint64_t start_at, std::uint64_t end, Share to)
{
	const int ret = g->file.convert(start_at, end, to);

	EXPECT(ret == 0 || (ret == -EAGAIN && to == Share::kPrivate));
}

/* As for a nested guest, for as long as it likes. */
void hold(std::uint64_t gfn)
{
	const fake::KernelHold held{ g->vm, gfn };

	EXPECT(held.error() == 0 || held.error() == -EINVAL);
	if (held.error())
		return;
	EXPECT_EQ(held.page()->content.load(), kOld + gfn);
	EXPECT(g->file.shared(gfn, gfn + 1));
	fake::sched::step("the nested guest runs");
	EXPECT(g->file.shared(gfn, gfn + 1));
}

void a_page_in_kvms_hands_stays_shared()
{
	{
		const Guest one{ 512, kInitShared };

		EXPECT(one.write(5, kOld));
		{
			const fake::KernelHold held{ one.vm, 5 };

			EXPECT_EQ(held.error(), 0);
			EXPECT_EQ(one.file.convert(0, 512, Share::kPrivate), -EAGAIN);
		}
		EXPECT_EQ(one.file.convert(0, 512, Share::kPrivate), 0);
		EXPECT_EQ(fake::KernelHold(one.vm, 5).error(), -EINVAL);
	}
	/* One that is there, and one that is not yet. */
	for (const bool there : { true, false }) {
		explore(2, { [=] {
				    start(false);
				    if (there)
					    return;
				    EXPECT_EQ(g->file.punch(5, 6), 0);
				    EXPECT_EQ(g->file.inode().store().stats().get(KAPI_STAT_PAGES),
					      511);
			    },
			     { [] { convert(4, 7, Share::kPrivate); },
			       [=] {
				       if (there)
					       return hold(5);
				       const fake::KernelHold held{ g->vm, 5 };

				       if (held.page())
					       EXPECT(g->file.shared(5, 6));
			       } },
			     finish });
	}
	explore(2, { [] { start(true); },
		     { [] {
			      convert(4, 7, Share::kShared);
			      convert(5, 6, Share::kPrivate);
		      },
		       [] { hold(5); } },
		     finish });
	explore(1, { [] { start(false); },
		     { [] { convert(4, 7, Share::kPrivate); }, [] { hold(5); }, [] { hold(6); } },
		     finish });
}

/* A page that KVM holds stays as it is until KVM lets go, punched or its file closed. */
void kvm_itself_beside_a_hole_and_the_end()
{
	for (const bool hole : { true, false }) {
		explore(2, { [] { start(false); },
			     { [=] {
				      if (hole)
					      EXPECT_EQ(g->file.punch(5, 6), 0);
				      else
					      g->file.close();
			      },
			       [] {
				       const fake::KernelHold held{ g->vm, 5 };
				       const std::uint64_t content =
					       held.page() ? held.page()->content.load() : 0;

				       EXPECT(held.error() == 0 || held.error() == -EINVAL);
				       EXPECT(content == 0 || content == kOld + 5);
				       fake::sched::step("the nested guest runs");
				       if (held.page())
					       EXPECT_EQ(held.page()->content.load(), content);
			       } },
			     [] {
				     g.reset();
				     fake::check_clean();
			     } });
	}
}

/* Asked for a private page, the kernel gets it, or is told that the page is not private. */
void outside_of_a_fault_there_is_no_stand_in()
{
	int error;

	{
		const Guest one{ 512, kInitShared };
		const std::uint64_t seq = one.vm->invalidate_seq;

		EXPECT(fake::kernel_get_page(one.vm, 5, &error) == nullptr);
		EXPECT_EQ(error, -EAGAIN);
		/* No fault has to be tried again for it. */
		EXPECT_EQ(one.vm->invalidate_seq.load(), seq);
		EXPECT_EQ(one.file.convert(5, 6, Share::kPrivate), 0);
		struct page *const page = fake::kernel_get_page(one.vm, 5, &error);

		REQUIRE(page != nullptr);
		EXPECT(page == one.file.cached(5));
		kapi_page_put(page);
	}
	for (const bool to_private : { true, false }) {
		explore(3, { [=] { start(!to_private); },
			     { [=] { convert(4, 7, private_if(to_private)); },
			       [] {
				       int ret;
				       struct page *const page = fake::kernel_get_page(g->vm, 5,
										       &ret);

				       EXPECT(page ? ret == 0 : ret == -EAGAIN);
				       if (page)
					       kapi_page_put(page);
			       } },
			     finish });
	}
}

/* A guest's fault alone, before it runs, leaves a page that can be populated. */
void what_the_kernel_has_had_is_not_populated()
{
	const Guest one{ 512 };
	Filler filler;
	int error;

	EXPECT_EQ(fake::prefault(one.vm, 5), 0);
	EXPECT_EQ(filler.populate(one.vm, 5, 1), 1);
	struct page *const page = fake::kernel_get_page(one.vm, 6, &error);

	REQUIRE(page != nullptr);
	kapi_page_put(page);
	EXPECT_EQ(filler.populate(one.vm, 6, 1), -EEXIST);
}

/* KVM finds the pages of shared faults by a function that others may call, too. */
void a_shared_page_outside_of_a_fault()
{
	const Guest one{ 512, kInitShared };
	const auto pfn = [&] {
		return gmem_kvm_slot_pfn(one.slot, 5, false, false, nullptr, true, nullptr,
					 nullptr);
	};

	EXPECT(one.write(5, kOld));
	const kapi_u64 found = pfn();

	REQUIRE(found != kapi_pfn_error());
	EXPECT(fake::page_of_pfn(found) == one.file.cached(5));
	EXPECT_EQ(one.file.convert(5, 6, Share::kPrivate), -EAGAIN);
	kapi_page_put(fake::page_of_pfn(found));
	EXPECT_EQ(one.file.convert(5, 6, Share::kPrivate), 0);
	EXPECT_EQ(pfn(), kapi_pfn_error());
}

/* ---- linking ------------------------------------------------------------------------- */

/* A VM that takes over the memory of @g. */
struct Heir {
	Heir() : vm(world_vm(fake::kSwProtectedVm)) {}
	~Heir()
	{
		if (slot)
			fake::slot_delete(vm, slot);
		if (fd >= 0)
			fake::close_fd(fd);
		world_vm_put(vm);
	}
	Heir(const Heir &) = delete;
	Heir &operator=(const Heir &) = delete;

	void take(int from)
	{
		fd = fake::link(vm, from);
		REQUIRE(fd >= 0);
		EXPECT_EQ(fake::slot_add(vm, 0, 512, fd, 0, &slot), 0);
	}
	struct file *file() const { return fake::file_at(fd); }

	struct kvm *vm;
	struct kvm_memory_slot *slot = nullptr;
	int fd = -1;
};

std::unique_ptr<Heir> heir;

/* A page that KVM held for the first VM stays shared while KVM holds it, and no longer. */
void what_kvm_holds_at_a_link()
{
	const Guest one{ 512, kInitShared };
	Heir next;

	EXPECT(one.write(5, kOld));
	{
		const fake::KernelHold held{ one.vm, 5 };

		next.take(one.file.fd);
		EXPECT_EQ(fake::KernelHold(one.vm, 6).error(), -EINVAL);
		EXPECT_EQ(fake::convert(next.file(), 5, 6, true), -EAGAIN);
		/* KVM writes to the page that user space's mappings show. They stay, too. */
		held.page()->content = kNew;
		EXPECT_EQ(one.file.user_read(5), kNew);
	}
	EXPECT_EQ(fake::convert(next.file(), 5, 6, true), 0);
}

/* KVM looked at the memslot before the link: it gets no page that came after the link. */
void kvm_itself_beside_a_link()
{
	explore(3,
		{ [] {
			 start(false);
			 heir = std::make_unique<Heir>();
		 },
		  { [] {
			   std::uint64_t *content;

			   heir->take(g->file.fd);
			   EXPECT_EQ(fake::fallocate(heir->file(), true, 5 * kPageSize, kPageSize),
				     0);
			   EXPECT_EQ(fake::user_touch(heir->file(), 5, &content), 0);
			   *content = kNew;
		   },
		    [] {
			    const fake::KernelHold held{ g->vm, 5 };

			    EXPECT(held.error() == 0 || held.error() == -EINVAL);
			    if (held.page())
				    EXPECT_EQ(held.page()->content.load(), kOld + 5);
		    } },
		  [] {
			  EXPECT_EQ(fake::KernelHold(g->vm, 5).error(), -EINVAL);
			  fake::check_shares();
			  heir.reset();
			  finish();
		  } });
}

/* The file is another VM's: every call by the old descriptor says so. */
void a_linked_files_ioctls_are_stale()
{
	const Guest one{ 512 };
	Heir next;
	File &file = *one.file.core();
	gmem_launch_populate populate{};
	gmem_launch_finish end{};
	gmem_launch_measurement measurement{};
	struct kvm_memory_slot *slot;

	populate.npages = 1;
	next.take(one.file.fd);
	EXPECT_EQ(gmem_file_populate(fake::file_at(one.file.fd), &file, &populate), -ESTALE);
	EXPECT_EQ(gmem_file_finish(&file, &end), -ESTALE);
	EXPECT_EQ(gmem_file_measurement(&file, &measurement), -ESTALE);
	EXPECT_EQ(fake::slot_add(one.vm, 4096, 512, one.file.fd, 0, &slot), -ESTALE);
	EXPECT_EQ(fake::slot_add(next.vm, 4096, 512, one.file.fd, 0, &slot), -ESTALE);
}

/* ---- consumers ----------------------------------------------------------------------- */

/* A consumer that has nothing mapped. */
class Reader {
    public:
	Reader(int fd, std::uint64_t start, std::uint64_t end)
	{
		struct file *file;

		EXPECT_EQ(gmem_file_get(static_cast<unsigned>(fd), &file), 0);
		EXPECT_EQ(gmem_consumer_bind(file, start, end, &kQuietOps, nullptr,
					     GMEM_CONSUMER_SHARED, &handle_),
			  0);
		gmem_file_put(file);
	}
	~Reader() { gmem_consumer_unbind(handle_); }
	Reader(const Reader &) = delete;
	Reader &operator=(const Reader &) = delete;

	/* The order that the private page at @index comes with. */
	unsigned read(std::uint64_t index) const
	{
		struct page *page;
		unsigned order = 99;

		if (gmem_consumer_get_page(handle_, index, true, &page, &order) == 0)
			gmem_consumer_put_page(page);
		return order;
	}

    private:
	struct gmem_consumer *handle_ = nullptr;
};

/* A file of @npages, and a memslot of all of it at @gfn. */
struct Shown {
	Shown(std::uint64_t npages, std::uint64_t gfn) : file(npages)
	{
		EXPECT_EQ(fake::slot_add(file.vm, gfn, npages, file.fd, 0, &slot), 0);
	}
	~Shown() { fake::slot_delete(file.vm, slot); }
	Shown(const Shown &) = delete;
	Shown &operator=(const Shown &) = delete;

	TestFile file;
	struct kvm_memory_slot *slot = nullptr;
};

/* The attributes of other gfns than the file's do not count. */
void a_consumer_asks_where_the_page_is()
{
	{
		const Shown shown{ 1024, 4096 };
		const Reader reader{ shown.file.fd, 0, 1024 };

		/* At gfn 0 nothing is private; where the file is, all but a page. */
		fake::set_private(shown.file.vm, 0, 512, false);
		fake::set_private(shown.file.vm, 4096 + 600, 4096 + 601, false);
		EXPECT_EQ(reader.read(5), kRunOrder);
		EXPECT_EQ(reader.read(700), 0u);
		EXPECT_EQ(shown.file.cached_pages(0, 1024), 513u);
	}
	{
		/* No block of the file is one of gfns. */
		const Shown shown{ 1024, 4097 };
		const Reader reader{ shown.file.fd, 0, 1024 };

		EXPECT_EQ(reader.read(5), 0u);
		EXPECT_EQ(shown.file.cached_pages(0, 1024), 1u);
	}
	{
		/* Two memslots share the run. */
		const TestFile file{ 512 };
		struct kvm_memory_slot *slots[2];

		EXPECT_EQ(fake::slot_add(file.vm, 4096, 100, file.fd, 0, &slots[0]), 0);
		EXPECT_EQ(fake::slot_add(file.vm, 8192 + 100, 412, file.fd, 100, &slots[1]), 0);
		EXPECT_EQ(Reader(file.fd, 0, 512).read(50), 0u);
		EXPECT_EQ(Reader(file.fd, 0, 512).read(200), 0u);
		for (struct kvm_memory_slot *const slot : slots)
			fake::slot_delete(file.vm, slot);
	}
	{
		/* Or one has a part of it, and not the page. */
		const TestFile file{ 512 };
		struct kvm_memory_slot *slot;

		EXPECT_EQ(fake::slot_add(file.vm, 4096, 100, file.fd, 0, &slot), 0);
		EXPECT_EQ(Reader(file.fd, 0, 512).read(200), 0u);
		fake::slot_delete(file.vm, slot);
	}
	{
		/* Shown nowhere: as the file was made, to the end of it. */
		const TestFile file{ 1000 };
		const Reader reader{ file.fd, 0, 1000 };

		fake::set_private(file.vm, 0, 512, false);
		EXPECT_EQ(reader.read(5), kRunOrder);
		EXPECT_EQ(reader.read(600), 0u);
	}
}

/* A consumer that is bound to [0, end) of what could be a giant reads a page of it. */
void read_first(std::uint64_t end, unsigned expected)
{
	fake::set_reserve(1);
	const Shown shown{ kGiant, kGiant };
	const Reader reader{ shown.file.fd, 0, end };
	unsigned order = 99;

	fake::set_private(shown.file.vm, 0, 512, false);
	EXPECT_EQ(reader.read(5), expected);
	EXPECT_EQ(shown.file.store().stats().get(KAPI_STAT_GIANTS), 1);
	EXPECT_EQ(fake::fault(shown.file.vm, kGiant + 9000, &order), 0);
	EXPECT_EQ(order, kGiantOrder);
}

void a_consumer_of_a_giant()
{
	read_first(kGiant, kGiantOrder);
}

/* However little of it the consumer is bound to. */
void a_consumer_of_a_part_leaves_a_giant_whole()
{
	read_first(512, kRunOrder);
}

void a_consumer_of_pages_leaves_a_giant_whole()
{
	read_first(6, 0);
}

} /* namespace */

GMEM_SUITE(holder, CASE(a_page_in_kvms_hands_stays_shared),
	   CASE(kvm_itself_beside_a_hole_and_the_end),
	   CASE(outside_of_a_fault_there_is_no_stand_in),
	   CASE(what_the_kernel_has_had_is_not_populated), CASE(a_shared_page_outside_of_a_fault),
	   CASE(what_kvm_holds_at_a_link), CASE(kvm_itself_beside_a_link),
	   CASE(a_linked_files_ioctls_are_stale), CASE(a_consumer_asks_where_the_page_is),
	   CASE(a_consumer_of_a_giant), CASE(a_consumer_of_a_part_leaves_a_giant_whole),
	   CASE(a_consumer_of_pages_leaves_a_giant_whole));
