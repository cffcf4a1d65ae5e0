// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ID block (id_block.h).
 */
#include "arch/x86/id_block.h"

#include <algorithm>

#include "arch/x86/le.h"

#ifndef EKEYREJECTED
#define EKEYREJECTED 129
#endif

namespace gmem
{

namespace
{

/* Of the block: the digest is first. */
constexpr unsigned kFamilyId = 0x30, kImageId = 0x40, kGuestSvn = 0x54, kPolicy = 0x58;

/* Of what authenticates it. */
constexpr unsigned kIdAlgorithm = 0x00;
constexpr unsigned kAuthorAlgorithm = 0x04;
constexpr unsigned kBlockSignature = 0x40;
constexpr unsigned kIdKey = 0x240;
constexpr unsigned kIdKeySignature = 0x680;
constexpr unsigned kAuthorKey = 0x880;

constexpr std::uint64_t kEcdsaP384Sha384 = 1;
constexpr std::uint64_t kCurveP384 = 2;
/* Numbers of keys and signatures are little-endian, with room for larger curves. */
constexpr unsigned kNumberSize = 72;

/* A number in the other order; false: it is too large for the curve. */
bool load_number(unsigned char *to, const std::uint8_t *from)
{
	std::reverse_copy(from, from + KAPI_P384_SIZE, to);
	return std::all_of(from + KAPI_P384_SIZE, from + kNumberSize,
			   [](std::uint8_t byte) { return byte == 0; });
}

Result<Sha384Digest> digest_of(ConstBytes bytes)
{
	GMEM_TRY(sha, Sha384::create());

	GMEM_CHECK(sha.update(bytes));
	return sha.finish();
}

/* Whether @signature is over @what by the owner of @key. */
Status check_signature(const std::uint8_t *key, const std::uint8_t *signature, ConstBytes what)
{
	const std::uint8_t *const x = key + 4, *const r = signature;
	kapi_p384_signature numbers;
	kapi_p384_point point;

	if (load_le(key, 4) != kCurveP384 || !load_number(point.x, x) ||
	    !load_number(point.y, x + kNumberSize) || !load_number(numbers.r, r) ||
	    !load_number(numbers.s, r + kNumberSize))
		return error(EKEYREJECTED);

	GMEM_TRY(digest, digest_of(what));
	return Status{ kapi_p384_verify(&point, &numbers, digest.data()) };
}

bool algorithm_known(const IdBlock &id, unsigned at)
{
	return load_le(&id.auth[at], 4) == kEcdsaP384Sha384;
}

} /* namespace */

Result<IdKeys> check_id_block(const IdBlock &id, const Sha384Digest &measurement,
			      std::uint64_t policy)
{
	const ConstBytes id_key{ &id.auth[kIdKey], kIdKeySize };
	const ConstBytes author_key{ &id.auth[kAuthorKey], kIdKeySize };
	IdKeys keys;

	if (!std::equal(measurement.begin(), measurement.end(), id.block.begin()))
		return error(EBADMSG);
	if (load_le(&id.block[kPolicy], 8) != policy)
		return error(EACCES);
	if (!algorithm_known(id, kIdAlgorithm) ||
	    (id.author && !algorithm_known(id, kAuthorAlgorithm)))
		return error(EINVAL);
	GMEM_CHECK(check_signature(id_key.data(), &id.auth[kBlockSignature], id.block));

	GMEM_TRY(id_digest, digest_of(id_key));
	keys.id = id_digest;
	keys.is_given = true;
	keys.has_author = id.author;
	std::copy_n(&id.block[kFamilyId], keys.family_id.size(), keys.family_id.begin());
	std::copy_n(&id.block[kImageId], keys.image_id.size(), keys.image_id.begin());
	keys.guest_svn = static_cast<std::uint32_t>(load_le(&id.block[kGuestSvn], 4));
	if (id.author) {
		GMEM_CHECK(check_signature(author_key.data(), &id.auth[kIdKeySignature], id_key));

		GMEM_TRY(author_digest, digest_of(author_key));
		keys.author = author_digest;
	}
	return keys;
}

} /* namespace gmem */
