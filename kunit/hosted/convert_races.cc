// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversion and everything that can meet it, in every order of their steps, up to
 * a number of preemptions. The fakes check at each step that only the right side sees
 * a page. The cases here check what must be true when all is done.
 *
 * Tests: gmem/conversion.cc, gmem/holder.cc, mmu/faults.cc.
 */
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "kunit/fakes/sched.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

std::unique_ptr<Guest> g;

constexpr std::uint64_t kOld = 0x01d, kNew = 0x2e;

/* A file that user space and the guest have used, shared or private. */
void start(bool is_private, std::uint64_t npages = 512)
{
	g = std::make_unique<Guest>(npages, kInitShared);
	for (unsigned i = 0; i < 8; i++)
		EXPECT(g->file.user_write(i, kOld + i));
	if (is_private)
		EXPECT_EQ(g->file.convert(0, npages, Share::kPrivate), 0);
	EXPECT_EQ(g->access(5), 0);
}

void finish()
{
	fake::check_shares();
	g.reset();
	fake::check_clean();
}

/* A vCPU, only so often that it comes to an end. */
void access_twice(std::uint64_t gfn)
{
	int ret = fake::guest_access(g->vm, gfn);

	if (ret == -EAGAIN || ret == -ENOENT)
		ret = fake::guest_access(g->vm, gfn);
	EXPECT(ret == 0 || ret == -EAGAIN || ret == -ENOENT || ret == -EFAULT ||
	       ret == -EHWPOISON || ret == -ENODEV);
}

void touch(std::uint64_t index)
{
	const int ret = g->file.touch(index);

	EXPECT(ret == 0 || ret == -EFAULT);
}

void convert(std::uint64_t start_at, std::uint64_t end, Share to)
{
	const int ret = g->file.convert(start_at, end, to);

	/* A fault under way is waited for, but not for ever: here it may never go on. */
	EXPECT(ret == 0 || (ret == -EAGAIN && to == Share::kPrivate));
}

unsigned preemptions(unsigned by_default)
{
	const char *const chosen = std::getenv("GMEM_PREEMPTIONS");

	return chosen ? by_default + std::strtoul(chosen, nullptr, 0) : by_default;
}

void explore(const char *name, unsigned bound, fake::sched::Scenario scenario)
{
	const unsigned long schedules = fake::sched::explore(scenario, preemptions(bound));

	std::printf("  %s: %lu schedules\n", name, schedules);
	EXPECT(schedules > 10);
}

/* The page at @index has what was written, private or shared. */
void check_content(std::uint64_t index)
{
	EXPECT_EQ(g->read(index), kOld + index);
}

void two_conversions()
{
	static constexpr unsigned spans[][4] = {
		{ 0, 4, 2, 6 }, { 0, 8, 2, 4 }, { 0, 4, 4, 8 }, { 0, 512, 5, 6 }
	};

	for (const auto &s : spans) {
		for (unsigned kinds = 0; kinds < 4; kinds++) {
			explore("two conversions", 2,
				{ [&] { start(kinds & 1); },
				  { [&] { convert(s[0], s[1], private_if(kinds & 2)); },
				    [&] { convert(s[2], s[3], shared_if(kinds & 1)); } },
				  [] {
					  fake::check_shares();
					  for (unsigned i = 0; i < 8; i++)
						  check_content(i);
					  finish();
				  } });
		}
	}
}

void conversion_and_shared_fault()
{
	explore("to private, shared fault", 2,
		{ [] { start(false); },
		  { [] { convert(5, 6, Share::kPrivate); }, [] { access_twice(5); } },
		  [] {
			  check_content(5);
			  finish();
		  } });
	explore("to private, shared fault of a neighbour", 2,
		{ [] { start(false); },
		  { [] { convert(5, 6, Share::kPrivate); }, [] { access_twice(6); } },
		  [] {
			  unsigned order;

			  EXPECT_EQ(g->access(7, &order), 0);
			  EXPECT_EQ(order, g->file.shared(5, 6) ? kRunOrder : 0u);
			  check_content(6);
			  finish();
		  } });
	explore("to shared, shared fault", 2,
		{ [] { start(true); },
		  { [] { convert(5, 6, Share::kShared); }, [] { access_twice(5); } },
		  [] {
			  EXPECT(g->file.shared(5, 6));
			  check_content(5);
			  finish();
		  } });
}

