// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every pair of operations at the same time, by real threads: for TSan, and for
 * the fakes' rules. A word that the guest writes tells its gfn, so that a page of
 * another gfn shows.
 *
 * GMEM_STRESS_MS is how long each pair runs.
 */
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include <gmem/consumer.h>

#include "kunit/fakes/holds.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kPages = 1024;
/* A second file comes and goes at these gfns. */
constexpr std::uint64_t kOtherBase = 4096, kOtherPages = 600;
/* A file that converts is there all the time. */
constexpr std::uint64_t kSharedBase = 8192, kSharedPages = 1024;
/* A file that moves from VM to VM is at these gfns of its VM. */
constexpr std::uint64_t kMovingBase = 12288, kMovingPages = 1024;
/* A file that may be a gigabyte in one block. */
constexpr std::uint64_t kGiant = 1ull << kGiantOrder;

/* What all threads have at hand. */
struct World {
	World() : guest(kPages), vm(guest.vm), shared(vm, kSharedPages, kInitShared)
	{
		reopen();
		fake::slot_add(vm, kSharedBase, kSharedPages, shared.fd, 0, &shared_slot);
		moving_fd = world_create(vm, kMovingPages * kPageSize, 0);
		fake::slot_add(vm, kMovingBase, kMovingPages, moving_fd, 0, &moving_slot);
		fake::set_reserve(1);
		giant_fd = world_create(vm, kGiant * kPageSize, 0);
		fake::slot_add(vm, kGiant, kGiant, giant_fd, 0, &giant_slot);
	}
	~World()
	{
		fake::slot_delete(vm, giant_slot);
		fake::close_fd(giant_fd);
		fake::slot_delete(owner, moving_slot);
		fake::close_fd(moving_fd);
		world_vm_put(heir);
		if (consumer)
			rebind_consumer(0, 0);
		fake::slot_delete(vm, shared_slot);
		shared.close();
		if (other_slot)
			fake::slot_delete(vm, other_slot);
		fake::close_fd(other_fd);
	}

	/* Closes the second file with its slot still bound, and makes another. */
	void reopen()
	{
		const std::lock_guard guard{ other_mutex };

		if (other_fd >= 0)
			fake::close_fd(other_fd);
		if (other_slot)
			fake::slot_delete(vm, other_slot);
		other_fd = world_create(vm, kOtherPages * kPageSize, 0);
		fake::slot_add(vm, kOtherBase, kOtherPages, other_fd, 0, &other_slot);
	}
	/* Unbinds it and binds it elsewhere in the same file. */
	void rebind()
	{
		const std::lock_guard guard{ other_mutex };

		if (other_slot)
			fake::slot_delete(vm, other_slot);
		fake::slot_add(vm, kOtherBase, kOtherPages / 2, other_fd, ++binds % 2 * 300,
			       &other_slot);
	}

	/* The consumer of the file that converts goes, or comes for [@start, @end). */
	void rebind_consumer(std::uint64_t start, std::uint64_t end)
	{
		const std::unique_lock guard{ consumer_mutex };

		if (consumer) {
			gmem_consumer_unbind(consumer);
			if (begins != ends)
				failed = __LINE__;
			consumer = nullptr;
		} else {
			struct file *handle;

			if (gmem_file_get(shared.fd, &handle) ||
			    gmem_consumer_bind(handle, start, end, &kOps, this,
					       GMEM_CONSUMER_SHARED, &consumer))
				failed = __LINE__;
			gmem_file_put(handle);
		}
		fake::return_to_user();
	}

	/* The memory that moves becomes the other VM's, and is shown there. */
	void move()
	{
		const std::lock_guard guard{ moving_mutex };
		struct kvm *const from = owner, *const to = from == vm ? heir : vm;
		const int fd = fake::link(to, moving_fd);

		if (fd < 0) {
			failed = __LINE__;
			return;
		}
		if (fake::fault(from, kMovingBase) != -EFAULT)
			failed = __LINE__;
		fake::slot_delete(from, moving_slot);
		fake::close_fd(moving_fd.exchange(fd));
		owner = to;
		if (fake::slot_add(to, kMovingBase, kMovingPages, fd, 0, &moving_slot))
			failed = __LINE__;
	}

	static const gmem_consumer_ops kOps;

