// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_MEMORY_ATTRIBUTES2 as a VMM meets it that was written for the kernel's own:
 * the rules of the series that Linux has taken up, one by one, in the order of the table in
 * docs/conversion.md. What a conversion does is in convert_test.c.
 *
 * Tests: gmem/conversion.cc, include/uapi/gmem.h.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "pins.h"
#include "stats.h"

#define FILE_SIZE	(4 * SZ_2M)
#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE
/* What error_offset holds on the way in. */
#define UNTOLD		0x1234567UL

static struct kvm_memory_attributes2 args_of(u64 offset, u64 size, u64 attributes)
{
	return (struct kvm_memory_attributes2){
		.offset = offset,
		.size = size,
		.attributes = attributes,
		.error_offset = UNTOLD,
	};
}

static int convert(int fd, struct kvm_memory_attributes2 *args)
{
	return ioctl(fd, KVM_SET_MEMORY_ATTRIBUTES2, args) ? -errno : 0;
}

/* An argument of which user space can read all and write nothing. */
static struct kvm_memory_attributes2 *read_only(struct kvm_memory_attributes2 args)
{
	struct kvm_memory_attributes2 *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
						   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED, "a page: %m");
	*page = args;
	CHECK_OK(mprotect(page, PAGE_SIZE, PROT_READ));
	return page;
}

/* A file that is shared at first, of which each page has been written to. */
static int shared_file(struct vm **vm, char **p)
{
	int fd;

	*vm = vm_create_private(1);
	fd = gmem_add_mappable(*vm, FILE_SIZE, SHARED_AT_FIRST);
	*p = gmem_map(fd, 0, FILE_SIZE);
	mem_fill(*p, TEST_GPA, FILE_SIZE, 1);
	return fd;
}

/* ---- how it is found ------------------------------------------------------------ */

static void test_capability(void)
{
	struct vm *private = vm_create_private(0), *plain = vm_create(KVM_X86_DEFAULT_VM, 0);
	struct utsname kernel;
	int old;

	/* The attributes that there are; without a VM, those that some VM has. */
	CHECK_EQ(vm_check(private, GMEM_CAP_MEMORY_ATTRIBUTES), PRIVATE);
	CHECK_EQ(vm_check(plain, GMEM_CAP_MEMORY_ATTRIBUTES), 0);
	CHECK_EQ(kvm_check(GMEM_CAP_MEMORY_ATTRIBUTES), PRIVATE);
	CHECK_EQ(vm_check(private, KVM_CAP_GUEST_MEMFD_FLAGS) & SHARED_AT_FIRST, SHARED_AT_FIRST);
	/* The number of before, which from 7.0 on is another's and nothing on x86. */
	CHECK_OK(uname(&kernel));
	old = strncmp(kernel.release, "6.12.", 5) ? 0 : 1;
	CHECK_EQ(vm_check(private, GMEM_CAP_MEMORY_ATTRIBUTES_OLD), old);
	CHECK_EQ(vm_check(plain, GMEM_CAP_MEMORY_ATTRIBUTES_OLD), 0);
	CHECK_EQ(kvm_check(GMEM_CAP_MEMORY_ATTRIBUTES_OLD), old);
	/* No other number that the series has had answers for it. */
	for (unsigned long cap = 245; cap < 252; cap++) {
		if (cap != GMEM_CAP_MEMORY_ATTRIBUTES_OLD)
			CHECK_EQ(vm_check(private, cap), 0);
	}
}

static void test_layout(void)
{
	CHECK_EQ(sizeof(struct kvm_memory_attributes2), 128);
	CHECK_EQ((unsigned int)KVM_SET_MEMORY_ATTRIBUTES2, 0xc080aed2);
	CHECK_EQ(__builtin_offsetof(struct kvm_memory_attributes2, error_offset), 32);
	CHECK_EQ(__builtin_offsetof(struct kvm_memory_attributes2, address), 0);
}

/* ---- which error comes first ------------------------------------------------------- */