void conversion_and_private_fault()
{
	explore("to shared, private fault of a neighbour", 2,
		{ [] { start(true); },
		  { [] { convert(5, 6, Share::kShared); }, [] { access_twice(6); } },
		  [] {
			  EXPECT_EQ(g->file.user_read(5), kOld + 5);
			  check_content(6);
			  finish();
		  } });
	explore("to private of nothing, private fault", 2,
		{ [] { g = std::make_unique<Guest>(512, kInitShared); },
		  { [] { convert(0, 512, Share::kPrivate); }, [] { access_twice(5); } },
		  [] {
			  EXPECT_EQ(g->read(5), 0u);
			  finish();
		  } });
}

void conversion_and_user_touch()
{
	for (const bool to_private : { true, false }) {
		explore("conversion, user touch", 2,
			{ [&] { start(!to_private); },
			  { [&] { convert(5, 6, private_if(to_private)); }, [] { touch(5); } },
			  [] {
				  check_content(5);
				  finish();
			  } });
	}
	explore("to private, user write elsewhere", 2,
		{ [] { start(false); },
		  { [] { convert(4, 6, Share::kPrivate); },
		    [] { EXPECT(g->file.user_write(6, kNew)); } },
		  [] {
			  EXPECT_EQ(g->read(6), kNew);
			  check_content(5);
			  finish();
		  } });
	explore("to private, two user touches", 1,
		{ [] { start(false); },
		  { [] { convert(5, 7, Share::kPrivate); }, [] { touch(5); }, [] { touch(6); } },
		  finish });
}

/* The same where the inode lock is let go of after each run and each stretch. */
void conversion_in_turns()
{
	fake::set_work_ms(35);
	for (const bool to_private : { true, false }) {
		explore("in turns, user touch", 2,
			{ [&] { start(!to_private, 1024); },
			  { [&] { convert(5, 600, private_if(to_private)); }, [] { touch(7); } },
			  [] {
				  check_content(7);
				  finish();
			  } });
		explore("in turns, punch", 2,
			{ [&] { start(!to_private, 1024); },
			  { [&] { convert(5, 600, private_if(to_private)); },
			    [] { EXPECT_EQ(g->file.punch(6, 520), 0); } },
			  [] {
				  check_content(5);
				  finish();
			  } });
		explore("in turns, fault", 2,
			{ [&] { start(!to_private, 1024); },
			  { [&] { convert(4, 600, private_if(to_private)); },
			    [] { access_twice(5); } },
			  [] {
				  check_content(5);
				  finish();
			  } });
		explore("gfns in turns, user touch", 2,
			{ [&] { start(!to_private, 1024); },
			  { [&] {
				   const long ret = fake::set_attributes(g->vm, 3, 900, to_private);

				   EXPECT(ret == 0 || ret == -EAGAIN);
			   },
			    [] { touch(4); } },
			  [] {
				  check_content(4);
				  finish();
			  } });
	}
	fake::set_work_ms(0);
}

/* The fault makes the record that the conversion has made one for. */
void conversion_and_first_fault()
{
	explore("to private, first fault of a run", 2,
		{ [] { start(false, 1024); },
		  { [] { convert(0, 1024, Share::kPrivate); }, [] { access_twice(700); } },
		  [] {
			  EXPECT(g->file.shared(0, 1024) || g->file.is_private(0, 1024));
			  EXPECT_EQ(g->access(700), 0);
			  check_content(5);
			  finish();
		  } });
}

void user_touch_and_punch()
{
	explore("user touch, punch", 3,
		{ [] { start(false); },
		  { [] { touch(5); }, [] { EXPECT_EQ(g->file.punch(5, 6), 0); } },
		  [] {
			  /* The mapped page is the file's. */
			  EXPECT(!g->file.cached(5) || g->read(5) == g->file.user_read(5));
			  finish();
		  } });
	explore("user touch, punch of a run", 2,
		{ [] { start(false); },
		  { [] { touch(5); }, [] { EXPECT_EQ(g->file.punch(0, 512), 0); } },
		  finish });
}

