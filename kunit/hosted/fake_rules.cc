// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules that the fakes watch over: each is broken once here.
 */
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "gmem/locks.h"
#include "kunit/fakes/files.h"
#include "kunit/fakes/kvm.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/work.h"
#include "kunit/hosted/death.h"
#include "kunit/hosted/guest.h"

namespace gmem_test
{

bool dies(const std::function<void()> &fn, const char *words)
{
	int pipes[2];

	if (pipe(pipes))
		return false;

	const pid_t child = fork();

	if (child == 0) {
		dup2(pipes[1], 2);
		fn();
		_exit(0);
	}
	::close(pipes[1]);

	std::string said;
	char buffer[512];
	ssize_t n;
	int status;

	while ((n = read(pipes[0], buffer, sizeof(buffer))) > 0)
		said.append(buffer, n);
	::close(pipes[0]);
	waitpid(child, &status, 0);
	if (status != 0 && said.find(words) != std::string::npos)
		return true;
	std::fprintf(stderr, "status %d, said \"%s\"\n", status, said.c_str());
	return false;
}

} /* namespace gmem_test */

using namespace gmem_test;

namespace
{

NotedPlatform platform{ kRunOrder, true };

/* A guest with two runs, of which the first is mapped. */
class FaultedGuest : public Guest {
    public:
	FaultedGuest() : Guest(2 * kRunPages) { fake::fault(vm, 5); }
};

void a_mapped_page_may_not_leave_the_cache()
{
	const FaultedGuest g;
	struct inode *const inode = g.file.inode().handle();
	struct page *pages[1], *busy = nullptr;

	EXPECT(dies(
		[&] {
			kapi_u64 index = 5;

			kapi_cache_take(inode, &index, 6, pages, 1, &busy);
		},
		"while a guest has it mapped"));
	EXPECT(dies([&] { kapi_cache_take_run(inode, 0, g.file.cached(0), kRunOrder); },
		    "while a guest has it mapped"));
	EXPECT(dies(
		[&] {
			struct page *const block = kapi_pages_alloc(kRunOrder);

			kapi_pages_charge(inode, block, kRunPages);
			kapi_cache_replace_run(inode, 0, block, kRunOrder);
		},
		"while a guest has it mapped"));
}

void removal_without_invalidation_is_seen()
{
	const FaultedGuest g;

	EXPECT(dies([&] { g.file.store().remove(pages(0, 1024), g.file.inode().platform()); },
		    "while a guest has it mapped"));
}

void a_leaf_may_not_be_replaced()
{
	const FaultedGuest g;

	EXPECT(dies([&] { g.vm->tables.map(5, g.file.cached(6), 0); },
		    "cannot replace a present leaf SPTE"));
	EXPECT(dies(
		[&] {
			struct page *const page = kapi_pages_alloc(0);

			g.vm->tables.map(600, page, 0);
		},
		"not in the cache"));
}

void invalidations_must_be_balanced()
{
	const FaultedGuest g;
	struct kvm *const vm = g.vm;

	EXPECT(dies([&] { kapi_mmu_end(vm); }, "ends that has not begun"));
	EXPECT(dies([&] { kapi_mmu_begin(vm, 5, 5); }, "invalidation of nothing"));
	EXPECT(dies([&] { kapi_mmu_unmap(vm, g.slot, 0, 5); }, "outside of an invalidation"));
	EXPECT(dies(
		[&] {
			kapi_mmu_begin(vm, 0, 5);
			kapi_mmu_unmap(vm, g.slot, 0, 6);
		},
		"outside of an invalidation"));
	EXPECT(dies(
		[&] {
			kapi_mmu_begin(vm, 0, 5000);
			kapi_mmu_unmap(vm, g.slot, 0, 1025);
		},
		"outside of the slot"));
	EXPECT(dies(
		[] {
			struct kvm *const left = fake::vm_create();

			kapi_mmu_begin(left, 0, 5);
			kapi_kvm_put(left);
		},
		"invalidations in progress"));
}

void locks_have_an_order()
{
	TestFile file{ 1, platform };
	struct inode *const inode = file.inode().handle();
	struct kvm *const vm = file.vm;

	EXPECT(dies(
		[&] {
			kapi_inode_lock(inode);
			kapi_kvm_slots_lock(vm);
		},
		"slots_lock taken under inode lock"));
	EXPECT(dies(
		[&] {
			Mutex run{ KAPI_LOCK_RUN };
			MutexGuard guard{ run };

			kapi_inode_lock_shared(inode);
		},
		"inode lock taken under run lock"));
	EXPECT(dies(
		[&] {
			kapi_inode_lock_shared(inode);
			kapi_inode_lock_shared(inode);
		},
		"inode lock taken under inode lock"));
	EXPECT(dies(
		[&] {
			vm->mmu_lock.lock();
			kapi_pages_alloc(0);
		},
		"may sleep"));
	EXPECT(dies(
		[&] {
			kapi_inode_lock(inode);
			fake::return_to_user();
		},
		"still held"));
	EXPECT(dies(
		[&] {
			kapi_inode_lock(inode);
			kapi_inode_unlock_shared(inode);
		},
		"has not taken it so"));
	EXPECT(dies([&] { kapi_inode_assert_locked(inode); }, "not held"));
	EXPECT(dies(
		[&] {
			kapi_pins pins{};

			kapi_inode_lock(inode);
			kapi_pins_take(&pins, &pins, 1, false);
		},
		"mmap_lock"));
}

void references_are_counted()
{
	struct page *const page = kapi_pages_alloc(0);

	REQUIRE(page);
	kapi_page_put(page);
	EXPECT(dies([&] { kapi_page_put(page); }, "one reference too many"));
	EXPECT(dies([&] { kapi_page_get(page); }, "without one"));
	EXPECT(dies([&] { kapi_pages_free_frozen(page, 1); }, "freed as frozen"));
	EXPECT(dies([&] { kapi_page_leak_frozen(page); }, "leaked as frozen"));
}

void what_is_left_is_found()
{
	EXPECT(dies(
		[] {
			kapi_pages_alloc(0);
			fake::check_clean();
		},
		"is left"));
	EXPECT(dies(
		[] {
			kapi_alloc(1);
			fake::check_clean();
		},
		"objects of the core are left"));
	EXPECT(dies(
		[] {
			kapi_fd_reserve();
			fake::check_clean();
		},
		"descriptors are left"));
	EXPECT(dies(
		[] {
			fake::vm_create();
			fake::check_clean();
		},
		"VMs are left"));
	EXPECT(dies(
		[] {
			kapi_pins pins{};

			kapi_pins_take(&pins, &pins, 1, false);
			fake::check_clean();
		},
		"pinned"));
	EXPECT(dies(
		[] {
			kapi_stat_add(KAPI_STAT_PAGES, 1);
			fake::check_clean();
		},
		"statistics"));
}

void ranges_are_erased_as_stored()
{
	kapi_xarray xa;
	alignas(8) static int thing;

	kapi_xa_init(&xa);
	EXPECT_EQ(kapi_xa_store_range(&xa, 3, 900, &thing), 0);
	EXPECT(dies([&] { kapi_xa_erase_range(&xa, 3, 899); }, "was stored"));
	EXPECT(dies([&] { kapi_xa_erase_range(&xa, 4, 900); }, "was stored"));
	EXPECT(dies([&] { kapi_xa_store_range(&xa, 900, 901, &thing); }, "over what is stored"));
	kapi_xa_erase_range(&xa, 3, 900);
	kapi_xa_destroy(&xa);
}

void the_platform_owns_once()
{
	struct page *const page = kapi_pages_alloc(0);
	const kapi_u64 pfn = kapi_page_pfn(page);

	EXPECT_EQ(kapi_arch_prepare(nullptr, 1, pfn, 0), 0);
	EXPECT(dies([&] { kapi_arch_prepare(nullptr, 1, pfn, 0); }, "prepared twice"));
	EXPECT(dies([&] { kapi_page_put(page); }, "while the platform owns it"));
	kapi_arch_reclaim(pfn, 1);
	kapi_page_put(page);
}

void blocks_are_complete()
{
	fake::set_nodes(2);
	TestFile file{ 512, platform };
	struct inode *const inode = file.inode().handle();

	EXPECT(dies([&] { kapi_cache_insert(inode, 0, kapi_pages_alloc(0), 1); },
		    "nobody pays for"));
	EXPECT(dies(
		[&] {
			struct page *const page = kapi_pages_alloc(0);

			kapi_pages_charge(inode, page, 1);
			kapi_pages_charge(inode, page, 1);
		},
		"charged to a cgroup twice"));
	const auto replace = [&](bool pay) {
		struct page *const old = kapi_pages_alloc_on(inode, 0, kRunOrder, 0);
		struct page *const block = kapi_pages_alloc_on(inode, 0, kRunOrder, pay ? 1 : 0);

		kapi_pages_charge(inode, old, kRunPages);
		if (pay)
			kapi_pages_charge(inode, block, kRunPages);
		kapi_cache_insert(inode, 0, old, kRunPages);
		kapi_cache_replace_run(inode, 0, block, kRunOrder);
	};

	EXPECT(dies([&] { replace(false); }, "nobody pays for"));
	EXPECT(dies([&] { replace(true); }, "moves to another node"));
}

void the_reserve_takes_back_what_has_no_user()
{
	fake::set_reserve(1);
	TestFile file{ 512, platform };
	struct page *const giant = kapi_reserve_take(file.inode().handle());

	REQUIRE(giant);
	EXPECT(dies(
		[&] {
			kapi_page_get(kapi_page_nth(giant, 5));
			kapi_reserve_return(giant);
		},
		"has a user"));
	kapi_reserve_return(giant);
	EXPECT_EQ(kapi_pages_reserved(), 1u);
}

} /* namespace */

GMEM_SUITE(fake_rules, CASE(a_mapped_page_may_not_leave_the_cache),
	   CASE(removal_without_invalidation_is_seen), CASE(a_leaf_may_not_be_replaced),
	   CASE(invalidations_must_be_balanced), CASE(locks_have_an_order),
	   CASE(references_are_counted), CASE(what_is_left_is_found),
	   CASE(ranges_are_erased_as_stored), CASE(the_platform_owns_once),
	   CASE(blocks_are_complete), CASE(the_reserve_takes_back_what_has_no_user));
