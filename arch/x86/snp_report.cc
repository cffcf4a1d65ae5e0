// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attestation reports and derived keys (snp_report.h). What they are of is as in AMD's
 * firmware source.
 */
#include "arch/x86/snp_report.h"

#include <algorithm>

#include "arch/x86/le.h"

namespace gmem
{

namespace
{

void put(std::span<std::uint8_t, kReportSize> to, const ReportField &field, ConstBytes bytes)
{
	std::copy_n(bytes.begin(), field.size, to.begin() + field.at);
}

void put(std::span<std::uint8_t, kReportSize> to, const ReportField &field, std::uint64_t value)
{
	store_le(&to[field.at], value, field.size);
}

/* Build, minor and major, as a number. */
constexpr std::uint64_t kVersion = std::uint64_t{ kSnpApiMajor } << 16 | kSnpApiMinor << 8;

Status sign(std::span<std::uint8_t, kReportSize> report, const SnpChip &chip)
{
	std::uint8_t *const r = &report[report::kSignature.at], *const s = r + kReportNumberSize;
	GMEM_TRY(sha, Sha384::create());

	GMEM_CHECK(sha.update(report.first(report::kSignature.at)));

	GMEM_TRY(digest, sha.finish());
	GMEM_TRY(signature, p384_sign(chip.vcek, digest));

	std::reverse_copy(signature.r, signature.r + KAPI_P384_SIZE, r);
	std::reverse_copy(signature.s, signature.s + KAPI_P384_SIZE, s);
	return Status{};
}

/* What a key is of, one after the other. */
class Mix {
    public:
	void add(ConstBytes bytes)
	{
		std::copy(bytes.begin(), bytes.end(), bytes_.begin() + size_);
		size_ += bytes.size();
	}
	/* Zeros in its place. */
	void add_if(bool counts, ConstBytes bytes)
	{
		if (counts)
			add(bytes);
		else
			size_ += bytes.size();
	}
	void add_if(bool counts, std::uint64_t value)
	{
		std::array<std::uint8_t, 8> bytes;

		store_le(bytes.data(), value, bytes.size());
		add_if(counts, bytes);
	}
	ConstBytes bytes() const { return { bytes_.data(), size_ }; }

    private:
	std::array<std::uint8_t, 384> bytes_{};
	std::size_t size_ = 0;
};

} /* namespace */

Status make_report(std::span<std::uint8_t, kReportSize> report, const SnpGuest &guest,
		   const SnpChip &chip, std::span<const std::uint8_t, 64> data, unsigned vmpl)
{
	std::fill(report.begin(), report.end(), 0);
	put(report, report::kVersion, kReportVersion);
	put(report, report::kGuestSvn, guest.id_keys.guest_svn);
	put(report, report::kPolicy, guest.policy);
	put(report, report::kFamilyId, guest.id_keys.family_id);
	put(report, report::kImageId, guest.id_keys.image_id);
	put(report, report::kVmpl, vmpl);
	put(report, report::kSignatureAlgorithm, kReportEcdsaP384);
	put(report, report::kKeyInfo, guest.id_keys.has_author ? kReportAuthorKey : 0);
	put(report, report::kReportData, data);
	put(report, report::kMeasurement, guest.digest.value());
	put(report, report::kHostData, guest.host_data);
	put(report, report::kIdKeyDigest, guest.id_keys.id);
	put(report, report::kAuthorKeyDigest, guest.id_keys.author);
	put(report, report::kReportId, guest.report_id);
	/* No migration agent. */
	std::fill_n(&report[report::kMigrationAgentId.at], report::kMigrationAgentId.size, 0xff);
	put(report, report::kChipId, chip.id);
	for (const ReportField &tcb : { report::kCurrentTcb, report::kReportedTcb,
					report::kCommittedTcb, report::kLaunchTcb })
		put(report, tcb, SnpChip::kTcb);
	put(report, report::kCurrentVersion, kVersion);
	put(report, report::kCommittedVersion, kVersion);
	return sign(report, chip);
}

Result<SnpKey> derive_key(const SnpGuest &guest, const SnpChip &chip, const SnpKeyRequest &request)
{
	constexpr std::array<std::uint8_t, 4> kLabel{ 'g', 'm', 'e', 'm' };
	const auto wants = [&](SnpKeyFields field) { return (request.fields & field) != 0; };
	const IdKeys &id = guest.id_keys;
	Mix mix;
	SnpKey key;

	mix.add(kLabel);
	mix.add_if(!request.by_guest, chip.root);
	mix.add_if(request.by_guest, guest.root);
	mix.add_if(true, request.fields);
	mix.add_if(true, request.vmpl);
	mix.add(guest.host_data);
	mix.add_if(true, id.has_author ? 2 : id.is_given);
	mix.add(id.has_author ? id.author : id.id);
	mix.add_if(wants(kSnpKeyPolicy), guest.policy);
	mix.add_if(wants(kSnpKeyImageId), id.image_id);
	mix.add_if(wants(kSnpKeyFamilyId), id.family_id);
	mix.add_if(wants(kSnpKeyMeasurement), guest.digest.value());
	mix.add_if(wants(kSnpKeyGuestSvn), request.guest_svn);
	mix.add_if(wants(kSnpKeyTcb), request.tcb);

	GMEM_TRY(sha, Sha384::create());
	GMEM_CHECK(sha.update(mix.bytes()));

	GMEM_TRY(digest, sha.finish());

	std::copy_n(digest.begin(), key.size(), key.begin());
	return key;
}

} /* namespace gmem */