void user_touch_and_poison()
{
	explore("user touch, poison", 2,
		{ [] { start(false); },
		  { [] {
			   const int ret = g->file.touch(5);

			   EXPECT(ret == 0 || ret == -EHWPOISON);
		   },
		    [] { fake::memory_failure(g->file.inode().handle(), 5); } },
		  [] {
			  EXPECT(!g->file.mapped(5));
			  EXPECT_EQ(g->file.touch(5), -EHWPOISON);
			  finish();
		  } });
}

void conversion_and_punch()
{
	for (const bool to_private : { true, false }) {
		explore("conversion, punch", 2,
			{ [&] { start(!to_private); },
			  { [&] { convert(4, 6, private_if(to_private)); },
			    [] { EXPECT_EQ(g->file.punch(5, 7), 0); } },
			  [&] {
				  EXPECT(to_private ? g->file.is_private(4, 6)
						    : g->file.shared(4, 6));
				  EXPECT_EQ(g->read(5), 0u);
				  check_content(4);
				  finish();
			  } });
	}
}

void conversion_and_poison()
{
	for (const bool to_private : { true, false }) {
		explore("conversion, poison", 2,
			{ [&] { start(!to_private); },
			  { [&] {
				   const int ret = g->file.convert(4, 6, private_if(to_private));

				   EXPECT(ret == 0 || ret == -EHWPOISON || ret == -EAGAIN);
			   },
			    [] { fake::memory_failure(g->file.inode().handle(), 5); } },
			  [] {
				  EXPECT_EQ(g->access(5), -EHWPOISON);
				  check_content(4);
				  finish();
			  } });
	}
}

void conversion_and_bind()
{
	static struct kvm_memory_slot *other;

	explore("conversion, bind", 2,
		{ [] {
			 start(false);
			 fake::slot_delete(g->vm, g->slot);
			 g->slot = nullptr;
		 },
		  { [] { convert(5, 6, Share::kPrivate); },
		    [] {
			    EXPECT_EQ(fake::slot_add(g->vm, 1024, 512, g->file.fd, 0, &other), 0);
			    access_twice(1024 + 5);
		    } },
		  [] {
			  EXPECT(g->attributes(1029, 1030, g->file.is_private(5, 6)));
			  fake::check_shares();
			  fake::slot_delete(g->vm, other);
			  finish();
		  } });
	explore("conversion, unbind", 2,
		{ [] { start(false); },
		  { [] { convert(5, 6, Share::kPrivate); },
		    [] {
			    fake::slot_delete(g->vm, g->slot);
			    g->slot = nullptr;
		    } },
		  finish });
}

/* The VM's ioctl finds no memslot, then there is one. */
void attributes_and_bind()
{
	explore("attributes, bind", 2,
		{ [] {
			 start(false);
			 fake::slot_delete(g->vm, g->slot);
			 g->slot = nullptr;
		 },
		  { [] {
			   const long ret = fake::set_attributes(g->vm, 0, 512, true);

			   EXPECT(ret == 0 || ret == -EAGAIN);
		   },
		    [] { EXPECT_EQ(fake::slot_add(g->vm, 0, 512, g->file.fd, 0, &g->slot), 0); } },
		  finish });
}

void conversion_and_release()
{
	explore("conversion, close", 2,
		{ [] { start(false); },
		  { [] {
			   struct file *const file = g->file.handle;

			   if (!fake::file_get_active(file))
				   return;
			   const int ret = fake::convert(file, 5, 6, true);

			   EXPECT(ret == 0 || ret == -EAGAIN);
			   kapi_file_put(file);
		   },
		    [] { g->file.close(); } },
		  [] {
			  EXPECT_EQ(g->order(5), -1);
			  g.reset();
			  fake::check_clean();
		  } });
	explore("attributes, close", 2,
		{ [] { start(false); },
		  { [] {
			   const long ret = fake::set_attributes(g->vm, 0, 600, true);

			   EXPECT(ret == 0 || ret == -EAGAIN);
		   },
		    [] { g->file.close(); } },
		  [] {
			  EXPECT_EQ(g->order(5), -1);
			  g.reset();
			  fake::check_clean();
		  } });
}

