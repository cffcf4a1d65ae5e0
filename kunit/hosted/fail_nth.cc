// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every failable import of every operation fails once. After each: an errno that
 * the headers know, nothing changed but what they allow, and a second try works.
 *
 * Tests: gmem/result.h, gmem/memory.h, mmu/entry.cc.
 */
#include <initializer_list>

#include "arch/x86/snp_platform.h"
#include "arch/x86/tdx_platform.h"
#include "kunit/fakes/platform.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

/* What a failed operation must leave as it was. */
struct Snapshot {
	unsigned long pages = 0;
	bool slot_bound = false;
	std::uint64_t content = 0;
	int vm_users = 0;
	long in_progress = 0;
	struct page *mapped = nullptr;

	static Snapshot of(const Guest &g)
	{
		unsigned order;
		Snapshot s;

		s.pages = g.file.cached_pages(0, 2048);
		s.slot_bound = kapi_slot_file(g.slot) != nullptr;
		s.vm_users = world_vm_users(g.vm);
		s.in_progress = g.vm->invalidate_in_progress;
		s.mapped = g.vm->tables.lookup(100, &order);
		s.content = s.mapped ? s.mapped->content.load() : 0;
		return s;
	}
	friend bool operator==(const Snapshot &, const Snapshot &) = default;
};

enum class Pages { AsBefore, MayGrow };

/*
 * Runs @op with its nth import failing, until none is left to fail. @works says
 * whether an answer is success. Returns how many there were.
 */
template <class Op, class Works>
unsigned each_fails(std::initializer_list<int> errors, Pages allowed, Op op, Works works)
{
	for (unsigned n = 1;; n++) {
		Guest g{ 2048 };
		const bool ready = fake::fault(g.vm, 100) == 0 && fake::guest_write(g.vm, 100, 42);

		EXPECT(ready);
		const Snapshot before = Snapshot::of(g);

		fake::fail_nth(n);
		const long ret = op(g);
		const bool fired = fake::fail_fired();

		fake::fail_nth(0);
		if (!fired) {
			EXPECT(works(ret));
			return n - 1;
		}
		if (!works(ret)) {
			bool known = false;

			for (int error : errors)
				known = known || ret == error;
			if (!known)
				gmem_case_differs(__FILE__, __LINE__, "errno", ret, n);
			Snapshot after = Snapshot::of(g);

			EXPECT(after.pages >= before.pages);
			if (allowed == Pages::MayGrow)
				after.pages = before.pages;
			EXPECT(after == before);
			EXPECT(works(op(g)));
		}
	}
}

constexpr auto is_zero = [](long ret) { return ret == 0; };
constexpr auto is_descriptor = [](long ret) { return ret >= 0; };

void create()
{
	EXPECT_EQ(each_fails(
			  { -ENOMEM, -EMFILE, -ENFILE }, Pages::AsBefore,
			  [](Guest &g) -> long {
				  const int fd = world_create(g.vm, 4096, 0);

				  if (fd >= 0)
					  world_close(fd);
				  return fd;
			  },
			  is_descriptor),
		  4u);
}

/* With the VM's platform, and its machine if it is the first. */
void create_on_a_model()
{
	for (const kapi_platform model : { KAPI_PLATFORM_SNP_MODEL, KAPI_PLATFORM_TDX_MODEL }) {
		bool fired = true;

		fake::set_platform(model);
		for (unsigned n = 1; fired; n++) {
			struct kvm *const vm = world_vm(fake::kSwProtectedVm);

			fake::fail_nth(n);
			const int fd = world_create(vm, kPageSize, 0);

			fired = fake::fail_fired();
			fake::fail_nth(0);
			EXPECT_EQ(fd < 0, fired);
			if (fd < 0) {
				/* -EIO: it is the firmware that has no memory. */
				EXPECT(fd == -ENOMEM || fd == -EMFILE || fd == -ENFILE ||
				       fd == -EIO);
				EXPECT(!SnpPlatform::machine() && !TdxPlatform::machine());
				EXPECT_EQ(world_vm_users(vm), 1);
			} else {
				EXPECT(n > 8);
				world_close(fd);
			}
			world_vm_put(vm);
		}
	}
	fake::set_platform(KAPI_PLATFORM_NONE);
	EXPECT_EQ(fake::reports(), 0);
}

void bind()
{
	EXPECT_EQ(each_fails(
			  { -ENOMEM }, Pages::AsBefore,
			  [](Guest &g) -> long {
				  struct kvm_memory_slot *slot;
				  TestFile other{ 600 };
				  const int ret = fake::slot_add(other.vm, 4096, 600, other.fd, 0,
								 &slot);

				  if (ret && other) {
					  /* Nothing bound: the place is free. */
					  EXPECT(other->bindings().first_overlapping(
							 pages(0, 600)) == nullptr);
				  } else if (!ret) {
					  fake::slot_delete(other.vm, slot);
				  }
				  return ret;
			  },
			  [](long ret) { return ret == 0 || ret == -EBADF; }),
		  6u); /* four of them make the file */
}