	Guest guest;
	struct kvm *vm;
	struct kvm *const heir = world_vm(fake::kSwProtectedVm);
	std::mutex moving_mutex;
	std::atomic<int> moving_fd{ -1 };
	std::atomic<struct kvm *> owner{ vm };
	struct kvm_memory_slot *moving_slot = nullptr;
	int giant_fd = -1;
	struct kvm_memory_slot *giant_slot = nullptr;
	GuestFile shared;
	struct kvm_memory_slot *shared_slot = nullptr;
	/* Exclusive to bind and unbind; shared to ask for pages. */
	std::shared_mutex consumer_mutex;
	struct gmem_consumer *consumer = nullptr;
	std::atomic<unsigned> begins{ 0 }, ends{ 0 };
	std::mutex other_mutex;
	std::atomic<int> other_fd{ -1 };
	struct kvm_memory_slot *other_slot = nullptr;
	unsigned binds = 0;
	std::atomic<int> poisons{ 4 }, marks{ 8 };
	std::atomic<int> failed{ 0 }; /* the line that says so */
};

const gmem_consumer_ops World::kOps = {
	.owner = nullptr,
	.prepare = nullptr,
	.failed = nullptr,
	.begin = [](void *data, gmem_u64, gmem_u64) { static_cast<World *>(data)->begins++; },
	.unmap =
		[](void *data, gmem_u64, gmem_u64) {
			World &w = *static_cast<World *>(data);

			if (w.begins == w.ends)
				w.failed = __LINE__;
		},
	.end = [](void *data, gmem_u64, gmem_u64) { static_cast<World *>(data)->ends++; },
	.converted = nullptr,
	.release = [](void *data) { static_cast<World *>(data)->failed = __LINE__; },
};

std::uint64_t some_gfn(Random &random)
{
	return random.below(4) ? random.below(kPages) : kOtherBase + random.below(kOtherPages);
}

/* Of any file that is always there, or that moves. */
int some_fd(const World &w, Random &random)
{
	const int fds[] = { w.guest.file.fd, w.shared.fd, w.giant_fd, w.moving_fd };

	return fds[random.below(4)];
}

/* The file through its descriptor, as fallocate(2) comes by it. */
void fallocate(int fd, bool punch, Random &random)
{
	struct file *const file = kapi_file_from_fd(fd);
	const std::uint64_t start = random.below(500), length = 1 + random.below(520);

	if (!file)
		return;
	gmem_file_fallocate(kapi_file_core(file), punch, start * kPageSize, length * kPageSize);
	kapi_file_put(file);
	fake::return_to_user();
}

void fault(World &w, Random &random)
{
	const int ret = fake::fault_in(w.vm, some_gfn(random));

	if (ret && ret != -EFAULT && ret != -ENOENT && ret != -EHWPOISON)
		w.failed = __LINE__;
}

void touch(World &w, Random &random)
{
	const std::uint64_t gfn = random.below(kPages);
	std::uint64_t content;

	fake::fault_in(w.vm, gfn);
	if (fake::guest_read(w.vm, gfn, &content) && content && content >> 32 != gfn)
		w.failed = __LINE__;
	fake::guest_write(w.vm, gfn, gfn << 32 | 1);
}

void punch(World &w, Random &random)
{
	fallocate(random.below(2) ? some_fd(w, random) : w.other_fd.load(), true, random);
}

void allocate(World &w, Random &random)
{
	fallocate(random.below(2) ? w.guest.file.fd : w.other_fd.load(), false, random);
}

int fill(struct kvm *, gmem_u64 gfn, gmem_u64 pfn, void *, int, void *)
{
	fake::page_of_pfn(pfn)->content = gfn << 32 | 2;
	return 0;
}

void populate(World &w, Random &random)
{
	fake::populate(w.vm, some_gfn(random), world_user_memory(), 1 + random.below(8), fill,
		       nullptr);
}

void convert(World &w, Random &random)
{
	const std::uint64_t gfn = random.below(kPages - 8);

	fake::set_private(w.vm, gfn, gfn + 8, false);
	fake::set_private(w.vm, gfn, gfn + 8, true);
}

/* In place, through the file or the VM, over more than the file. */
void convert_in_place(World &w, Random &random)
{
	const std::uint64_t start = random.below(kSharedPages), n = 1 + random.below(600);
	const bool to_private = random.below(2);
	const long ret = random.below(2)
				 ? w.shared.convert(start, std::min(kSharedPages, start + n),
						    private_if(to_private))
				 : fake::set_attributes(w.vm, kSharedBase + start,
							kSharedBase + start + n, to_private);

	if (ret && ret != -EAGAIN && ret != -EHWPOISON)
		w.failed = __LINE__;
}

