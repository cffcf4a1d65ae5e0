// SPDX-License-Identifier: GPL-2.0-only
/*
 * Charging pages to a cgroup: kapi/charge.c over one cgroup for all files.
 */
#include "kunit/fakes/locks.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/sched.h"

namespace fake
{

namespace
{

constexpr long kNoLimit = 1l << 40;
std::atomic<long> limit{ kNoLimit }, pays;
std::atomic<unsigned long> charges_of_blocks;

} /* namespace */

void set_cgroup_limit(long pages)
{
	limit = pages;
}

long cgroup_pages()
{
	return pays;
}

unsigned long block_charges()
{
	return charges_of_blocks;
}

bool can_pay(long pages)
{
	return pays + pages <= limit;
}

void charge(struct page *page)
{
	if (page->charged.exchange(true))
		bug("a page is charged to a cgroup twice");
	pays++;
}

void uncharge(struct page *page)
{
	if (page->charged.exchange(false))
		pays--;
}

void check_charges()
{
	if (pays)
		bug("a cgroup pays for %ld pages that are nobody's", pays.load());
	limit = kNoLimit;
}

} /* namespace fake */

int kapi_pages_charge(struct inode *, struct page *first, unsigned int count)
{
	fake::might_sleep("kapi_pages_charge");
	fake::sched::step("pages_charge");
	if (count > 1)
		fake::charges_of_blocks++;
	if (fake::fail_now() || !fake::can_pay(count))
		return -ENOMEM;
	for (unsigned int i = 0; i < count; i++)
		fake::charge(kapi_page_nth(first, i));
	return 0;
}