void fault_of_a_new_run()
{
	const unsigned n = each_fails(
		{ -ENOMEM }, Pages::MayGrow, [](Guest &g) { return fake::fault(g.vm, 600); },
		is_zero);

	EXPECT(n >= 5u); /* the run, its place, a block, its charge, the block's place */
}

void fault_of_a_small_page()
{
	const unsigned n = each_fails(
		{ -ENOMEM }, Pages::MayGrow,
		[](Guest &g) {
			fake::set_private(g.vm, 700, 701, false);
			return fake::fault(g.vm, 600);
		},
		is_zero);

	EXPECT(n >= 4u);
}

/* If a step for the giant fails, the fault gets a run; if one for that run fails, an error. */
void fault_of_a_giant()
{
	for (unsigned n = 1; n <= 8; n++) {
		fake::set_reserve(1);
		{
			Guest g{ 1ull << kGiantOrder };
			unsigned order = 0;

			fake::fail_nth(n);
			const int ret = fake::fault(g.vm, 1000, &order);

			EXPECT(fake::fail_fired());
			fake::fail_nth(0);
			if (ret)
				EXPECT_EQ(ret, -ENOMEM);
			else
				EXPECT_EQ(order, kRunOrder);
			EXPECT_EQ(fake::fault(g.vm, 1000), 0);
			EXPECT_EQ(g.peek(1000), 0u);
		}
		/* Puts the reserve back. */
		fake::check_clean();
	}
}

void fault_on_a_platform()
{
	for (unsigned n = 1;; n++) {
		Guest g{ 512, kPlain, fake::kSnpVm };

		fake::fail_nth(n);
		const int ret = fake::fault(g.vm, 5);
		const bool fired = fake::fail_fired();

		fake::fail_nth(0);
		EXPECT(ret == 0 || (fired && (ret == -ENOMEM || ret == -EIO)));
		EXPECT_EQ(g.order(5) < 0, ret != 0);
		EXPECT_EQ(fake::fault(g.vm, 5), 0);
		if (!fired) {
			EXPECT(n > 4);
			return;
		}
	}
}

void allocate()
{
	const unsigned n = each_fails(
		{ -ENOMEM }, Pages::MayGrow, [](Guest &g) { return g.allocate(500, 1030); },
		is_zero);

	EXPECT(n > 10u);
}

void punch()
{
	/* It needs nothing. */
	EXPECT_EQ(each_fails(
			  {}, Pages::AsBefore,
			  [](Guest &g) { return g.punch(600, 2000) ?: g.punch(0, 50); }, is_zero),
		  0u);
}

void close()
{
	EXPECT_EQ(each_fails(
			  {}, Pages::AsBefore,
			  [](Guest &g) {
				  g.file.close();
				  return 0;
			  },
			  is_zero),
		  0u);
}

void populate()
{
	for (unsigned n = 1;; n++) {
		Guest g{ 2048 };
		Filler filler;

		fake::fail_nth(n);
		const long ret = filler.populate(g.vm, 600, 6);
		const bool fired = fake::fail_fired();

		fake::fail_nth(0);
		if (!fired) {
			EXPECT_EQ(ret, 6);
			EXPECT(n > 10);
			return;
		}
		EXPECT(ret > 0 || ret == -ENOMEM || ret == -EFAULT || ret == -EIO);
		const long done = ret < 0 ? 0 : ret;

		EXPECT_EQ(filler.done, done);
		/* Populated pages have their content, the others are new. */
		for (long i = 0; i < 6; i++) {
			EXPECT_EQ(fake::fault(g.vm, 600 + i), 0);
			EXPECT_EQ(g.peek(600 + i), i < done ? filler.base + i : 0);
		}
	}
}

void promotion()
{
	for (unsigned n = 1;; n++) {
		Guest g{ 512 };

		fake::set_no_blocks(true);
		for (unsigned i = 0; i < 512; i++) {
			EXPECT_EQ(fake::fault(g.vm, scattered(i)), 0);
			EXPECT(fake::guest_write(g.vm, scattered(i), i));
		}
		fake::set_no_blocks(false);
		fake::fail_nth(n);
		EXPECT(fake::run_work());
		const bool fired = fake::fail_fired();

		fake::fail_nth(0);
		for (unsigned i = 0; i < 512; i++)
			EXPECT_EQ(g.file.cached(scattered(i))->content.load(), i);
		EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), fired ? 0 : 1);
		if (!fired) {
			EXPECT_EQ(n, 4u); /* the block, its charge, its place */
			return;
		}
	}
}

} /* namespace */

GMEM_SUITE(fail_nth, CASE(create), CASE(create_on_a_model), CASE(bind), CASE(fault_of_a_giant),
	   CASE(fault_of_a_new_run), CASE(fault_of_a_small_page), CASE(fault_on_a_platform),
	   CASE(allocate), CASE(punch), CASE(close), CASE(populate), CASE(promotion));
