// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_LINK_GUEST_MEMFD: the memory of one VM becomes another's as it is, and the
 * first has no way to it any more, whatever was under way.
 *
 * Tests: mmu/link.cc, gmem/file.cc.
 */
#include <memory>

#include <gmem/consumer.h>

#include "kunit/fakes/platform.h"
#include "kunit/fakes/sched.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kPages = 1024;

/* A VM that files are linked to, and its memslot on one. */
class Heir {
    public:
	explicit Heir(unsigned long type = fake::kSwProtectedVm) : vm(world_vm(type)) {}
	~Heir()
	{
		leave();
		world_vm_put(vm);
	}
	Heir(const Heir &) = delete;
	Heir &operator=(const Heir &) = delete;

	/* Takes the memory of the descriptor @from and shows it from gfn 0 on. */
	void take(int from, std::uint64_t npages = kPages)
	{
		fd = fake::link(vm, from);
		if (fd >= 0)
			EXPECT_EQ(fake::slot_add(vm, 0, npages, fd, 0, &slot), 0);
	}
	void leave()
	{
		if (slot)
			fake::slot_delete(vm, slot);
		if (fd >= 0)
			fake::close_fd(fd);
		slot = nullptr;
		fd = -1;
	}
	File &file() const { return *File::of(fake::file_at(fd)); }
	std::uint64_t read(std::uint64_t gfn) const
	{
		std::uint64_t content;

		return fake::fault_in(vm, gfn) || !fake::guest_read(vm, gfn, &content) ? kNothing
										       : content;
	}

	struct kvm *vm;
	struct kvm_memory_slot *slot = nullptr;
	int fd = -1;
};

bool write(const Guest &g, std::uint64_t gfn, std::uint64_t content)
{
	return fake::fault_in(g.vm, gfn) == 0 && fake::guest_write(g.vm, gfn, content);
}

void content_and_runs_stay()
{
	Guest g{ kPages };
	Heir heir;
	Filler filler;
	unsigned order;

	EXPECT(write(g, 3, 33));
	EXPECT(write(g, 700, 77));
	EXPECT_EQ(filler.populate(g.vm, 3, 1), -EEXIST);
	EXPECT_EQ(g.punch(512, 1024), 0);
	EXPECT_EQ(filler.populate(g.vm, 600, 2), 2);
	const struct page *const page = g.file.cached(3);

	heir.take(g.file.fd);
	REQUIRE(heir.fd >= 0);
	EXPECT(&heir.file().inode() == &g.file.inode());
	EXPECT_EQ(heir.read(3), 33u);
	EXPECT_EQ(heir.read(600), 1000u);
	EXPECT_EQ(heir.read(700), 0u);
	EXPECT(g.file.cached(3) == page);
	EXPECT_EQ(fake::fault(heir.vm, 5, &order), 0);
	EXPECT_EQ(order, kRunOrder);
	/* Populated once is populated for good. */
	EXPECT_EQ(filler.populate(heir.vm, 601, 1), -EEXIST);
	EXPECT_EQ(filler.populate(heir.vm, 603, 1), 1);
}

void the_first_view_is_closed()
{
	Guest g{ kPages };
	Heir heir, third;
	struct kvm_memory_slot *again;
	struct file *handle;
	struct gmem_consumer *consumer;

	EXPECT(write(g, 3, 33));
	heir.take(g.file.fd);
	REQUIRE(heir.fd >= 0);
	EXPECT_EQ(g.order(3), -1);
	EXPECT_EQ(fake::fault(g.vm, 3), -EFAULT);
	EXPECT_EQ(g.punch(0, 512), -ESTALE);
	EXPECT_EQ(g.punch(4096, 4096), -ESTALE);
	EXPECT_EQ(g.allocate(0, 512), -ESTALE);
	EXPECT_EQ(fake::slot_add(g.vm, 4096, 512, g.file.fd, 0, &again), -ESTALE);
	EXPECT_EQ(fake::link(third.vm, g.file.fd), -ESTALE);
	EXPECT_EQ(gmem_file_get(static_cast<unsigned>(g.file.fd), &handle), 0);
	EXPECT_EQ(gmem_consumer_bind(handle, 0, 1, &kQuietOps, nullptr, 0, &consumer), -ESTALE);
	gmem_file_put(handle);
	EXPECT_EQ(heir.read(3), 33u);
	/* The old memslot and file do not take the memory with them. */
	fake::slot_delete(g.vm, g.slot);
	g.slot = nullptr;
	g.file.close();
	EXPECT_EQ(heir.read(3), 33u);
}

