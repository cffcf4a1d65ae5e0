// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversion of a file's range (KVM_SET_MEMORY_ATTRIBUTES2): its arguments, and what becomes
 * of what shows the pages. The pages themselves are in share.cc, what refuses a conversion
 * is in convert_refused.cc, the VM's ioctl in attributes.cc.
 *
 * Tests: gmem/conversion.cc.
 */
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

long raw(const Guest &g, std::uint64_t offset, std::uint64_t size, std::uint64_t attributes,
	 std::uint64_t flags = 0, unsigned reserved = 99)
{
	struct kvm_memory_attributes2 args = {};

	args.offset = offset;
	args.size = size;
	args.attributes = attributes;
	args.flags = flags;
	if (reserved < std::size(args.reserved))
		args.reserved[reserved] = 1;

	const long ret = gmem_file_convert(File::of(g.file.handle), &args);

	fake::check_shares();
	return ret;
}

void bad_arguments()
{
	const Guest g{ 1024, kInitShared };
	constexpr std::uint64_t kPrivate = fake::kPrivateAttribute, kEnd = 1024 * kPageSize;
	constexpr std::uint64_t kTop = ~0ull << kPageShift;

	/* Misaligned, empty, past the end, overflowing. */
	EXPECT_EQ(raw(g, 1, kPageSize, kPrivate), -EINVAL);
	EXPECT_EQ(raw(g, 0, kPageSize - 1, kPrivate), -EINVAL);
	EXPECT_EQ(raw(g, 0, kPageSize + 1, kPrivate), -EINVAL);
	EXPECT_EQ(raw(g, 0, 0, kPrivate), -EINVAL);
	EXPECT_EQ(raw(g, kEnd, kPageSize, kPrivate), -EINVAL);
	EXPECT_EQ(raw(g, 0, kEnd + kPageSize, kPrivate), -EINVAL);
	EXPECT_EQ(raw(g, kTop, kPageSize, kPrivate), -EINVAL);
	EXPECT_EQ(raw(g, kTop, 2 * kPageSize, kPrivate), -EINVAL);
	EXPECT_EQ(raw(g, kPageSize, kTop, kPrivate), -EINVAL);
	EXPECT_EQ(raw(g, kTop, kTop, kPrivate), -EINVAL);
	for (unsigned bit = 0; bit < 64; bit++) {
		if (1ull << bit != kPrivate)
			EXPECT_EQ(raw(g, 0, kPageSize, 1ull << bit | kPrivate), -EINVAL);
		EXPECT_EQ(raw(g, 0, kPageSize, kPrivate, 1ull << bit), -EINVAL);
	}
	for (unsigned i = 0; i < 11; i++)
		EXPECT_EQ(raw(g, 0, kPageSize, kPrivate, 0, i), -EINVAL);
	EXPECT(g.file.shared(0, 1024));
	EXPECT(g.attributes(0, 1024, false));
	EXPECT_EQ(raw(g, 0, kEnd, kPrivate), 0);
	EXPECT(g.file.is_private(0, 1024));
}

/* A device backend has a descriptor, by which it must not get at private memory. */
void a_descriptor_is_not_enough()
{
	const Guest g{ 16, kMmap };

	EXPECT(g.write(3, 33));
	fake::deny_memory_of(g.vm);
	EXPECT_EQ(raw(g, 0, 16 * kPageSize, 0), -EPERM);
	EXPECT_EQ(raw(g, 0, 16 * kPageSize, fake::kPrivateAttribute), -EPERM);
	EXPECT_EQ(g.file.user_read(3), kNothing);
	EXPECT(g.file.is_private(0, 16));
	fake::deny_memory_of(nullptr);
	EXPECT_EQ(raw(g, 0, 16 * kPageSize, 0), 0);
	EXPECT_EQ(g.file.user_read(3), 33u);
}

void files_that_do_not_convert()
{
	const Guest plain{ 16, 0 }, d{ 16, kInitShared, fake::kDefaultVm };

	EXPECT_EQ(raw(plain, 0, kPageSize, 0), -ENOTTY);
	EXPECT_EQ(raw(d, 0, kPageSize, fake::kPrivateAttribute), -EINVAL);
	EXPECT_EQ(raw(d, 0, kPageSize, 0), -EINVAL);
}

void content_stays_both_ways()
{
	const Guest g{ 1024, kInitShared };

	EXPECT(g.file.user_write(5, 77));
	EXPECT_EQ(g.file.convert(5, 6, Share::kPrivate), 0);
	EXPECT(!g.file.mapped(5));
	EXPECT_EQ(g.file.touch(5), -EFAULT);
	EXPECT_EQ(fake::shared_fault(g.vm, 5), -ENOENT);
	EXPECT_EQ(g.read(5), 77u);
	EXPECT(g.write(5, 78));
	EXPECT_EQ(g.file.convert(5, 6, Share::kShared), 0);
	EXPECT_EQ(g.order(5), -1);
	EXPECT_EQ(g.file.user_read(5), 78u);
	EXPECT_EQ(g.read(5), 78u);
}

