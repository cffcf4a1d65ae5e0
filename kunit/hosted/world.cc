// SPDX-License-Identifier: GPL-2.0-only
/*
 * The suites' world (kunit/world.h) over the fakes.
 */
#include "kunit/world.h"

#include <thread>

#include <gmem/gmem.h>

#include "kapi/c_bit.h"
#include "kunit/fakes/files.h"
#include "kunit/fakes/kvm.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/platform.h"
#include "kunit/fakes/work.h"

struct kvm *world_vm(unsigned long type)
{
	return fake::vm_create(type);
}

void world_vm_put(struct kvm *kvm)
{
	kapi_kvm_put(kvm);
}

int world_vm_users(struct kvm *kvm)
{
	return kvm->users;
}

void world_set_private(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool is_private)
{
	fake::set_private(kvm, start, end, is_private);
}

struct kvm_memory_slot *world_slot(struct kvm *kvm, kapi_u64 gfn, kapi_u64 npages, bool has_gmem)
{
	struct kvm_memory_slot *const slot = fake::slot_make(kvm, gfn, npages).release();

	slot->has_gmem = has_gmem;
	return slot;
}

void world_slot_free(struct kvm_memory_slot *slot)
{
	for (auto &shown : slot->kvm->slots) {
		if (shown.get() == slot) {
			slot->kvm->slots.erase(slot->kvm->slots.begin() +
					       (&shown - slot->kvm->slots.data()));
			return;
		}
	}
	delete slot;
}

void world_slot_show(struct kvm_memory_slot *slot)
{
	slot->kvm->slots.emplace_back(slot);
}

int world_create(struct kvm *kvm, kapi_u64 size, kapi_u64 flags)
{
	kvm_create_guest_memfd args{ size, flags };

	return gmem_create(kvm, &args);
}

void world_close(int fd)
{
	fake::close_fd(fd);
}

void world_settle(void)
{
	fake::return_to_user();
}

int world_foreign_fd(void)
{
	return fake::stock_fd();
}

struct world_mmu world_mmu_calls(void)
{
	const fake::MmuCalls calls = fake::mmu_calls();

	return { calls.begins,	  calls.unmaps,	     calls.ends,     calls.begin_start,
		 calls.begin_end, calls.unmap_start, calls.unmap_end };
}

void world_set_platform(enum kapi_platform platform)
{
	fake::set_platform(platform);
}

/* What was added to @stat since this was last asked. */
static long news(enum kapi_stat stat)
{
	static long told[KAPI_STATS];
	const long total = fake::stat_total(stat), before = told[stat];

	told[stat] = total;
	return total - before;
}

long world_reports(void)
{
	return news(KAPI_STAT_REPORTS);
}

long world_naps(void)
{
	return news(KAPI_STAT_BUSY);
}

struct world_stock world_stock_calls(void)
{
	const fake::Stock &stock = fake::stock();

	return { stock.create, stock.bind, stock.unbind, stock.get_pfn, stock.populate };
}

kapi_u64 world_page_read(struct page *page)
{
	return page->content;
}

void world_page_write(struct page *page, kapi_u64 value)
{
	page->content = value;
}

struct page *world_page(kapi_u64 pfn)
{
	return fake::page_of_pfn(pfn);
}

int world_page_refs(struct page *page)
{
	return page->refs;
}

bool world_page_trylock(struct page *page)
{
	return fake::page_trylock(page);
}

void world_page_unlock(struct page *page)
{
	fake::page_unlock(page);
}

void world_page_set_poisoned(struct page *page, bool poisoned)
{
	page->poisoned = poisoned;
}

void *world_thread(void (*fn)(void *), void *arg)
{
	return new std::thread([=] {
		fn(arg);
		fake::return_to_user();
	});
}

void world_join(void *thread)
{
	auto *const t = static_cast<std::thread *>(thread);

	t->join();
	delete t;
}

void *world_user_memory(void)
{
	static char memory[16 * 4096];

	return memory;
}

void world_check_clean(void)
{
	fake::set_huge(KAPI_HUGE_ALWAYS);
	fake::set_no_blocks(false);
	fake::set_pages_come_zeroed(false);
	fake::stock().answer = 0;
	kapi_any_alias = false; /* as where there was none yet */
	fake::check_clean();
}