void there_and_back()
{
	Guest g{ kPages };
	Heir heir;

	EXPECT(write(g, 3, 33));
	for (unsigned i = 0; i < 3; i++) {
		heir.take(g.file.fd);
		REQUIRE(heir.fd >= 0);
		EXPECT_EQ(heir.read(3), 33u + i);
		EXPECT(fake::guest_write(heir.vm, 3, 34 + i));

		const int back = fake::link(g.vm, heir.fd);

		EXPECT(back >= 0);
		EXPECT_EQ(fake::fault(heir.vm, 3), -EFAULT);
		heir.leave();
		fake::slot_delete(g.vm, g.slot);
		g.file.become(back);
		EXPECT_EQ(fake::slot_add(g.vm, 0, kPages, back, 0, &g.slot), 0);
		EXPECT_EQ(fake::fault_in(g.vm, 3), 0);
		EXPECT_EQ(g.peek(3), 34u + i);
	}
}

void bad_input_is_refused()
{
	Guest g{ kPages };
	Heir heir, other_type{ fake::kDefaultVm };
	struct kvm_link_guest_memfd args = {};
	const int foreign = fake::stock_fd();
	const auto call = [&](struct kvm *vm, const void *at) {
		const long ret = gmem_kvm_vm_ioctl(reinterpret_cast<struct file *>(vm),
						   KVM_LINK_GUEST_MEMFD,
						   reinterpret_cast<unsigned long>(at));

		fake::return_to_user();
		return ret;
	};

	EXPECT_EQ(call(heir.vm, nullptr), -EFAULT);
	for (const std::uint64_t fd : { 999ul, ~0ul, 1ul << 31, g.file.fd + (1ul << 32) }) {
		args.fd = fd;
		EXPECT_EQ(call(heir.vm, &args), -EINVAL);
	}
	EXPECT_EQ(fake::link(heir.vm, foreign), -EINVAL);
	fake::close_fd(foreign);
	EXPECT_EQ(fake::link(g.vm, g.file.fd), -EINVAL);
	EXPECT_EQ(fake::link(other_type.vm, g.file.fd), -EINVAL);
	args.fd = static_cast<std::uint64_t>(g.file.fd);
	args.flags = 1;
	EXPECT_EQ(call(heir.vm, &args), -EINVAL);
	args.flags = 0;
	args.reserved[5] = 1;
	EXPECT_EQ(call(heir.vm, &args), -EINVAL);
	fake::set_vm_usable(false);
	EXPECT_EQ(fake::link(heir.vm, g.file.fd), -EIO);
	fake::set_vm_usable(true);
	/* A descriptor alone is no right to the memory. */
	fake::deny_memory_of(g.vm);
	EXPECT_EQ(fake::link(heir.vm, g.file.fd), -EPERM);
	/* The right is that to the present owner's memory, not to the new owner's. */
	fake::deny_memory_of(heir.vm);
	/* Nothing of it has touched the memory. */
	EXPECT(write(g, 3, 33));
	heir.take(g.file.fd);
	EXPECT_EQ(heir.read(3), 33u);
	fake::deny_memory_of(nullptr);
}

void platforms_keep_their_memory()
{
	constexpr long kCap = KVM_CAP_GUEST_MEMFD_LINK;

	EXPECT_EQ(gmem_kvm_check_extension(nullptr, kCap), 1);
	for (const unsigned long type : { fake::kSnpVm, fake::kTdxVm }) {
		const Guest g{ 512, kPlain, type };
		Heir heir{ type };

		EXPECT_EQ(fake::link(heir.vm, g.file.fd), -EOPNOTSUPP);
		EXPECT_EQ(gmem_kvm_check_extension(heir.vm, kCap), 0);
		EXPECT_EQ(g.allocate(0, 1), 0);
	}
	for (const auto model : { KAPI_PLATFORM_SNP_MODEL, KAPI_PLATFORM_TDX_MODEL }) {
		Heir plain{ fake::kDefaultVm }, heir;
		{
			fake::set_platform(model);
			const Guest g{ 512 };

			EXPECT_EQ(fake::link(heir.vm, g.file.fd), -EOPNOTSUPP);
			EXPECT_EQ(gmem_kvm_check_extension(heir.vm, kCap), 0);
			EXPECT_EQ(gmem_kvm_check_extension(plain.vm, kCap), 1);
		}
		fake::set_platform(KAPI_PLATFORM_NONE);
	}
	/* Not to be had without the function of KVM's that knows of it. */
	fake::set_features(~static_cast<unsigned>(KAPI_FEATURE_SHARED));
	EXPECT_EQ(gmem_kvm_check_extension(nullptr, kCap), 0);
	fake::set_features(~0u);
}