void several_memslots_at_offsets()
{
	Guest g{ 16, kInitShared };
	const GuestFile file{ g.vm, 2048, kInitShared };
	struct kvm_memory_slot *low, *high;

	EXPECT_EQ(fake::slot_add(g.vm, 4096 + 100, 300, file.fd, 100, &low), 0);
	EXPECT_EQ(fake::slot_add(g.vm, 1024, 512, file.fd, 1300, &high), 0);
	EXPECT_EQ(file.convert(390, 1310, Share::kPrivate), 0);
	EXPECT(g.attributes(4096 + 100, 4096 + 390, false));
	EXPECT(g.attributes(4096 + 390, 4096 + 400, true));
	EXPECT(g.attributes(1024, 1034, true) && g.attributes(1034, 1536, false));
	EXPECT(g.write(1033, 33) && g.write(1034, 34));
	EXPECT_EQ(file.touch(1309), -EFAULT);
	EXPECT_EQ(file.user_read(1310), 34u);
	EXPECT_EQ(file.convert(0, 2048, Share::kShared), 0);
	EXPECT_EQ(file.user_read(1309), 33u);
	EXPECT(g.attributes(1024, 1536, false));
	fake::slot_delete(g.vm, low);
	fake::slot_delete(g.vm, high);
	/* No memslot shows the file now. */
	EXPECT_EQ(file.convert(0, 2048, Share::kPrivate), 0);
	EXPECT(g.attributes(1024, 1536, false));
}

/* A memslot that comes later finds the file's state. */
void binding_tells_kvm_the_state()
{
	Guest g{ 16, kInitShared };
	const GuestFile file{ g.vm, 1024, kMmap };
	struct kvm_memory_slot *slot;

	EXPECT_EQ(file.convert(5, 600, Share::kShared), 0);
	for (unsigned round = 0; round < 2; round++) {
		/* Whatever the attributes were. */
		fake::set_private(g.vm, 4096, 5120, round);
		EXPECT_EQ(fake::slot_add(g.vm, 4096, 1024, file.fd, 0, &slot), 0);
		EXPECT(g.attributes(4096, 4101, true) && g.attributes(4101, 4696, false));
		EXPECT(g.attributes(4696, 5120, true));
		fake::slot_delete(g.vm, slot);
	}
	/* Without the memory for that it is not bound. */
	bool fired = true;

	for (unsigned n = 1; fired; n++) {
		fake::fail_nth(n);
		const int ret = fake::slot_add(g.vm, 4096, 1024, file.fd, 0, &slot);

		fired = fake::fail_fired();
		fake::fail_nth(0);
		EXPECT_EQ(ret, fired ? -ENOMEM : 0);
		EXPECT(n > 3 || fired);
		if (fired)
			EXPECT(!File::of(file.handle)
					->bindings()
					.first_overlapping(pages(0, 1024)));
	}
	fake::slot_delete(g.vm, slot);
}

/* Populate takes only private pages that have not been used. */
void populate_of_a_converting_file()
{
	const Guest g{ 512, kMmap };
	Filler filler;

	EXPECT_EQ(filler.populate(g.vm, 5, 2), 2);
	EXPECT_EQ(g.file.convert(6, 7, Share::kShared), 0);
	EXPECT_EQ(g.file.user_read(6), 1001u);
	EXPECT_EQ(filler.populate(g.vm, 6, 1), -EINVAL);
	EXPECT_EQ(g.file.convert(6, 7, Share::kPrivate), 0);
	EXPECT_EQ(filler.populate(g.vm, 6, 1), -EEXIST);
	EXPECT_EQ(g.read(5), 1000u);
}

/* An access as what the page is no longer comes to nothing: KVM drops what it got. */
void a_fault_too_late()
{
	const Guest g{ 512, kInitShared };
	struct page *const zero = kapi_page_zero();
	const std::uint64_t seq = g.vm->invalidate_seq;
	gmem_u64 pfn;

	EXPECT_EQ(gmem_kvm_fault_pfn(g.vm, g.slot, 5, &pfn, nullptr), 0);
	EXPECT_EQ(pfn, kapi_page_pfn(zero));
	EXPECT(g.vm->invalidate_seq != seq);
	kapi_page_put(zero);
	kapi_page_put(zero);
}

} /* namespace */

GMEM_SUITE(conversion, CASE(bad_arguments), CASE(a_descriptor_is_not_enough),
	   CASE(files_that_do_not_convert), CASE(content_stays_both_ways),
	   CASE(several_memslots_at_offsets), CASE(binding_tells_kvm_the_state),
	   CASE(a_fault_too_late), CASE(populate_of_a_converting_file));
