// SPDX-License-Identifier: GPL-2.0-only
/*
 * ECDSA in the SNP firmware's layouts (ecdsa.h), over OpenSSL.
 */
#include "tools/gmem-measure/ecdsa.h"

#include <algorithm>
#include <stdexcept>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "tools/gmem-measure/refused.h"

namespace measure
{

namespace
{

constexpr std::size_t kNumberSize = 72;
/* Of a public key; the curve comes first. */
constexpr std::size_t kX = 4, kY = kX + kNumberSize, kKeyEnd = kY + kNumberSize;
constexpr std::uint8_t kCurveP384 = 2;
constexpr std::size_t kCoordinateSize = 48;

using Number = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;

void worked(bool did)
{
	if (!did)
		throw std::runtime_error("OpenSSL failed");
}

void put_number(Contents &to, std::size_t offset, const BIGNUM *number)
{
	worked(BN_bn2lebinpad(number, to.data() + offset, kNumberSize) == kNumberSize);
}

Number number_at(gmem::ConstBytes from, std::size_t offset)
{
	return Number{ BN_lebin2bn(from.data() + offset, kNumberSize, nullptr) };
}

bool zero_from(gmem::ConstBytes bytes, std::size_t offset)
{
	const auto rest = bytes.subspan(offset);

	return std::all_of(rest.begin(), rest.end(), [](std::uint8_t byte) { return byte == 0; });
}

/* The uncompressed point; empty where a coordinate has too many bytes. */
Contents point_of(gmem::ConstBytes key)
{
	Contents point{ POINT_CONVERSION_UNCOMPRESSED };

	for (const std::size_t offset : { kX, kY }) {
		const Number number = number_at(key, offset);

		point.resize(point.size() + kCoordinateSize);
		if (!number ||
		    BN_bn2binpad(number.get(), point.data() + point.size() - kCoordinateSize,
				 kCoordinateSize) < 0)
			return {};
	}
	return point;
}

/* Empty where it is none. */
Key public_key_of(gmem::ConstBytes bytes)
{
	const Contents point = point_of(bytes);
	const Builder builder{ OSSL_PARAM_BLD_new() };
	EVP_PKEY *key = nullptr;

	if (point.empty() || bytes[0] != kCurveP384 || !zero_from(bytes.first(kX), 1) ||
	    !zero_from(bytes, kKeyEnd))
		return nullptr;
	worked(OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
					       "secp384r1", 0) &&
	       OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY,
						point.data(), point.size()));

	const Parameters parameters{ OSSL_PARAM_BLD_to_param(builder.get()) };
	const KeyContext context{ EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr) };

	worked(EVP_PKEY_fromdata_init(context.get()) == 1);
	if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
		return nullptr;
	return Key{ key };
}

/* As OpenSSL takes it; empty where it is none. */
Contents der_of(gmem::ConstBytes bytes)
{
	const Signature signature{ ECDSA_SIG_new() };
	Number r = number_at(bytes, 0), s = number_at(bytes, kNumberSize);

	if (!zero_from(bytes, 2 * kNumberSize))
		return {};
	/* The signature owns both numbers from here on. */
	worked(ECDSA_SIG_set0(signature.get(), r.release(), s.release()) == 1);

	Contents der(static_cast<std::size_t>(i2d_ECDSA_SIG(signature.get(), nullptr)));
	unsigned char *end = der.data();

	worked(i2d_ECDSA_SIG(signature.get(), &end) > 0);
	return der;
}

} /* namespace */

PrivateKey::PrivateKey(const std::string &name)
{
	static constexpr std::uint64_t kPemMost = 64 << 10;
	const Contents pem = read_file(name, kPemMost);
	const std::unique_ptr<BIO, FreeWith<BIO_free>> bio{ BIO_new_mem_buf(
		pem.data(), static_cast<int>(pem.size())) };
	/* The user is not asked for a password. */
	char no_password[] = "";

	key_.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, no_password));

	char group[32] = "";

	if (!key_ || EVP_PKEY_get_group_name(key_.get(), group, sizeof(group), nullptr) != 1 ||
	    std::string(group) != "secp384r1")
		throw Refused(name + ": no private key on P-384 in PEM, without a password");
}

Contents PrivateKey::public_key() const
{
	Contents bytes(kPublicKeySize);

	bytes[0] = kCurveP384;
	for (const auto &[name, offset] : { std::pair{ OSSL_PKEY_PARAM_EC_PUB_X, kX },
					    std::pair{ OSSL_PKEY_PARAM_EC_PUB_Y, kY } }) {
		BIGNUM *number = nullptr;

		worked(EVP_PKEY_get_bn_param(key_.get(), name, &number) == 1);
		put_number(bytes, offset, Number{ number }.get());
	}
	return bytes;
}

Contents PrivateKey::sign(gmem::ConstBytes data) const
{
	const DigestContext context{ EVP_MD_CTX_new() };
	std::size_t size = 0;

	worked(EVP_DigestSignInit(context.get(), nullptr, EVP_sha384(), nullptr, key_.get()) == 1 &&
	       EVP_DigestSign(context.get(), nullptr, &size, data.data(), data.size()) == 1);

	Contents der(size), bytes(kSignatureSize);

	worked(EVP_DigestSign(context.get(), der.data(), &size, data.data(), data.size()) == 1);

	const unsigned char *at = der.data();
	const Signature signature{ d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)) };

	worked(signature != nullptr);
	put_number(bytes, 0, ECDSA_SIG_get0_r(signature.get()));
	put_number(bytes, kNumberSize, ECDSA_SIG_get0_s(signature.get()));
	return bytes;
}

bool verifies(gmem::ConstBytes public_key, gmem::ConstBytes data, gmem::ConstBytes signature)
{
	const Key key = public_key_of(public_key);
	const Contents der = der_of(signature);
	const DigestContext context{ EVP_MD_CTX_new() };

	if (!key || der.empty())
		return false;
	worked(EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha384(), nullptr, key.get()) == 1);
	return EVP_DigestVerify(context.get(), der.data(), der.size(), data.data(), data.size()) ==
	       1;
}

} /* namespace measure */
