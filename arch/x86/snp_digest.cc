// SPDX-License-Identifier: GPL-2.0-only
/*
 * The launch digest of SEV-SNP (snp_digest.h).
 */
#include "arch/x86/snp_digest.h"

#include <algorithm>

#include "arch/x86/le.h"

namespace gmem
{

namespace
{

/* Offsets of PAGE_INFO; VMPL permissions and IMI_PAGE are zero under KVM. */
constexpr unsigned kContents = 0x30;
constexpr unsigned kLength = 0x60;
constexpr unsigned kType = 0x62;
constexpr unsigned kGpa = 0x68;
constexpr unsigned kSize = 0x70;

/* GUEST_TSC_SCALE and GUEST_TSC_OFFSET of a VMSA count as zero. */
constexpr unsigned kTscStart = 0x2f0;
constexpr unsigned kTscEnd = 0x300;

} /* namespace */

Result<SnpDigest> SnpDigest::create(const Sha384Digest &start)
{
	SnpDigest digest;
	GMEM_TRY(sha, Sha384::create());

	digest.sha_ = std::move(sha);
	digest.value_ = start;
	return digest;
}

Status SnpDigest::add_page(SnpPageType type, std::uint64_t gpa, ConstBytes page)
{
	GMEM_TRY(digest, contents(type, page));
	return add_contents(type, gpa, digest);
}

Result<Sha384Digest> SnpDigest::contents(SnpPageType type, ConstBytes page)
{
	if (!snp_page_type_hashed(type))
		return Sha384Digest{};

	if (type == SnpPageType::Vmsa) {
		static constexpr std::array<std::uint8_t, kTscEnd - kTscStart> kZeros{};

		GMEM_CHECK(sha_.update(page.first(kTscStart)));
		GMEM_CHECK(sha_.update(kZeros));
		GMEM_CHECK(sha_.update(page.subspan(kTscEnd)));
	} else {
		GMEM_CHECK(sha_.update(page));
	}
	return sha_.finish();
}

Status SnpDigest::add_contents(SnpPageType type, std::uint64_t gpa, const Sha384Digest &contents)
{
	std::array<std::uint8_t, kSize> info{};

	std::copy(value_.begin(), value_.end(), info.begin());
	std::copy(contents.begin(), contents.end(), info.begin() + kContents);
	info[kLength] = kSize;
	info[kType] = static_cast<std::uint8_t>(type);
	store_le(&info[kGpa], gpa, 8);

	GMEM_CHECK(sha_.update(info));
	GMEM_TRY(next, sha_.finish());
	value_ = next;
	contents_ = contents;
	return Status{};
}

} /* namespace gmem */
