/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A message between a guest and the SNP firmware: one page, a header and a payload that is
 * encrypted by AES-256-GCM under one of the guest's four keys (VMPCK). Layout and checks are
 * those of AMD's firmware source (AMD-ASPFW, snp_mcmd_guest_request); its section in AMD's
 * publication 56860 is "SNP_GUEST_REQUEST". What messages say is in snp_requests.cc.
 */
#ifndef GMEM_ARCH_X86_SNP_MESSAGE_H
#define GMEM_ARCH_X86_SNP_MESSAGE_H

#include "arch/x86/sha384.h"
#include "gmem/types.h"

namespace gmem
{

inline constexpr unsigned kSnpKeys = 4;
using SnpKey = std::array<std::uint8_t, KAPI_GCM_KEY_SIZE>;

enum class SnpMessageType : std::uint8_t {
	KeyRequest = 3,
	KeyResponse = 4,
	ReportRequest = 5,
	ReportResponse = 6,
};

class SnpMessage {
    public:
	/* Works on a copy of the guest's page, as the guest may write to its own. */
	explicit SnpMessage(std::span<std::uint8_t, kPageSize> page) : page_(page) {}

	std::uint64_t number() const; /* in sequence */
	SnpMessageType type() const;
	unsigned version() const;
	unsigned key()
		const; /* which of the four it is to be under; others than 0 to 3 may be said */
	/* Algorithm, version and sizes; only where they are good there is a payload. */
	bool header_is_good() const;
	std::span<std::uint8_t> payload() const;

	/* Makes the page one with a payload of @size zeros, in the clear. */
	void begin(SnpMessageType type, unsigned size, unsigned key, std::uint64_t number);

	/* -EBADMSG: it is not by the owner of @key; -EOPNOTSUPP; -ENOMEM. Sleep. */
	Status decrypt(const SnpKey &key);
	Status encrypt(const SnpKey &key);

    private:
	unsigned size() const;
	Status crypt(const SnpKey &key, int (*by)(const kapi_gcm *));

	std::span<std::uint8_t, kPageSize> page_;
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SNP_MESSAGE_H */
