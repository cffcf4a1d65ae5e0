// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversion as user space meets it: the rules of the series that Linux has taken up, one
 * by one (docs/conversion.md, "The published ABI"). What a conversion does is in
 * conversion.cc.
 *
 * Tests: gmem/conversion.cc, mmu/vms.cc, include/uapi/gmem.h.
 */
#include <cstring>

#include "kunit/fakes/module.h"
#include "kunit/fakes/platform.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kPrivate = fake::kPrivateAttribute, kUntold = 0x1234567;

struct Args : kvm_memory_attributes2 {
	Args(std::uint64_t start, std::uint64_t end, bool to_private) : kvm_memory_attributes2{}
	{
		offset = start * kPageSize;
		size = (end - start) * kPageSize;
		attributes = to_private ? kPrivate : 0;
		/* Whatever it is on the way in. */
		error_offset = kUntold;
	}
};

long raw(const Guest &g, void *user)
{
	const long ret = gmem_file_convert(File::of(g.file.handle), user);

	fake::return_to_user();
	fake::check_shares();
	return ret;
}

/* ---- which error comes first ----------------------------------------------------------- */

void a_file_that_does_not_convert_reads_nothing()
{
	const Guest plain{ 16, 0 }, d{ 16, kInitShared, fake::kDefaultVm };
	Args bad{ 0, 1, false };

	bad.flags = 1;
	EXPECT_EQ(raw(plain, nullptr), -ENOTTY);
	EXPECT_EQ(raw(plain, &bad), -ENOTTY);
	EXPECT_EQ(raw(d, nullptr), -EFAULT);
	EXPECT_EQ(raw(d, &bad), -EINVAL);
	EXPECT_EQ(bad.error_offset, kUntold);
}

void arguments_come_before_rights_and_views()
{
	Guest g{ 16, kInitShared };
	Args good{ 0, 16, true }, bad{ 0, 17, true };
	struct kvm *const heir = world_vm(fake::kSwProtectedVm);

	EXPECT_EQ(raw(g, nullptr), -EFAULT);
	fake::deny_memory_of(g.vm);
	EXPECT_EQ(raw(g, nullptr), -EFAULT);
	EXPECT_EQ(raw(g, &bad), -EINVAL);
	EXPECT_EQ(raw(g, &good), -EPERM);
	fake::deny_memory_of(nullptr);

	const int fd = fake::link(heir, g.file.fd);

	REQUIRE(fd >= 0);
	EXPECT_EQ(raw(g, &bad), -EINVAL);
	EXPECT_EQ(raw(g, &good), -ESTALE);
	EXPECT_EQ(good.error_offset, kUntold);
	EXPECT_EQ(bad.error_offset, kUntold);
	fake::close_fd(fd);
	world_vm_put(heir);
}

/* ---- the fields that are written back --------------------------------------------------- */

void success_is_told_by_nothing_but_the_result()
{
	const Guest g{ 16, kInitShared };
	Args to_private{ 3, 7, true };
	const Args before = to_private;

	/* The argument may lie where it cannot be written. */
	fake::set_user_gone_for_writing(true);
	EXPECT_EQ(raw(g, &to_private), 0);
	EXPECT(g.file.shared(0, 3) && g.file.is_private(3, 7) && g.file.shared(7, 16));
	/* All is as wanted already. */
	EXPECT_EQ(raw(g, &to_private), 0);
	fake::set_user_gone_for_writing(false);
	EXPECT_EQ(raw(g, &to_private), 0);
	EXPECT(std::memcmp(&to_private, &before, sizeof(before)) == 0);
}

void an_error_about_a_page_says_which()
{
	const Guest g{ 1024, kInitShared };
	Args args{ 3, 1000, true };
	struct page *const pinned = g.file.pin(600);

	REQUIRE(pinned);
	EXPECT_EQ(raw(g, &args), -EAGAIN);
	EXPECT_EQ(args.error_offset, 600 * kPageSize);
	EXPECT_EQ(args.offset, 3 * kPageSize);
	EXPECT_EQ(args.size, 997 * kPageSize);
	EXPECT_EQ(args.attributes, kPrivate);
	/* Where that cannot be told, that is the error. Nothing has changed. */
	fake::set_user_gone_for_writing(true);
	EXPECT_EQ(raw(g, &args), -EFAULT);
	fake::set_user_gone_for_writing(false);
	EXPECT(g.file.shared(0, 1024) && g.attributes(0, 1024, false));
	fake::user_unpin(pinned);
	/* As it came back, it can be tried again. */
	EXPECT_EQ(raw(g, &args), 0);
	EXPECT(g.file.is_private(3, 1000));
}

