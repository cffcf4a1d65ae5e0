// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the model-based test has found, cut down.
 *
 * Tests: gmem/store.cc, gmem/promotion.cc.
 */
#include <gmem/consumer.h>

#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

/* A part of it has become another kind since: it could not be mapped huge. */
void no_promotion_of_two_kinds()
{
	Guest g{ 512, kInitShared };

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(g.access(scattered(i)), 0);
	EXPECT_EQ(g.file.convert(7, 8, Share::kPrivate), 0);
	fake::set_no_blocks(false);
	while (fake::run_work())
		;
	EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), 0);
}

/* A request for a page of the other kind gets no page, and makes none. */
void a_refused_request_takes_no_giant()
{
	fake::set_reserve(1);
	Guest g{ 1ull << kGiantOrder };
	struct gmem_consumer *consumer;
	struct file *handle;
	struct page *page;
	unsigned order;

	EXPECT_EQ(gmem_file_get(static_cast<unsigned>(g.file.fd), &handle), 0);
	EXPECT_EQ(gmem_consumer_bind(handle, 0, 512, &kQuietOps, nullptr, GMEM_CONSUMER_SHARED,
				     &consumer),
		  0);
	gmem_file_put(handle);
	EXPECT_EQ(gmem_consumer_get_page(consumer, 5, false, &page, &order), -EAGAIN);
	fake::return_to_user();
	EXPECT_EQ(kapi_pages_reserved(), 1u);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_PAGES), 0);
	gmem_consumer_unbind(consumer);
}

} /* namespace */

GMEM_SUITE(finds, CASE(no_promotion_of_two_kinds), CASE(a_refused_request_takes_no_giant));