static void test_order_of_errors(void)
{
	struct kvm_memory_attributes2 good = args_of(0, PAGE_SIZE, PRIVATE), bad = good;
	struct vm *private = vm_create_private(0), *plain = vm_create(KVM_X86_DEFAULT_VM, 0);
	int fd = vm_gmem(private, SZ_2M);

	bad.flags = 1;
	/* A file that does not convert, whatever the argument is. */
	CHECK_EQ(convert(fd, NULL), -ENOTTY);
	CHECK_EQ(convert(fd, &bad), -ENOTTY);
	CHECK_EQ(convert(fd, &good), -ENOTTY);
	/* A file of a VM without private memory, once the argument has been read. */
	fd = gmem_mappable(plain, SZ_2M, SHARED_AT_FIRST);
	CHECK_EQ(convert(fd, NULL), -EFAULT);
	CHECK_EQ(convert(fd, &good), -EINVAL);
	good.attributes = 0;
	CHECK_EQ(convert(fd, &good), -EINVAL);
	fd = gmem_mappable(private, SZ_2M, SHARED_AT_FIRST);
	CHECK_EQ(convert(fd, NULL), -EFAULT);
	CHECK_EQ(convert(fd, &bad), -EINVAL);
	CHECK_EQ(convert(fd, &good), 0);
	CHECK_EQ(good.error_offset, UNTOLD);
	CHECK_EQ(bad.error_offset, UNTOLD);
}

static void check_invalid(int fd, struct kvm_memory_attributes2 args)
{
	const struct kvm_memory_attributes2 before = args;

	CHECK_EQ(convert(fd, &args), -EINVAL);
	CHECK(!memcmp(&args, &before, sizeof(args)), "nothing is written back");
	/* So it does not matter that the argument cannot be written. */
	CHECK_EQ(convert(fd, read_only(args)), -EINVAL);
}

static void test_invalid(void)
{
	struct kvm_memory_attributes2 args;
	struct vm *vm;
	char *p;
	int fd = shared_file(&vm, &p);

	for (int bit = 0; bit < 64; bit++) {
		args = args_of(0, PAGE_SIZE, PRIVATE);
		args.flags = 1UL << bit;
		check_invalid(fd, args);
		if (1UL << bit != PRIVATE)
			check_invalid(fd, args_of(0, PAGE_SIZE, PRIVATE | 1UL << bit));
	}
	for (size_t i = 0; i < ARRAY_SIZE(args.reserved); i++) {
		args = args_of(0, PAGE_SIZE, PRIVATE);
		args.reserved[i] = 1;
		check_invalid(fd, args);
	}
	check_invalid(fd, args_of(0, 0, PRIVATE));
	check_invalid(fd, args_of(PAGE_SIZE, -PAGE_SIZE, PRIVATE));
	check_invalid(fd, args_of(1, PAGE_SIZE, PRIVATE));
	check_invalid(fd, args_of(0, PAGE_SIZE + 1, PRIVATE));
	check_invalid(fd, args_of(FILE_SIZE, PAGE_SIZE, PRIVATE));
	check_invalid(fd, args_of(0, FILE_SIZE + PAGE_SIZE, PRIVATE));
	CHECK(mem_holds(p, TEST_GPA, FILE_SIZE, 1), "all is shared");
}

/* ---- the fields that are written back ------------------------------------------------- */

static void test_success_writes_nothing(void)
{
	struct kvm_memory_attributes2 args = args_of(0, FILE_SIZE, PRIVATE);
	const struct kvm_memory_attributes2 before = args;
	struct vm *vm;
	char *p;
	int fd = shared_file(&vm, &p);

	CHECK_EQ(convert(fd, read_only(args)), 0);
	CHECK(mem_is_hidden(p) && mem_is_hidden(p + FILE_SIZE - 8), "all is private");
	CHECK_EQ(convert(fd, read_only(args_of(0, FILE_SIZE, 0))), 0);
	CHECK_EQ(convert(fd, &args), 0);
	CHECK_EQ(convert(fd, &args), 0);
	CHECK(!memcmp(&args, &before, sizeof(args)), "as it was");
}