/* The error names the start of the range, not the run that there was no memory for. */
void missing_memory_is_of_the_whole_range()
{
	unsigned missing = 0;

	for (unsigned n = 2;; n++) {
		const Guest g{ 4096, kInitShared };
		Args args{ 7, 4000, true };

		fake::fail_nth(n);
		const long ret = raw(g, &args);
		const bool fired = fake::fail_fired();

		fake::fail_nth(0);
		if (!fired)
			break;
		EXPECT_EQ(ret, -ENOMEM);
		EXPECT_EQ(args.error_offset, 7 * kPageSize);
		EXPECT(g.file.shared(0, 4096));
		missing++;
	}
	/* A record of each run, at least. */
	EXPECT(missing >= 8);
}

/* ---- pages that are as wanted already ----------------------------------------------------- */

void nothing_is_asked_of_what_is_as_wanted()
{
	const Guest g{ 1024, kInitShared };
	Args to_shared{ 0, 1024, false }, to_private{ 0, 600, true };

	EXPECT(g.file.user_write(5, 55));
	struct page *const pinned = g.file.pin(5);

	REQUIRE(pinned);
	EXPECT(fake::memory_failure(g.file.inode().handle(), 700) || !g.file.cached(700));
	EXPECT_EQ(raw(g, &to_shared), 0);
	EXPECT(g.file.mapped(5));
	fake::user_unpin(pinned);
	EXPECT_EQ(raw(g, &to_private), 0);
	EXPECT(g.write(9, 99));
	EXPECT(fake::memory_failure(g.file.inode().handle(), 9));
	fake::return_to_user();
	EXPECT_EQ(raw(g, &to_private), 0);
}

/* ---- signals --------------------------------------------------------------------------------- */

/* Only a task that is killed gets EINTR. */
void signals_are_no_error()
{
	const Guest g{ 2048, kInitShared };

	for (unsigned n = 1; n <= 8; n++) {
		Args args{ 0, 2048, n % 2 != 0 };

		fake::set_signal_after(n);
		EXPECT_EQ(raw(g, &args), 0);
	}
	fake::set_signal_after(1);
	struct page *const pinned = g.file.pin(5);
	Args args{ 0, 2048, true };
	const unsigned long slept = fake::times_slept();

	REQUIRE(pinned);
	EXPECT_EQ(raw(g, &args), -EAGAIN);
	EXPECT_EQ(args.error_offset, 5 * kPageSize);
	EXPECT_EQ(fake::times_slept(), slept);
	fake::set_signal_after(0);
	fake::set_killed_after(1);
	EXPECT_EQ(raw(g, &args), -EINTR);
	fake::set_killed_after(0);
	fake::user_unpin(pinned);
}

/* ---- how it is found ------------------------------------------------------------------------- */

/* What was answered under the number that our header had before. */
int old_answer(struct kvm *vm)
{
	return gmem_kvm_check_extension(vm, 249);
}

void the_capability_has_a_number_of_its_own()
{
	struct kvm *const vm = world_vm(fake::kSwProtectedVm), *const plain = world_vm(0);

	/* Here there is no other header that could have it. */
	static_assert(KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES == GMEM_CAP_MEMORY_ATTRIBUTES);
	fake::stock().answer = 0;
	EXPECT_EQ(gmem_kvm_check_extension(vm, 0x676d0003), static_cast<int>(kPrivate));
	EXPECT_EQ(gmem_kvm_check_extension(plain, 0x676d0003), 0);
	EXPECT_EQ(gmem_kvm_check_extension(nullptr, 0x676d0003), static_cast<int>(kPrivate));
	/* The old number still answers, while the kernel has no capability of that number. */
	EXPECT_EQ(old_answer(vm), 1);
	EXPECT_EQ(old_answer(plain), 0);
	EXPECT_EQ(old_answer(nullptr), 1);
	fake::set_capability_taken(249);
	EXPECT_EQ(old_answer(vm), 0);
	fake::stock().answer = 77;
	EXPECT_EQ(old_answer(vm), 77);
	EXPECT_EQ(gmem_kvm_check_extension(vm, 0x676d0003), static_cast<int>(kPrivate));
	fake::set_capability_taken(0);
	fake::stock().answer = 0;
	/* Nor where no file converts. */
	fake::set_features(~static_cast<unsigned>(KAPI_FEATURE_SHARED));
	EXPECT_EQ(old_answer(vm), 0);
	EXPECT_EQ(gmem_kvm_check_extension(vm, 0x676d0003), 0);
	fake::set_features(~0u);
	for (const long other : { 245l, 246l, 247l, 248l, 250l, 251l })
		EXPECT_EQ(gmem_kvm_check_extension(vm, other), 0);
	world_vm_put(vm);
	world_vm_put(plain);
}

} /* namespace */

GMEM_SUITE(convert_abi, CASE(a_file_that_does_not_convert_reads_nothing),
	   CASE(arguments_come_before_rights_and_views),
	   CASE(success_is_told_by_nothing_but_the_result), CASE(an_error_about_a_page_says_which),
	   CASE(missing_memory_is_of_the_whole_range), CASE(nothing_is_asked_of_what_is_as_wanted),
	   CASE(signals_are_no_error), CASE(the_capability_has_a_number_of_its_own));