void the_stock_backend_has_none()
{
	Guest g{ kPages };
	Heir heir;
	const unsigned long before = fake::stock_vm_ioctls();

	fake::set_backend_stock(true);
	fake::link(heir.vm, g.file.fd);
	EXPECT_EQ(fake::stock_vm_ioctls(), before + 1);
	EXPECT_EQ(gmem_kvm_check_extension(nullptr, KVM_CAP_GUEST_MEMFD_LINK),
		  fake::stock().answer);
	fake::set_backend_stock(false);
	EXPECT(write(g, 3, 33));
}

void each_allocation_fails_once()
{
	Guest g{ kPages };
	Heir heir;
	unsigned failures = 0;

	EXPECT(write(g, 3, 33));
	for (;; failures++) {
		fake::fail_nth(failures + 1);
		const int fd = fake::link(heir.vm, g.file.fd);

		if (!fake::fail_fired()) {
			fake::fail_nth(0);
			EXPECT(fd >= 0);
			fake::close_fd(fd);
			break;
		}
		EXPECT(fd == -ENOMEM || fd == -EMFILE || fd == -ENFILE);
		EXPECT_EQ(world_vm_users(heir.vm), 1);
		/* The first VM has all it had. */
		EXPECT_EQ(g.peek(3), 33u);
		EXPECT_EQ(g.order(3), kRunOrder);
	}
	EXPECT_EQ(failures, 3u);
}

/* 0: the first VM's descriptor, 1: its memslot, 2: the heir's, 3: its memslot. */
void all_orders_of_the_end()
{
	for (unsigned code = 0; code < 256; code++) {
		const unsigned order[] = { code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 };
		unsigned seen = 0;

		for (const unsigned step : order)
			seen |= 1u << step;
		if (seen != 15)
			continue;

		Guest g{ kPages };
		Heir heir;

		EXPECT(write(g, 3, 33));
		heir.take(g.file.fd);
		REQUIRE(heir.fd >= 0);
		EXPECT_EQ(heir.read(3), 33u);
		for (const unsigned step : order) {
			if (step == 0) {
				g.file.close();
			} else if (step == 1) {
				fake::slot_delete(g.vm, g.slot);
				g.slot = nullptr;
			} else if (step == 2) {
				fake::close_fd(heir.fd);
				heir.fd = -1;
			} else {
				fake::slot_delete(heir.vm, heir.slot);
				heir.slot = nullptr;
			}
			if (heir.fd >= 0 && heir.slot)
				EXPECT_EQ(heir.read(3), 33u);
		}
		EXPECT_EQ(world_vm_users(g.vm), 1);
		EXPECT_EQ(world_vm_users(heir.vm), 1);
		EXPECT_EQ(fake::pages_used(), 0);
	}
}

void states_go_with_it()
{
	Guest g{ kPages, kMmap };
	Heir heir;

	EXPECT_EQ(g.file.convert(10, 20, Share::kShared), 0);
	EXPECT(g.file.user_write(12, 44));
	EXPECT(g.write(3, 33));
	heir.take(g.file.fd);
	REQUIRE(heir.fd >= 0);
	/* KVM's attributes of the heir are the file's. */
	for (const std::uint64_t gfn : { 3u, 9u, 12u, 20u })
		EXPECT_EQ(kapi_kvm_range_private(heir.vm, gfn, gfn + 1), gfn != 12);
	EXPECT_EQ(fake::guest_access(g.vm, 12), -EFAULT);
	EXPECT_EQ(fake::guest_access(heir.vm, 12), 0);
	EXPECT_EQ(heir.read(3), 33u);
	/* User space goes on through the mapping it has. */
	EXPECT_EQ(g.file.user_read(12), 44u);
	EXPECT_EQ(g.file.user_read(3), kNothing);
	/* Until the page is converted, which the heir's descriptor can do alone. */
	EXPECT_EQ(g.file.convert(12, 13, Share::kPrivate), -ESTALE);
	EXPECT_EQ(fake::convert(fake::file_at(heir.fd), 12, 13, true), 0);
	EXPECT_EQ(g.file.user_read(12), kNothing);
	EXPECT_EQ(fake::fault_in(heir.vm, 12), 0);
	EXPECT_EQ(heir.read(12), 44u);
	/* The first VM's attributes are of nothing now. */
	EXPECT_EQ(fake::set_attributes(g.vm, 0, 512, false), 0);
	EXPECT(g.file.is_private(0, 10));
}

