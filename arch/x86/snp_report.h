/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The answers to a guest's messages (snp_requests.cc) that take the guest, its processor and
 * cryptography: an attestation report, a derived key.
 */
#ifndef GMEM_ARCH_X86_SNP_REPORT_H
#define GMEM_ARCH_X86_SNP_REPORT_H

#include "arch/x86/snp_chip.h"
#include "arch/x86/snp_model.h"
#include "arch/x86/snp_report_layout.h"

namespace gmem
{

/*
 * Writes the report on @guest, with the @data that it wants in there, signed by @chip. Errors
 * are p384_sign()'s. Sleeps.
 */
Status make_report(std::span<std::uint8_t, kReportSize> report, const SnpGuest &guest,
		   const SnpChip &chip, std::span<const std::uint8_t, 64> data, unsigned vmpl);

/* What a guest wants its key to be of: bits of @fields. */
enum SnpKeyFields : std::uint64_t {
	kSnpKeyPolicy = 1 << 0,
	kSnpKeyImageId = 1 << 1,
	kSnpKeyFamilyId = 1 << 2,
	kSnpKeyMeasurement = 1 << 3,
	kSnpKeyGuestSvn = 1 << 4,
	kSnpKeyTcb = 1 << 5,
	kSnpKeyAllFields = (1 << 6) - 1,
};

struct SnpKeyRequest {
	bool by_guest = false; /* of a root of the guest's own (VMRK), not the processor's */
	std::uint64_t fields = 0;
	std::uint32_t vmpl = 0, guest_svn = 0;
	std::uint64_t tcb = 0;
};

/*
 * The same for the same @request, by a guest of the same ID key and host data, for as long as
 * there is the root. Not AMD's derivation: a SHA-384 over the root and all that counts. Errors
 * are the hash provider's. Sleeps.
 */
Result<SnpKey> derive_key(const SnpGuest &guest, const SnpChip &chip, const SnpKeyRequest &request);

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SNP_REPORT_H */
