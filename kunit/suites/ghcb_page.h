/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the fields of a GHCB page are that may be valid, for suites: written from the
 * descriptions, and not from guest/ghcb.h.
 */
#ifndef GMEM_KUNIT_GHCB_PAGE_H
#define GMEM_KUNIT_GHCB_PAGE_H

namespace gmem_test
{

enum At : unsigned {
	kCpl = 0xcb,
	kRax = 0x1f8,
	kRcx = 0x308,
	kRdx = 0x310,
	kRbx = 0x318,
	kRsi = 0x330,
	kCode = 0x390,
	kInfo1 = 0x398,
	kInfo2 = 0x3a0,
	kScratch = 0x3a8,
	kXcr0 = 0x3e8,
};

} /* namespace gmem_test */

#endif /* GMEM_KUNIT_GHCB_PAGE_H */
