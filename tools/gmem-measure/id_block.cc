// SPDX-License-Identifier: GPL-2.0-only
/*
 * ID block and ID authentication (id_block.h). The layouts are those of AMD's
 * publication 56860, SNP_LAUNCH_FINISH.
 */
#include "tools/gmem-measure/id_block.h"

#include <algorithm>

#include "tools/gmem-measure/bytes.h"
#include "tools/gmem-measure/ecdsa.h"
#include "tools/gmem-measure/launch.h"

namespace measure
{

namespace
{

/* Offsets of an ID block: the digest comes first. */
constexpr std::size_t kFamilyId = 0x30, kImageId = 0x40, kVersion = 0x50, kGuestSvn = 0x54,
		      kPolicy = 0x58;
constexpr std::uint32_t kBlockVersion = 1;

/* Offsets of the authentication: the algorithms of both keys come first. */
constexpr std::size_t kIdAlgorithm = 0, kAuthorAlgorithm = 4, kBlockSignature = 0x40,
		      kIdKey = 0x240, kKeySignature = 0x680, kAuthorKey = 0x880;
constexpr std::uint32_t kEcdsaP384 = 1;

void put(Contents &to, std::size_t offset, gmem::ConstBytes bytes)
{
	std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(offset));
}

void put(Contents &to, std::size_t offset, std::uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		to[offset + i] = static_cast<std::uint8_t>(value >> 8 * i);
}

Contents make_block(const IdBlockFields &fields)
{
	Contents block(kIdBlockSize);

	put(block, 0, fields.digest);
	put(block, kFamilyId, fields.family_id);
	put(block, kImageId, fields.image_id);
	put(block, kVersion, kBlockVersion, 4);
	put(block, kGuestSvn, fields.guest_svn, 4);
	put(block, kPolicy, fields.policy, 8);
	return block;
}

Bytes id_key_of(const Bytes &auth)
{
	return auth.part(kIdKey, kPublicKeySize, "the ID key");
}

bool has_author(const Bytes &auth)
{
	const auto key = auth.at(kAuthorKey, kPublicKeySize);

	return std::any_of(key.begin(), key.end(), [](std::uint8_t byte) { return byte; });
}

std::optional<std::string> fault_of_signatures(const IdBlock &id)
{
	const Bytes auth(id.auth, "the ID authentication");

	if (auth.u32(kIdAlgorithm) != kEcdsaP384)
		return "the ID key's algorithm is " + std::to_string(auth.u32(kIdAlgorithm)) +
		       ", not 1 (ECDSA on P-384)";
	if (!verifies(id_key_of(auth).all(), id.block, auth.at(kBlockSignature, kSignatureSize)))
		return "the ID key has not signed the ID block";
	if (!has_author(auth))
		return std::nullopt;
	if (auth.u32(kAuthorAlgorithm) != kEcdsaP384)
		return "the author key's algorithm is " +
		       std::to_string(auth.u32(kAuthorAlgorithm)) + ", not 1 (ECDSA on P-384)";
	if (!verifies(auth.at(kAuthorKey, kPublicKeySize), id_key_of(auth).all(),
		      auth.at(kKeySignature, kSignatureSize)))
		return "the author key has not signed the ID key";
	return std::nullopt;
}

} /* namespace */

IdBlock make_id_block(const IdBlockFields &fields, const std::string &id_key,
		      const std::optional<std::string> &author_key)
{
	const PrivateKey key(id_key);
	IdBlock id{ make_block(fields), Contents(kIdAuthSize) };

	put(id.auth, kIdAlgorithm, kEcdsaP384, 4);
	put(id.auth, kBlockSignature, key.sign(id.block));
	put(id.auth, kIdKey, key.public_key());
	if (author_key) {
		const PrivateKey author(*author_key);

		put(id.auth, kAuthorAlgorithm, kEcdsaP384, 4);
		put(id.auth, kKeySignature, author.sign(key.public_key()));
		put(id.auth, kAuthorKey, author.public_key());
	}
	return id;
}

KeyDigests key_digests(const Contents &contents)
{
	const Bytes auth(contents, "the ID authentication");
	KeyDigests digests{ sha384(id_key_of(auth).all()), std::nullopt };

	if (has_author(auth))
		digests.author_key = sha384(auth.at(kAuthorKey, kPublicKeySize));
	return digests;
}

Contents read_block(const std::string &name, std::size_t size)
{
	/* White space is a line's end here and there. */
	const Contents contents = read_file(name, 4 * size);

	if (contents.size() == size)
		return contents;

	auto decoded =
		parse_base64({ reinterpret_cast<const char *>(contents.data()), contents.size() });

	if (!decoded || decoded->size() != size)
		throw Refused(name + ": neither " + std::to_string(size) +
			      " bytes nor the base64 of as many");
	return std::move(*decoded);
}

std::optional<std::string> fault_of(const IdBlock &id, const gmem::Sha384Digest &digest,
				    std::uint64_t policy)
{
	const Bytes block(id.block, "the ID block");
	const auto wanted = block.at(0, digest.size());

	if (block.u32(kVersion) != kBlockVersion)
		return "the ID block has version " + std::to_string(block.u32(kVersion)) +
		       ", known is 1";
	if (!std::equal(digest.begin(), digest.end(), wanted.begin()))
		return "the ID block wants digest " + hex(wanted);
	if (block.u64(kPolicy) != policy)
		return "the ID block wants policy " + hex_number(block.u64(kPolicy)) +
		       ", the launch has " + hex_number(policy);
	return fault_of_signatures(id);
}

} /* namespace measure */
