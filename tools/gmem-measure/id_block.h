/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ID block and ID authentication of SNP: which launch an owner wants, signed by a
 * key of the owner's, and that key signed by the owner's author key. Made here, and
 * checked as the SNP firmware does at the end of a launch.
 */
#ifndef GMEM_MEASURE_ID_BLOCK_H
#define GMEM_MEASURE_ID_BLOCK_H

#include <array>
#include <optional>
#include <string>

#include "arch/x86/sha384.h"
#include "tools/gmem-measure/file.h"

namespace measure
{

inline constexpr std::size_t kIdBlockSize = 96;
inline constexpr std::size_t kIdAuthSize = 4096;

/* The policy that QEMU launches with, if it is not told another. */
inline constexpr std::uint64_t kDefaultPolicy = 0x30000;

struct IdBlockFields {
	gmem::Sha384Digest digest{};
	std::array<std::uint8_t, 16> family_id{}, image_id{};
	std::uint32_t guest_svn = 0;
	std::uint64_t policy = kDefaultPolicy;
};

struct IdBlock {
	Contents block, auth; /* kIdBlockSize and kIdAuthSize bytes */
};

/* The digests of the keys that an attestation report has. */
struct KeyDigests {
	gmem::Sha384Digest id_key;
	std::optional<gmem::Sha384Digest> author_key;
};

/*
 * Keys are PEM files of private keys on P-384. Refused where one is none;
 * std::runtime_error where signing fails.
 */
IdBlock make_id_block(const IdBlockFields &fields, const std::string &id_key,
		      const std::optional<std::string> &author_key);

KeyDigests key_digests(const Contents &auth);

/* A file of so many bytes, or of their base64, as QEMU takes it. */
Contents read_block(const std::string &name, std::size_t size);

/*
 * Nothing if a launch of @digest and @policy with this ID block ends well; else the fault
 * of the ID block.
 */
std::optional<std::string> fault_of(const IdBlock &id, const gmem::Sha384Digest &digest,
				    std::uint64_t policy);

} /* namespace measure */

#endif /* GMEM_MEASURE_ID_BLOCK_H */
