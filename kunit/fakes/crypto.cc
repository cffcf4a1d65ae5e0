// SPDX-License-Identifier: GPL-2.0-only
/*
 * kapi/crypto.h over OpenSSL's libcrypto, for everything that runs hosted.
 */
#include "kapi/crypto.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <new>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

struct kapi_sha384 {
	EVP_MD_CTX *context;
};

kapi_sha384 *kapi_sha384_new(void)
{
	EVP_MD_CTX *const context = EVP_MD_CTX_new();
	auto *const sha = new (std::nothrow) kapi_sha384{ context };

	if (sha && context && EVP_DigestInit_ex(context, EVP_sha384(), nullptr) == 1)
		return sha;
	EVP_MD_CTX_free(context);
	delete sha;
	return nullptr;
}

void kapi_sha384_free(kapi_sha384 *sha)
{
	if (!sha)
		return;
	EVP_MD_CTX_free(sha->context);
	delete sha;
}

int kapi_sha384_start(kapi_sha384 *sha)
{
	/* The same algorithm again, without looking it up, which is slow. */
	return EVP_DigestInit_ex(sha->context, nullptr, nullptr) == 1 ? 0 : -EIO;
}

int kapi_sha384_update(kapi_sha384 *sha, const void *data, size_t size)
{
	return EVP_DigestUpdate(sha->context, data, size) == 1 ? 0 : -EIO;
}

int kapi_sha384_finish(kapi_sha384 *sha, void *digest)
{
	return EVP_DigestFinal_ex(sha->context, static_cast<unsigned char *>(digest), nullptr) == 1
		       ? 0
		       : -EIO;
}

namespace
{

template <class T, void (*kFree)(T *)> struct Free {
	void operator()(T *p) const { kFree(p); }
};

using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG, ECDSA_SIG_free>>;

/* NULL: the point is not on the curve. */
Key key_of(const kapi_p384_point &point)
{
	unsigned char bytes[1 + 2 * KAPI_P384_SIZE] = { 4 };
	char curve[] = "P-384";
	EVP_PKEY *key = nullptr;
	const KeyContext context{ EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr) };

	std::memcpy(bytes + 1, point.x, KAPI_P384_SIZE);
	std::memcpy(bytes + 1 + KAPI_P384_SIZE, point.y, KAPI_P384_SIZE);

	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof(bytes)),
		OSSL_PARAM_construct_end(),
	};

	if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
	    EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return nullptr;
	return Key{ key };
}

} /* namespace */

int kapi_p384_verify(const kapi_p384_point *point, const kapi_p384_signature *signature,
		     const void *digest)
{
	const Key key = key_of(*point);
	const Signature numbers{ ECDSA_SIG_new() };
	unsigned char *encoded = nullptr;

	if (!key)
		return -EKEYREJECTED;
	ECDSA_SIG_set0(numbers.get(), BN_bin2bn(signature->r, KAPI_P384_SIZE, nullptr),
		       BN_bin2bn(signature->s, KAPI_P384_SIZE, nullptr));

	const int size = i2d_ECDSA_SIG(numbers.get(), &encoded);
	const KeyContext context{ EVP_PKEY_CTX_new(key.get(), nullptr) };
	const bool good = EVP_PKEY_verify_init(context.get()) == 1 &&
			  EVP_PKEY_verify(context.get(), encoded, static_cast<size_t>(size),
					  static_cast<const unsigned char *>(digest),
					  KAPI_SHA384_SIZE) == 1;

	OPENSSL_free(encoded);
	return good ? 0 : -EKEYREJECTED;
}
