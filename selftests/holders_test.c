// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel as a holder of pages outside of any fault (gmem/holder.h): a module asks
 * KVM for pages, keeps them for a while, and never gets a stand-in. Guests' faults beside
 * conversions are tried again meanwhile, and no error comes out of them.
 *
 * Tests: gmem/holder.cc.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "kernel.h"
#include "kmod/gmem_test_abi.h"
#include "tracefs.h"

#define PAGE		5UL
#define PAGE_GPA	(TEST_GPA + PAGE * PAGE_SIZE)
#define WORD		0x5a5a000000000000UL

static struct holders {
	struct vm *vm;
	int tester, fd;
	bool over;
	u64 conversions, gets;
} h;

static void start(void)
{
	h = (struct holders) { .vm = vm_create_private(1),
			       .tester = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC) };
	if (h.tester < 0)
		tap_skip("no gmem_test.ko");
	h.fd = gmem_add_mappable(h.vm, SZ_2M, SHARED_AT_FIRST);
}

/* The frame at PAGE_GPA; 0, or -errno. */
static long get(bool shared, u32 hold_ms, u64 *pfn)
{
	struct gmem_test_get req = { .gfn = PAGE_GPA / PAGE_SIZE, .vm_fd = h.vm->fd,
				     .shared = shared, .hold_ms = hold_ms };

	if (ioctl(h.tester, GMEM_TEST_GET, &req))
		return -errno;
	*pfn = req.pfn;
	return 0;
}

static u64 frame(void)
{
	struct gmem_test_pfn req = { .fd = h.fd, .index = PAGE };

	CHECK_EQ(ioctl(h.tester, GMEM_TEST_PFN, &req), 0);
	return req.pfn;
}

static void test_only_what_it_is(void)
{
	u64 pfn = 0;

	start();
	MUST(guest_write(&h.vm->vcpus[0], PAGE_GPA, 8, WORD));
	/* Where memslots for shared pages are KVM's own, it has one way of asking for both. */
	CHECK_EQ(get(false, 0, &pfn), kernel_has_shared_slots() ? 0 : -EAGAIN);
	CHECK_EQ(get(true, 0, &pfn), 0);
	CHECK_EQ(pfn, frame());
	gmem_make_private(h.fd, 0, SZ_2M);
	CHECK_EQ(get(true, 0, &pfn), -EFAULT);
	CHECK_EQ(get(false, 0, &pfn), 0);
	CHECK_EQ(pfn, frame());
}

struct hold {
	u32 ms;
	u64 pfn;
	bool over;
};