void conversion_and_promotion()
{
	explore("conversion, promotion", 1,
		{ [] {
			 g = std::make_unique<Guest>(512, kInitShared);
			 fake::set_no_blocks(true);
			 for (unsigned i = 0; i < 512; i++)
				 EXPECT(g->write(scattered(i), kOld + scattered(i)));
			 fake::set_no_blocks(false);
		 },
		  { [] { convert(5, 6, Share::kPrivate); }, [] { fake::run_work(); },
		    [] { EXPECT(g->file.touch(7) == 0); } },
		  [] {
			  check_content(5);
			  check_content(7);
			  EXPECT_EQ(g->file.user_read(7), kOld + 7);
			  finish();
		  } });
}

/* The memory becomes another VM's: before it is converted, after, or never by this view. */
void conversion_and_link()
{
	static struct kvm *heir;
	static int converted, linked;

	for (const bool to_private : { true, false }) {
		explore("conversion, link", 2,
			{ [&] {
				 start(!to_private);
				 heir = world_vm(fake::kSwProtectedVm);
			 },
			  { [&] { converted = g->file.convert(4, 6, private_if(to_private)); },
			    [] { linked = fake::link(heir, g->file.fd); } },
			  [&] {
				  struct kvm_memory_slot *slot;

				  EXPECT(converted == 0 || converted == -ESTALE);
				  EXPECT(linked >= 0);
				  EXPECT_EQ(g->file.is_private(4, 6), to_private == !converted);
				  EXPECT_EQ(g->order(5), -1);
				  /* KVM's attributes of the new VM are the file's. */
				  EXPECT_EQ(fake::slot_add(heir, 0, 512, linked, 0, &slot), 0);
				  fake::check_shares();
				  fake::slot_delete(heir, slot);
				  fake::close_fd(linked);
				  world_vm_put(heir);
				  finish();
			  } });
	}
}

/* The hardware marks a page while it is looked at. */
void conversion_and_mark()
{
	for (const bool to_private : { true, false }) {
		explore("conversion, mark", 2,
			{ [&] { start(!to_private); },
			  { [&] {
				   const int ret = g->file.convert(4, 6, private_if(to_private));

				   EXPECT(ret == 0 || ret == -EHWPOISON || ret == -EAGAIN);
			   },
			    [] {
				    fake::sched::step("mark");
				    g->file.cached(5)->poisoned = true;
			    },
			    [] { access_twice(6); } },
			  [] {
				  EXPECT_EQ(g->access(5), -EHWPOISON);
				  EXPECT_EQ(g->access(7), 0);
				  EXPECT_EQ(g->order(7), 0);
				  check_content(4);
				  finish();
			  } });
	}
}

void conversion_and_both_faults()
{
	explore("there and back, two vCPUs", 1,
		{ [] { start(false); },
		  { [] {
			   convert(4, 6, Share::kPrivate);
			   convert(4, 6, Share::kShared);
		   },
		    [] { access_twice(5); }, [] { access_twice(4); } },
		  [] {
			  check_content(4);
			  check_content(5);
			  finish();
		  } });
}

} /* namespace */

GMEM_SUITE(convert_races, CASE(two_conversions), CASE(conversion_and_shared_fault),
	   CASE(conversion_and_private_fault), CASE(conversion_and_user_touch),
	   CASE(conversion_in_turns), CASE(conversion_and_first_fault), CASE(user_touch_and_punch),
	   CASE(user_touch_and_poison), CASE(conversion_and_punch), CASE(conversion_and_poison),
	   CASE(conversion_and_bind), CASE(attributes_and_bind), CASE(conversion_and_release),
	   CASE(conversion_and_promotion), CASE(conversion_and_link), CASE(conversion_and_mark),
	   CASE(conversion_and_both_faults));