/* A vCPU's access of whichever kind, and user space's. */
void use_shared(World &w, Random &random)
{
	const std::uint64_t index = random.below(kSharedPages), gfn = kSharedBase + index;
	std::uint64_t content;
	const int ret = fake::guest_access(w.vm, gfn);

	if (ret && ret != -EAGAIN && ret != -ENOENT && ret != -EHWPOISON)
		w.failed = __LINE__;
	if (fake::guest_read(w.vm, gfn, &content) && content && content >> 32 != gfn)
		w.failed = __LINE__;
	fake::guest_write(w.vm, gfn, gfn << 32 | 1);
}

void touch_shared(World &w, Random &random)
{
	const int ret = w.shared.touch(random.below(kSharedPages));

	if (ret && ret != -EFAULT && ret != -EHWPOISON)
		w.failed = __LINE__;
}

void pin_shared(World &w, Random &random)
{
	struct page *const page = w.shared.pin(random.below(kSharedPages));

	if (!page)
		return;
	std::this_thread::yield();
	fake::user_unpin(page);
}

void punch_shared(World &w, Random &random)
{
	fallocate(w.shared.fd, random.below(4), random);
}

void consume(World &w, Random &random)
{
	const std::uint64_t start = random.below(kSharedPages);

	w.rebind_consumer(start, start + 1 + random.below(kSharedPages - start));
}

/* A page that was asked for stays as it is until it is given back. */
void lend(World &w, Random &random)
{
	const std::shared_lock guard{ w.consumer_mutex };
	const std::uint64_t index = random.below(kSharedPages);
	struct page *page;
	unsigned order;

	if (w.consumer &&
	    gmem_consumer_get_page(w.consumer, index, random.below(2), &page, &order) == 0) {
		const std::uint64_t content = page->content;

		if (content && content >> 32 != kSharedBase + index)
			w.failed = __LINE__;
		gmem_consumer_put_page(page);
	}
	fake::return_to_user();
}

/* A page that KVM maps for itself stays shared until it unmaps it. */
void map_for_kvm(World &w, Random &random)
{
	const std::uint64_t index = random.below(kSharedPages), gfn = kSharedBase + index;
	const fake::KernelHold held{ w.vm, gfn };

	if (!held.page()) {
		if (held.error() != -EINVAL)
			w.failed = __LINE__;
		return;
	}
	const std::uint64_t content = held.page()->content;

	if (!w.shared.shared(index, index + 1) || (content && content >> 32 != gfn))
		w.failed = __LINE__;
	std::this_thread::yield();
	held.page()->content = gfn << 32 | 3;
	if (!w.shared.shared(index, index + 1))
		w.failed = __LINE__;
}

/* A private page that KVM gets outside of a fault is the right one, too. */
void get_for_kvm(World &w, Random &random)
{
	const std::uint64_t gfn = kSharedBase + random.below(kSharedPages);
	int error;
	struct page *const page = fake::kernel_get_page(w.vm, gfn, &error);

	if (page) {
		const std::uint64_t content = page->content;

		if (content && content >> 32 != gfn)
			w.failed = __LINE__;
		kapi_page_put(page);
	} else if (error != -EAGAIN && error != -EHWPOISON) {
		w.failed = __LINE__;
	}
	fake::return_to_user();
}

void move(World &w, Random &)
{
	w.move();
}

/* Guests of both VMs; only the owner's has the memory. */
void use_moving(World &w, Random &random)
{
	struct kvm *const vm = random.below(2) ? w.vm : w.heir;
	const std::uint64_t gfn = kMovingBase + random.below(kMovingPages);
	const int ret = fake::fault_in(vm, gfn);
	std::uint64_t content;

	if (ret && ret != -EFAULT && ret != -ENOENT && ret != -EHWPOISON)
		w.failed = __LINE__;
	if (fake::guest_read(vm, gfn, &content) && content && content >> 32 != gfn)
		w.failed = __LINE__;
	fake::guest_write(vm, gfn, gfn << 32 | 1);
}

void use_giant(World &w, Random &random)
{
	const std::uint64_t gfn = kGiant + random.below(4096);
	const int ret = fake::fault_in(w.vm, gfn);
	std::uint64_t content;

	if (ret && ret != -EHWPOISON)
		w.failed = __LINE__;
	if (fake::guest_read(w.vm, gfn, &content) && content && content >> 32 != gfn)
		w.failed = __LINE__;
	fake::guest_write(w.vm, gfn, gfn << 32 | 1);
	/* Often enough it is as if new. */
	fallocate(w.giant_fd, random.below(8) == 0, random);
}