/* Between conversions the page is there. */
static void *hold_shared(void *arg)
{
	struct hold *const hold = arg;
	long ret;

	do
		ret = get(true, hold->ms, &hold->pfn);
	while (ret == -EAGAIN || ret == -EFAULT);
	CHECK_EQ(ret, 0);
	__atomic_store_n(&hold->over, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Longer than a conversion waits; longer still, should it be over before one has begun. */
static void test_a_page_in_its_hands_stays_shared(void)
{
	struct hold hold = { .ms = 1500 };
	u64 offset = 0;
	pthread_t thread;
	int ret;

	start();
	MUST(guest_write(&h.vm->vcpus[0], PAGE_GPA, 8, WORD));
	do {
		hold.over = false;
		thread = thread_start(hold_shared, &hold);
		do {
			ret = gmem_convert(h.fd, 0, SZ_2M, KVM_MEMORY_ATTRIBUTE_PRIVATE, &offset);
			if (!ret)
				gmem_make_shared(h.fd, 0, SZ_2M);
		} while (!ret && !__atomic_load_n(&hold.over, __ATOMIC_ACQUIRE));
		thread_join(thread);
		hold.ms *= 2;
	} while (!ret && hold.ms < PATIENCE * 1000);
	CHECK_EQ(ret, -EAGAIN);
	CHECK_EQ(offset, PAGE * PAGE_SIZE);
	CHECK_EQ(hold.pfn, frame());
	gmem_make_private(h.fd, 0, SZ_2M);
}

static void *convert_there_and_back(void *arg)
{
	while (!__atomic_load_n(&h.over, __ATOMIC_RELAXED)) {
		/* May fail: in a VM the page's holder may keep it for too long. */
		if (gmem_convert(h.fd, PAGE * PAGE_SIZE, PAGE_SIZE,
				 KVM_MEMORY_ATTRIBUTE_PRIVATE, NULL) == 0)
			h.conversions++;
		gmem_make_shared(h.fd, PAGE * PAGE_SIZE, PAGE_SIZE);
	}
	return arg;
}

static void *ask_again_and_again(void *arg)
{
	while (!__atomic_load_n(&h.over, __ATOMIC_RELAXED)) {
		u64 pfn = 0;
		const long ret = get(h.gets++ & 1, 0, &pfn);

		CHECK(ret == 0 ? pfn == frame() : ret == -EAGAIN || ret == -EFAULT,
		      "%ld, frame %#lx and not %#lx", ret, pfn, frame());
	}
	return arg;
}

/* The state may have changed after KVM saw what kind of an access it is: tried again. */
static void check_access(enum vm_exit exit)
{
	struct vcpu *const vcpu = &h.vm->vcpus[0];

	for (int i = 0; i < 1000 && exit == EXIT_MEMORY_FAULT && vcpu->error == EFAULT; i++)
		exit = vcpu_run(vcpu);
	MUST(exit);
}

static void beside_conversions_and_faults(void)
{
	pthread_t converts, asks;
	double end;
	u64 n = 0;

	start();
	MUST(guest_write(&h.vm->vcpus[0], PAGE_GPA, 8, WORD));
	converts = thread_start(convert_there_and_back, NULL);
	asks = thread_start(ask_again_and_again, NULL);
	end = now() + 5;
	for (; !over_at(end, h.conversions > 10 && h.gets > 10); n++) {
		const struct mailbox *const mailbox = h.vm->vcpus[0].mailbox;

		/* No -EAGAIN comes out of a fault. */
		check_access(guest_touch_read(&h.vm->vcpus[0], PAGE_GPA, 8, 8, 1));
		CHECK_EQ(mailbox->all_and, WORD + n);
		check_access(guest_write(&h.vm->vcpus[0], PAGE_GPA, 8, WORD + n + 1));
	}
	__atomic_store_n(&h.over, true, __ATOMIC_RELAXED);
	thread_join(converts);
	thread_join(asks);
	CHECK(h.conversions > 10 && h.gets > 10, "%lu conversions, %lu requests", h.conversions,
	      h.gets);
	tap_diag("%lu accesses, %lu conversions, %lu requests", 2 * n, h.conversions, h.gets);
}

static void test_beside_conversions_and_faults(void)
{
	beside_conversions_and_faults();
}

/* Traced below. A tracer or probe of returns replaces the return address of a call. */
static const char *const names[] = { "kvm_gmem_get_pfn", "__gfn_to_pfn_memslot" };
static size_t nr_names; /* later kernels ask the first for shared pages, too */

static bool can_trace(void)
{
	return !access("/sys/kernel/tracing/current_tracer", W_OK);
}

static void beside_a_tracer(const char *tracer, char probe)
{
	if (!can_trace())
		tap_skip("no tracefs");
	tracefs_reset();
	if (tracer)
		tracefs_trace(tracer, names, nr_names);
	else
		tracefs_probe(probe, names, nr_names);
	beside_conversions_and_faults();
	for (size_t i = 0; i < nr_names; i++)
		CHECK(tracer ? tracefs_traced(names[i]) : tracefs_hits(names[i]),
		      "%s was not traced", names[i]);
	tracefs_reset();
}

static void test_beside_a_tracer_of_returns(void)
{
	beside_a_tracer("function_graph", 0);
}

static void test_beside_a_probe_of_returns(void)
{
	beside_a_tracer(NULL, 'r');
}


static const struct tap_test tests[] = {
	TAP_TEST(test_only_what_it_is),
	TAP_TEST(test_a_page_in_its_hands_stays_shared),
	TAP_TEST(test_beside_conversions_and_faults),
	TAP_TEST(test_beside_a_tracer_of_returns),
	TAP_TEST(test_beside_a_probe_of_returns),
};

int main(void)
{
	/* The kernel keeps memory of the first tracer and probes: that is no leak of a test's. */
	if (can_trace()) {
		nr_names = kernel_can_trace(names[1]) ? 2 : 1;
		tracefs_trace("function_graph", names, nr_names);
		tracefs_reset();
		tracefs_probe('r', names, nr_names);
		tracefs_reset();
	}
	return tap_main(tests, ARRAY_SIZE(tests));
}
