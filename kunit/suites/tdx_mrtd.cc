// SPDX-License-Identifier: GPL-2.0-only
/*
 * MRTD. The scheme is the one that reproduces the published MRTD of Ubuntu's
 * OVMF 2025.02-3ubuntu2 (tools/gmem-measure/test.sh has it, if it has the
 * firmware); T1 to T6 are crafted, one property each.
 *
 * Tests: arch/x86/tdx_mrtd.cc, arch/x86/sha384.h.
 */
#include "arch/x86/tdx_mrtd.h"

#include "kunit/suite.h"
#include "kunit/suites/patterns.h"

namespace
{

using namespace gmem;
using namespace gmem::test;

class Build {
    public:
	Build()
	{
		Result<TdxMrtd> mrtd = TdxMrtd::create();

		good_ = mrtd.ok();
		mrtd_ = std::move(mrtd).value();
	}

	Build &add(std::uint64_t gpa)
	{
		good_ = good_ && mrtd_.add(gpa).ok();
		return *this;
	}
	/* The sixteen chunks of a page. */
	Build &extend(std::uint64_t gpa, const PageBytes &page)
	{
		for (unsigned at = 0; at < page.size(); at += kTdxChunkSize)
			good_ = good_ && mrtd_.extend(gpa + at,
						      ConstBytes{ page }.subspan(at, kTdxChunkSize))
						 .ok();
		return *this;
	}
	bool gives(std::string_view hex)
	{
		const Result<Sha384Digest> digest = mrtd_.finalize();

		return good_ && digest.ok() && digest.value() == digest_from(hex);
	}

    private:
	TdxMrtd mrtd_;
	bool good_ = false;
};

void t1_nothing()
{
	EXPECT(Build().gives("38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
			     "274edebfe76f65fbd51ad2f14898b95b"));
}

void t2_added_unmeasured()
{
	EXPECT(Build().add(0).gives(
		"8f3e9a8aca6784eab874f7aa4dda5d49104a88047f1f86695ef2a88f5691a90e"
		"34aac48ce45ffa1f5a23c7d62980d570"));
}

void t3_page()
{
	EXPECT(Build().add(0xfffff000)
		       .extend(0xfffff000, kPageI)
		       .gives("cd9d793217c8e5918ad18eca449ba10dcfc5faafc19ceeae46b925d054f3b68f"
			      "85127312438aeba5bc187d9dc73a20fa"));
}

void t4_page_of_zeros()
{
	EXPECT(Build().add(0).extend(0, kPage0).gives(
		"236f0efa607ff8843f1855d7ef80dc3dda8fb455787a186b8787212951eab009"
		"6e3193bb26f817c2b63c21f5e10f9938"));
}

void t5_single_pass()
{
	EXPECT(Build().add(0xffc84000)
		       .extend(0xffc84000, kPageW)
		       .add(0xffc85000)
		       .extend(0xffc85000, kPageI)
		       .gives("b286f4a5a77d7e836d736eca84b277922079bfed0f2f730e62639921e6bb1541"
			      "de1b721e5d328272ff4c23bef58dafc0"));
}

void t6_two_passes()
{
	EXPECT(Build().add(0xffc84000)
		       .add(0xffc85000)
		       .extend(0xffc84000, kPageW)
		       .extend(0xffc85000, kPageI)
		       .gives("a766b0b70b2e04cdf4b6c3d9bd71e8f25f5d6f4b8197cc52ca664e3073535160"
			      "142f723057b625a20d74dbffae3b68fc"));
}

} /* namespace */

GMEM_SUITE(tdx_mrtd, CASE(t1_nothing), CASE(t2_added_unmeasured), CASE(t3_page),
	   CASE(t4_page_of_zeros), CASE(t5_single_pass), CASE(t6_two_passes));
