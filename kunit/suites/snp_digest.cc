// SPDX-License-Identifier: GPL-2.0-only
/*
 * Launch digest of SNP. P1 to P3 are published vectors (of the tests of
 * virtee/sev-snp-measure: test_snp_ovmf_hash_full, test_snp_without_kernel_
 * feature_snp_only, test_snp_guest_feature_snp_only); S1 to S7 are crafted, one
 * property each, and agree with a second implementation.
 *
 * Tests: arch/x86/snp_digest.cc, arch/x86/sha384.h.
 */
#include "arch/x86/snp_digest.h"

#include "kunit/suite.h"
#include "kunit/suites/patterns.h"

namespace
{

using namespace gmem;
using namespace gmem::test;

constexpr std::uint64_t kVmsaGpa = 0xfffffffff000;

constexpr Sha384Digest kFirmwarePage = digest_from(
	"161ace084859674ded7322ad102eb33f49457e0f7845a8f9ad0e03a59eac3e3e"
	"360f8b78345363feaeac956ebba2d894");
constexpr Sha384Digest kVmsaPage = digest_from(
	"77920c4c629ff47e90c0e174fc1ad0eb6fa664f88cd4739488058a8c6cb1a77b"
	"3856f55378e9518d0da99452d51c553a");
constexpr Sha384Digest kHashesPage = digest_from(
	"adbef9bc7385f7a6dcb8774523cf024b403f193a47962309b277c4109aa70b4b"
	"a0355d1657b50e9625d5bd1129e7fd27");

/* A launch whose steps must all work. */
class Launch {
    public:
	Launch()
	{
		Result<SnpDigest> digest = SnpDigest::create();

		good_ = digest.ok();
		digest_ = std::move(digest).value();
	}

	Launch &page(SnpPageType type, std::uint64_t gpa, const PageBytes &bytes)
	{
		good_ = good_ && digest_.add_page(type, gpa, bytes).ok();
		return *this;
	}
	Launch &contents(SnpPageType type, std::uint64_t gpa, const Sha384Digest &contents)
	{
		good_ = good_ && digest_.add_contents(type, gpa, contents).ok();
		return *this;
	}
	/* Pages of a type without content. */
	Launch &bare(SnpPageType type, std::uint64_t first, std::uint64_t last)
	{
		for (std::uint64_t gpa = first; gpa <= last; gpa += 4096)
			page(type, gpa, kPageAA);
		return *this;
	}
	bool gives(std::string_view hex) const
	{
		return good_ && digest_.value() == digest_from(hex);
	}
	bool starts(std::string_view hex) const
	{
		return good_ && starts_with(digest_.value(), hex);
	}