/* A run of pages from here and there is made one block while others use it. */
void promote(World &w, Random &random)
{
	const std::uint64_t base = random.below(2) ? 512 : kSharedBase + 512;

	fallocate(base < kPages ? w.guest.file.fd : w.shared.fd, true, random);
	fake::set_no_blocks(true);
	for (std::uint64_t i = 0; i < kRunPages; i++)
		fake::guest_access(w.vm, base + scattered(i));
	fake::set_no_blocks(false);
	fake::run_work();
}

/* The hardware marks a page, and memory failure does not tell of it. */
void mark(World &w, Random &random)
{
	if (w.marks.fetch_sub(1) > 0) {
		struct file *const file = kapi_file_from_fd(some_fd(w, random));
		struct page *const page = file ? kapi_cache_peek(file->inode, random.below(kPages))
					       : nullptr;

		if (page && fake::page_get_unless_zero(page)) {
			page->poisoned = true;
			kapi_page_put(page);
		}
		if (file)
			kapi_file_put(file);
	}
	fake::return_to_user();
}

void rebind(World &w, Random &)
{
	w.rebind();
}

void reopen(World &w, Random &)
{
	w.reopen();
}

void poison(World &w, Random &random)
{
	if (w.poisons.fetch_sub(1) > 0)
		fake::memory_failure(w.guest.file.inode().handle(), random.below(kPages));
	fake::return_to_user();
}

void work(World &, Random &)
{
	if (!fake::run_work())
		std::this_thread::yield();
}

void scarce(World &, Random &random)
{
	fake::set_no_blocks(random.below(2));
}

using Operation = void (*)(World &, Random &);

constexpr Operation operations[] = { fault,	 touch,	       punch,	   allocate,
				     populate,	 convert,      rebind,	   reopen,
				     poison,	 work,	       scarce,	   convert_in_place,
				     use_shared, touch_shared, pin_shared, punch_shared,
				     consume,	 lend,	       move,	   use_moving,
				     use_giant,	 promote,      mark,	   map_for_kvm,
				     get_for_kvm };

void together(std::initializer_list<Operation> ops, std::chrono::milliseconds time)
{
	fake::set_threads(true);
	auto world = std::make_unique<World>();
	std::atomic<bool> stop{ false };
	std::vector<std::thread> threads;
	unsigned seed = 0;

	for (Operation op : ops) {
		threads.emplace_back([&, op, s = ++seed] {
			Random random{ s };

			while (!stop)
				op(*world, random);
		});
	}
	std::this_thread::sleep_for(time);
	stop = true;
	for (std::thread &thread : threads)
		thread.join();
	EXPECT_EQ(world->failed.load(), 0);
	EXPECT_EQ(world->vm->invalidate_in_progress.load(), 0);
	fake::set_no_blocks(false);
	fake::set_threads(false);
	fake::check_shares();
	world.reset();
	fake::check_clean();
}

std::chrono::milliseconds stress_time(unsigned by_default)
{
	const char *const chosen = std::getenv("GMEM_STRESS_MS");

	return std::chrono::milliseconds{ chosen ? std::strtoul(chosen, nullptr, 0) : by_default };
}

/* With itself, too. */
template <class Fn> void for_each_pair(Fn fn)
{
	for (std::size_t a = 0; a < std::size(operations); a++) {
		for (std::size_t b = a; b < std::size(operations); b++)
			fn(operations[a], operations[b]);
	}
}

void every_pair()
{
	for_each_pair([](Operation a, Operation b) { together({ a, b }, stress_time(60)); });
}

/* Each pair while a vCPU faults: now private memory, now of a file that converts. */
void every_pair_and_a_guest()
{
	unsigned n = 0;

	for_each_pair([&](Operation a, Operation b) {
		together({ a, b, n++ % 2 ? use_shared : touch }, stress_time(60));
	});
}

void all_at_once()
{
	together({ fault,
		   touch,
		   touch,
		   punch,
		   allocate,
		   populate,
		   convert,
		   rebind,
		   reopen,
		   poison,
		   work,
		   scarce,
		   convert_in_place,
		   use_shared,
		   touch_shared,
		   pin_shared,
		   punch_shared,
		   consume,
		   lend,
		   move,
		   use_moving,
		   use_giant,
		   promote,
		   mark,
		   map_for_kvm,
		   get_for_kvm },
		 stress_time(60) * 30);
}

} /* namespace */

GMEM_SUITE(concurrency, CASE(every_pair), CASE(every_pair_and_a_guest), CASE(all_at_once));