static void test_page_in_use(void)
{
	static const u64 places[] = { 0, 3, 511, 512, 1500, FILE_SIZE / PAGE_SIZE - 1 };
	struct kvm_memory_attributes2 args, before = {};
	struct pin pin, later;
	struct vm *vm;
	char *p;
	int fd = shared_file(&vm, &p);

	pin_take(&later, PIN_VMSPLICE, p + FILE_SIZE - PAGE_SIZE, 1);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		u64 at = places[i] * PAGE_SIZE;

		pin_take(&pin, PIN_VMSPLICE, p + at, 1);
		args = before = args_of(0, FILE_SIZE, PRIVATE);
		before.error_offset = at;
		CHECK_EQ(convert(fd, &args), -EAGAIN);
		CHECK(!memcmp(&args, &before, sizeof(args)), "page %lu: told %#llx", places[i],
		      args.error_offset);
		/* Where that cannot be told. */
		CHECK_EQ(convert(fd, read_only(args)), -EFAULT);
		CHECK(mem_holds(p, TEST_GPA, FILE_SIZE, 1), "nothing has changed");
		/* In front of it all can go; shared it is already. */
		args = args_of(0, at, PRIVATE);
		CHECK_EQ(convert(fd, &args), at ? 0 : -EINVAL);
		CHECK_EQ(convert(fd, read_only(args_of(0, FILE_SIZE, 0))), 0);
		pin_release(&pin);
	}
	pin_release(&later);
	/* As it came back it is tried again. */
	args = before;
	CHECK_EQ(convert(fd, &args), 0);
	CHECK(mem_is_hidden(p), "private now");
}

/* ---- pages that are as wanted already ------------------------------------------------- */

static void test_nothing_to_do(void)
{
	struct kvm_memory_attributes2 args = args_of(0, FILE_SIZE, 0);
	struct pin pin;
	struct vm *vm;
	char *p;
	int fd = shared_file(&vm, &p), other = dup(fd);
	u64 faults;

	MUST(guest_check(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	faults = kvm_stat(vm->vcpus[0].fd, "pf_fixed");
	pin_take(&pin, PIN_VMSPLICE, p + SZ_2M, 4);
	CHECK_EQ(convert(fd, &args), 0);
	/* Whichever descriptor it is of the file. */
	CHECK_EQ(convert(other, &args), 0);
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	CHECK_EQ(kvm_stat(vm->vcpus[0].fd, "pf_fixed"), faults);
	pin_release(&pin);
	CHECK_OK(close(other));
}

/* ---- signals --------------------------------------------------------------------------- */

static atomic_ulong interruptions;
static atomic_bool done;

static void on_signal(int sig)
{
	(void)sig;
	interruptions++;
}

static void *interrupt_often(void *thread)
{
	while (!done) {
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
		let_pass(2000);
	}
	return NULL;
}

/* A task that is not killed is not told of signals. */
static void test_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct kvm_memory_attributes2 args;
	pthread_t self = pthread_self(), other;
	struct pin pin;
	struct vm *vm;
	char *p;
	int fd = shared_file(&vm, &p);

	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	pin_take(&pin, PIN_VMSPLICE, p + SZ_2M, 1);
	other = thread_start(interrupt_often, &self);
	for (int i = 0; i < 10 || interruptions < 20; i++) {
		args = args_of(0, FILE_SIZE, PRIVATE);
		CHECK_EQ(convert(fd, &args), -EAGAIN);
		CHECK_EQ(args.error_offset, SZ_2M);
		CHECK_EQ(vm_set_attributes(vm, TEST_GPA, FILE_SIZE, PRIVATE), -EAGAIN);
	}
	done = true;
	thread_join(other);
	CHECK(mem_holds(p, TEST_GPA, FILE_SIZE, 1), "nothing has changed");
	pin_release(&pin);
	CHECK_EQ(convert(fd, &args), 0);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_capability),
	TAP_TEST(test_layout),
	TAP_TEST(test_order_of_errors),
	TAP_TEST(test_invalid),
	TAP_TEST(test_success_writes_nothing),
	TAP_TEST(test_page_in_use),
	TAP_TEST(test_nothing_to_do),
	TAP_TEST(test_signals),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