/* Two or three operations in every order of their steps. */
std::unique_ptr<Guest> g;
std::unique_ptr<Heir> heir, rival;

void setup()
{
	g = std::make_unique<Guest>(512);
	heir = std::make_unique<Heir>();
	rival = std::make_unique<Heir>();
	EXPECT(write(*g, 3, 33));
}

/* The heir has it all, and the guest nothing. */
void finish()
{
	EXPECT_EQ(g->order(3), -1);
	EXPECT_EQ(fake::fault(g->vm, 3), -EFAULT);
	EXPECT_EQ(g->vm->invalidate_in_progress.load(), 0);
	heir.reset();
	rival.reset();
	g.reset();
	fake::check_clean();
}

void explore(unsigned bound, fake::sched::Scenario scenario)
{
	EXPECT(fake::sched::explore(scenario, bound) > 10);
}

void fault_and_link()
{
	for (const std::uint64_t gfn : { 3u, 100u }) {
		explore(2, { setup,
			     { [=] {
				      const int ret = fake::fault(g->vm, gfn);

				      EXPECT(ret == 0 || ret == -EAGAIN || ret == -EFAULT);
			      },
			       [] {
				       heir->take(g->file.fd, 512);
				       EXPECT_EQ(heir->read(3), 33u);
			       } },
			     finish });
	}
}

void link_and_close()
{
	explore(2, { setup,
		     { [] { heir->take(g->file.fd, 512); },
		       [] {
			       /* The lookup of the descriptor may have come first. */
			       g->file.close();
		       } },
		     [] {
			     EXPECT(heir->fd >= 0 || heir->fd == -EINVAL);
			     if (heir->fd >= 0)
				     EXPECT_EQ(heir->read(3), 33u);
			     else
				     heir->fd = -1;
			     finish();
		     } });
}

void link_and_unbind()
{
	explore(3, { setup,
		     { [] { heir->take(g->file.fd, 512); },
		       [] {
			       fake::slot_delete(g->vm, g->slot);
			       g->slot = nullptr;
		       } },
		     [] {
			     EXPECT_EQ(heir->read(3), 33u);
			     heir.reset();
			     rival.reset();
			     g.reset();
			     fake::check_clean();
		     } });
}

void link_and_bind()
{
	static int bound;
	static struct kvm_memory_slot *second;

	explore(3, { setup,
		     { [] { heir->take(g->file.fd, 512); },
		       [] { bound = fake::slot_add(g->vm, 4096, 8, g->file.fd, 0, &second); } },
		     [] {
			     EXPECT(bound == -ESTALE || bound == kapi_kvm_overlap_error());
			     EXPECT_EQ(heir->read(3), 33u);
			     finish();
		     } });
}

void two_heirs()
{
	explore(2, { setup,
		     { [] { heir->take(g->file.fd, 512); }, [] { rival->take(g->file.fd, 512); } },
		     [] {
			     const bool first = heir->fd >= 0;
			     Heir &loser = first ? *rival : *heir;

			     EXPECT_EQ(loser.fd, -ESTALE);
			     EXPECT_EQ((first ? heir : rival)->read(3), 33u);
			     loser.fd = -1;
			     finish();
		     } });
}

void link_and_punch()
{
	static long punched;

	explore(2, { setup,
		     { [] { heir->take(g->file.fd, 512); }, [] { punched = g->punch(3, 4); } },
		     [] {
			     EXPECT(punched == 0 || punched == -ESTALE);
			     EXPECT_EQ(heir->read(3), punched ? 33u : 0u);
			     finish();
		     } });
}

void link_and_fallocate()
{
	static long allocated;

	explore(2,
		{ [] {
			 setup();
			 EXPECT_EQ(g->punch(0, 512), 0);
		 },
		  { [] { heir->take(g->file.fd, 512); }, [] { allocated = g->allocate(0, 512); } },
		  [] {
			  EXPECT(allocated == 0 || allocated == -ESTALE);
			  EXPECT_EQ(g->file.cached(100) != nullptr, allocated == 0);
			  finish();
		  } });
}

} /* namespace */

GMEM_SUITE(link, CASE(content_and_runs_stay), CASE(the_first_view_is_closed), CASE(there_and_back),
	   CASE(bad_input_is_refused), CASE(platforms_keep_their_memory),
	   CASE(the_stock_backend_has_none), CASE(each_allocation_fails_once),
	   CASE(all_orders_of_the_end), CASE(states_go_with_it), CASE(fault_and_link),
	   CASE(link_and_close), CASE(link_and_unbind), CASE(link_and_bind), CASE(two_heirs),
	   CASE(link_and_punch), CASE(link_and_fallocate));
