// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which exits are #VC to a guest that knows SNP (guest/exits.cc): by what KVM does for each, by
 * the MSR, and by where emulation is.
 *
 * Tests: guest/exits.cc.
 */
#include "guest/exits.h"

#include <cstdint>

#include "kapi/constants.h"
#include "kunit/suite.h"

namespace
{

using namespace gmem;

constexpr Service kServices[] = {
	Service::Cpuid, Service::Pio,	    Service::Emulation, Service::Rdmsr,
	Service::Wrmsr, Service::Hypercall, Service::Rdpmc,	Service::Wbinvd,
	Service::Invd,	Service::Monitor,   Service::Mwait,
};

void exits_that_are_vc()
{
	const struct {
		Service service;
		std::uint64_t code;
	} rows[] = {
		{ Service::Cpuid, 0x72 },     { Service::Pio, 0x7b },
		{ Service::Emulation, 0x7b }, { Service::Emulation, 0x400 },
		{ Service::Rdmsr, 0x7c },     { Service::Wrmsr, 0x7c },
		{ Service::Hypercall, 0x81 }, { Service::Rdpmc, 0x6f },
		{ Service::Wbinvd, 0x89 },    { Service::Invd, 0x76 },
		{ Service::Monitor, 0x8a },   { Service::Mwait, 0x8b },
	};

	/* With any other code it is something else that KVM does so. */
	for (const Service service : kServices) {
		for (std::uint64_t code = 0; code < 0x410; code++) {
			bool wanted = false;

			for (const auto &row : rows)
				wanted |= row.service == service && row.code == code;
			EXPECT(is_vc(service, code) == wanted);
		}
	}
}

void msrs_that_do_not_exit()
{
	const unsigned own[] = { 0x48,	     0x49,	 0x10b,	     0x174,	 0x175,
				 0x176,	     0x1d9,	 0x1db,	     0x1dc,	 0x1dd,
				 0x1de,	     0x277,	 0x6a0,	     0x6a2,	 0x6a4,
				 0x6a5,	     0x6a6,	 0x6a7,	     0x6a8,	 0xda0,
				 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
				 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0xc0010130,
				 0xc0010131 };
	const unsigned others[] = { 0,		0x10,	    0x1b,	0x47,	    0x4a,
				    0x10a,	0x10c,	    0x173,	0x177,	    0x1d8,
				    0x1da,	0x1df,	    0x276,	0x278,	    0x2ff,
				    0x69f,	0x6a1,	    0x6a3,	0x6a9,	    0x800,
				    0x830,	0xd9f,	    0xda1,	0xc000007f, 0xc0000085,
				    0xc00000ff, 0xc0000104, 0xc001012f, 0xc0010132, 0xc001f000 };

	for (const unsigned msr : own)
		EXPECT(has_msr_itself(msr));
	for (const unsigned msr : others)
		EXPECT(!has_msr_itself(msr));
}

void emulation_that_begins()
{
	EXPECT(begins_instruction(0));
	/* Of a fault, with whatever else. */
	EXPECT(begins_instruction(1 << 6 | 1 << 3));
	EXPECT(!begins_instruction(KAPI_EMULATE_NO_DECODE));
	EXPECT(!begins_instruction(KAPI_EMULATE_SKIP));
	EXPECT(!begins_instruction(KAPI_EMULATE_SKIP | 1 << 9));
}

} /* namespace */

GMEM_SUITE(exits, CASE(exits_that_are_vc), CASE(msrs_that_do_not_exit),
	   CASE(emulation_that_begins));