    private:
	SnpDigest digest_;
	bool good_ = false;
};

void p1_ovmf_page()
{
	EXPECT(Launch().contents(SnpPageType::Normal, 0xfffff000, kFirmwarePage)
		       .gives("086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2c37faaa4b24af3aa"
			      "16aff8c374c2a55c467a50da6d466b74"));
}

/* The sections of an AmdSev OVMF, with @hashes at 0x810000 if there are any. */
Launch ovmf_launch(const Sha384Digest *hashes)
{
	Launch launch;

	launch.contents(SnpPageType::Normal, 0xfffff000, kFirmwarePage)
		.bare(SnpPageType::Zero, 0x800000, 0x808000)
		.bare(SnpPageType::Zero, 0x80a000, 0x80c000)
		.bare(SnpPageType::Secrets, 0x80d000, 0x80d000)
		.bare(SnpPageType::Cpuid, 0x80e000, 0x80e000)
		.bare(SnpPageType::Zero, 0x80f000, 0x80f000);
	if (hashes)
		launch.contents(SnpPageType::Normal, 0x810000, *hashes);
	else
		launch.bare(SnpPageType::Zero, 0x810000, 0x810000);
	launch.bare(SnpPageType::Zero, 0x811000, 0x81f000)
		.contents(SnpPageType::Vmsa, kVmsaGpa, kVmsaPage);
	return launch;
}

void p2_ovmf_without_kernel()
{
	EXPECT(ovmf_launch(nullptr).gives(
		"19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ec"
		"abe033c48dd6f6db5d6d76e7c5df632d"));
}

void p3_ovmf_with_kernel()
{
	EXPECT(ovmf_launch(&kHashesPage)
		       .gives("6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362"
			      "f390ef83a92046c042e706363b4b08fa"));
}

void s1_normal()
{
	EXPECT(Launch().page(SnpPageType::Normal, 0, kPage0)
		       .gives("9d13634b6014bb21cf059b2dc694e7bff01a8a7137041100cd2b695f3d10fb68"
			      "7267b97808b27f8f471d943bc6f53a20"));
}

void s2_zero_is_not_normal_of_zeros()
{
	EXPECT(Launch().page(SnpPageType::Zero, 0, kPageFF)
		       .gives("70c0ecaab9608f14ebf8ac6f0f07bcd8728f4e2ab30382b539b4de4de904ca9f"
			      "8ebdf4b2cd3cd84dd996bd55dd794676"));
}

void s3_unmeasured_is_chained()
{
	EXPECT(Launch().page(SnpPageType::Unmeasured, 0x1000, kPageI)
		       .gives("81475a112c0223cebe1ccb31a0aa2567772871200b33515a3cbbd5ed6a68a8e6"
			      "30902dd83469ea6553554bfb67111fad"));
}

void s4_secrets()
{
	EXPECT(Launch().page(SnpPageType::Secrets, 0x80d000, kPageI)
		       .gives("e82e99caf82a32c31ec5070eef9e2135866d8f7de60d756814f3bd8c989c1e82"
			      "6622e0a97dad026c6d9d81818780e6a2"));
}

void s5_cpuid()
{
	EXPECT(Launch().page(SnpPageType::Cpuid, 0x80e000, kPageI)
		       .gives("c9e46442d2b4ddb823fa6b4a907930de7e93901180c5a3126ba234193059a0a5"
			      "1a21ba82f05d2fe0f3136f22b1b1a8e4"));
}

void s6_vmsa_masks_tsc()
{
	constexpr std::string_view kDigest =
		"dd2e0ab1141ce37cf3b70c1990ca7964254cf7a44876c74df767b6f1dc34e5aa"
		"88b1746cb934c3baaa30c7b50ba708f1";
	PageBytes other = kPageFF;

	EXPECT(Launch().page(SnpPageType::Vmsa, kVmsaGpa, kPageFF).gives(kDigest));
	/* The masked bytes do not matter; the bytes beside them do. */
	for (unsigned i = 0x2f0; i < 0x300; i++)
		other[i] = 0x5a;
	EXPECT(Launch().page(SnpPageType::Vmsa, kVmsaGpa, other).gives(kDigest));
	other[0x2ef] = 0;
	EXPECT(!Launch().page(SnpPageType::Vmsa, kVmsaGpa, other).gives(kDigest));
	other = kPageFF;
	other[0x300] = 0;
	EXPECT(!Launch().page(SnpPageType::Vmsa, kVmsaGpa, other).gives(kDigest));
}

void s7_whole_launch()
{
	Launch launch;

	EXPECT(launch.page(SnpPageType::Normal, 0xfffff000, kPageI).starts("79d7e453f7b5"));
	EXPECT(launch.page(SnpPageType::Normal, 0xffffe000, kPageW).starts("b2ccdd077642"));
	EXPECT(launch.page(SnpPageType::Zero, 0x800000, kPage0).starts("34c3dd498a33"));
	EXPECT(launch.page(SnpPageType::Zero, 0x801000, kPage0).starts("3b4b81c4b923"));
	EXPECT(launch.page(SnpPageType::Unmeasured, 0x802000, kPage0).starts("873685ab036c"));
	EXPECT(launch.page(SnpPageType::Secrets, 0x80d000, kPage0).starts("828220935d3e"));
	EXPECT(launch.page(SnpPageType::Cpuid, 0x80e000, kPage0).starts("5bf770f305f4"));
	EXPECT(launch.page(SnpPageType::Vmsa, kVmsaGpa, kPageI).starts("b1107053c8b4"));
	launch.page(SnpPageType::Vmsa, kVmsaGpa, kPageI);
	EXPECT(launch.gives("2997fe4a314563e1d7764ec8915852839a0f4fa602ba0cbc5b6d62e86458d886"
			    "7495f2075d3df5aca5c3cbebb3a1ceb7"));
}

void starts_at_zero()
{
	const Result<SnpDigest> digest = SnpDigest::create();

	REQUIRE(digest.ok());
	EXPECT(digest.value().value() == Sha384Digest{});
}

} /* namespace */

GMEM_SUITE(snp_digest, CASE(p1_ovmf_page), CASE(p2_ovmf_without_kernel), CASE(p3_ovmf_with_kernel),
	   CASE(s1_normal), CASE(s2_zero_is_not_normal_of_zeros), CASE(s3_unmeasured_is_chained),
	   CASE(s4_secrets), CASE(s5_cpuid), CASE(s6_vmsa_masks_tsc), CASE(s7_whole_launch),
	   CASE(starts_at_zero));
