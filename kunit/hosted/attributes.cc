// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_MEMORY_ATTRIBUTES of a VM whose memslots are on converting files, on
 * several of them and on none: all or nothing.
 *
 * Tests: mmu/attributes.cc.
 */
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

/*
 * gfns      0..1024  file a from 0 on
 *        1024..1536  nothing
 *        1536..2048  a file that cannot be mapped
 *        2048..2560  file b from 512 on
 *        2560..3072  file a from 1024 on
 *        3072..4096  nothing
 */
class Vm {
    public:
	Vm()
		: vm(world_vm(fake::kSwProtectedVm)), a(vm, 1536, kInitShared),
		  b(vm, 1024, kInitShared), plain(vm, 512, 0)
	{
		add(0, 1024, a.fd, 0);
		add(1536, 512, plain.fd, 0);
		add(2048, 512, b.fd, 512);
		add(2560, 512, a.fd, 1024);
	}
	~Vm()
	{
		for (unsigned i = 0; i < slots; i++)
			fake::slot_delete(vm, slot[i]);
		a.close();
		b.close();
		plain.close();
		world_vm_put(vm);
	}

	bool all(bool is_private) const
	{
		return is_private ? a.is_private(0, 1536) && b.is_private(512, 1024)
				  : a.shared(0, 1536) && b.shared(512, 1024);
	}
	bool attributes(std::uint64_t start, std::uint64_t end, bool is_private) const
	{
		return attributes_of(vm, start, end, is_private);
	}

	struct kvm *vm;
	GuestFile a, b, plain;

    private:
	void add(std::uint64_t gfn, std::uint64_t npages, int fd, std::uint64_t offset)
	{
		EXPECT_EQ(fake::slot_add(vm, gfn, npages, fd, offset, &slot[slots++]), 0);
	}

	struct kvm_memory_slot *slot[4];
	unsigned slots = 0;
};

void over_everything()
{
	const Vm v;

	EXPECT(v.a.user_write(5, 55) && v.b.user_write(600, 66));
	EXPECT_EQ(fake::set_attributes(v.vm, 0, 4096, false), 0);
	EXPECT(v.all(false) && v.attributes(0, 4096, false));
	EXPECT_EQ(fake::set_attributes(v.vm, 0, 4096, true), 0);
	EXPECT(v.all(true) && v.attributes(0, 4096, true));
	EXPECT(v.b.shared(0, 512));
	EXPECT_EQ(fake::fault(v.vm, 5), 0);
	EXPECT_EQ(fake::fault(v.vm, 2048 + 88), 0);
	EXPECT_EQ(fake::fault(v.vm, 1600), 0);
	EXPECT_EQ(v.a.touch(5), -EFAULT);
	EXPECT_EQ(fake::set_attributes(v.vm, 0, 4096, false), 0);
	EXPECT(v.all(false) && v.attributes(0, 4096, false));
	EXPECT_EQ(fake::mapped_order(v.vm, 1600), -1);
	EXPECT_EQ(v.b.user_read(600), 66u);
}

void parts()
{
	const Vm v;

	EXPECT_EQ(fake::set_attributes(v.vm, 0, 4096, false), 0);
	/* From within one memslot into another, over a gap. */
	EXPECT_EQ(fake::set_attributes(v.vm, 1000, 2100, true), 0);
	EXPECT(v.a.shared(0, 1000) && v.a.is_private(1000, 1024) && v.a.shared(1024, 1536));
	EXPECT(v.b.shared(0, 512) && v.b.is_private(512, 564) && v.b.shared(564, 1024));
	EXPECT(v.attributes(0, 1000, false) && v.attributes(1000, 2100, true));
	EXPECT(v.attributes(2100, 4096, false));
	/* A gap alone; a file that cannot be mapped. */
	EXPECT_EQ(fake::set_attributes(v.vm, 1100, 1700, false), 0);
	EXPECT(v.attributes(1100, 1700, false) && v.attributes(1700, 2100, true));
	EXPECT_EQ(fake::set_attributes(v.vm, 3072, 3073, true), 0);
	EXPECT(v.attributes(3072, 3073, true));
	/* Two memslots of one file. */
	EXPECT_EQ(fake::set_attributes(v.vm, 2559, 2561, true), 0);
	EXPECT(v.b.is_private(1023, 1024) && v.a.is_private(1024, 1025));
	/* A later conversion through the file finds it so. */
	EXPECT_EQ(v.a.convert(0, 1536, Share::kPrivate), 0);
	EXPECT(v.attributes(0, 1024, true) && v.attributes(2560, 3072, true));
}

void a_pin_in_the_last_file_leaves_all_as_it_was()
{
	const Vm v;
	struct page *const pinned = v.b.pin(700);

	REQUIRE(pinned);
	EXPECT_EQ(fake::set_attributes(v.vm, 0, 4096, false), 0);
	EXPECT_EQ(fake::set_attributes(v.vm, 1000, 4096, true), -EAGAIN);
	EXPECT(v.all(false) && v.attributes(0, 4096, false));
	EXPECT_EQ(fake::set_attributes(v.vm, 0, 2048 + 188, true), 0);
	fake::user_unpin(pinned);
	EXPECT_EQ(fake::set_attributes(v.vm, 0, 4096, true), 0);
	EXPECT(v.all(true) && v.attributes(0, 4096, true));
}

void each_import_fails()
{
	for (const bool to_private : { true, false }) {
		bool fired = true;

		for (unsigned n = 1; fired; n++) {
			const Vm v;

			EXPECT_EQ(fake::set_attributes(v.vm, 0, 4096, !to_private), 0);
			fake::fail_nth(n);
			const long ret = fake::set_attributes(v.vm, 0, 4096, to_private);

			fired = fake::fail_fired();
			fake::fail_nth(0);
			EXPECT_EQ(ret, fired ? -ENOMEM : 0);
			EXPECT(v.all(fired ? !to_private : to_private));
			EXPECT(v.attributes(0, 4096, fired ? !to_private : to_private));
			/* To shared needs nothing. */
			EXPECT(to_private ? fired || n > 2 : !fired);
		}
	}
}

void bad_requests_are_refused()
{
	const Vm v;
	const unsigned long before = fake::stock_vm_ioctls();

	EXPECT_EQ(fake::set_attributes(v.vm, 5, 5, true), -EINVAL);
	EXPECT_EQ(gmem_kvm_vm_ioctl(reinterpret_cast<struct file *>(v.vm), fake::kSetAttributes, 0),
		  -EFAULT);
	EXPECT_EQ(fake::stock_vm_ioctls(), before);
	fake::set_vm_usable(false);
	EXPECT_EQ(fake::set_attributes(v.vm, 1100, 1101, true), -EIO);
	fake::set_vm_usable(true);
	EXPECT(v.all(false));
}

} /* namespace */

GMEM_SUITE(attributes, CASE(over_everything), CASE(parts),
	   CASE(a_pin_in_the_last_file_leaves_all_as_it_was), CASE(each_import_fails),
	   CASE(bad_requests_are_refused));
