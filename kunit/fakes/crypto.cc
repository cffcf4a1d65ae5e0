// SPDX-License-Identifier: GPL-2.0-only
/*
 * kapi/crypto.h over OpenSSL's libcrypto, for everything that runs hosted.
 */
#include "kapi/crypto.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>

#include "kunit/fakes/crypto.h"

bool (*fake::crypto_lacks_memory)();

namespace
{

bool lacks_memory()
{
	return fake::crypto_lacks_memory && fake::crypto_lacks_memory();
}

} /* namespace */

struct kapi_sha384 {
	EVP_MD_CTX *context;
};

kapi_sha384 *kapi_sha384_new(void)
{
	if (lacks_memory())
		return nullptr;

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

namespace
{

using Number = std::unique_ptr<BIGNUM, Free<BIGNUM, BN_free>>;
using Group = std::unique_ptr<EC_GROUP, Free<EC_GROUP, EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, Free<EC_POINT, EC_POINT_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Free<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>>;

/* Of both directions; the tag comes before the end of one, and after that of the other. */
bool crypt(EVP_CIPHER_CTX *context, const kapi_gcm &message, unsigned char *text, bool encrypt)
{
	int done = 0, size = 0;

	return EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nullptr, message.key, message.iv,
				 encrypt) == 1 &&
	       EVP_CipherUpdate(context, nullptr, &done, message.aad,
				static_cast<int>(message.aad_size)) == 1 &&
	       EVP_CipherUpdate(context, text, &size, text, static_cast<int>(message.size)) == 1 &&
	       (encrypt || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, KAPI_GCM_TAG_SIZE,
					       message.tag) == 1) &&
	       EVP_CipherFinal_ex(context, text + size, &done) == 1 &&
	       (!encrypt || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, KAPI_GCM_TAG_SIZE,
						message.tag) == 1);
}

} /* namespace */

int kapi_p384_public(const unsigned char *scalar, kapi_p384_point *point)
{
	const Number number{ BN_bin2bn(scalar, KAPI_P384_SIZE, nullptr) };
	const Number x{ BN_new() }, y{ BN_new() };
	const Group group{ EC_GROUP_new_by_curve_name(NID_secp384r1) };
	const Point product{ EC_POINT_new(group.get()) };

	if (BN_is_zero(number.get()) ||
	    BN_cmp(number.get(), EC_GROUP_get0_order(group.get())) >= 0 ||
	    EC_POINT_mul(group.get(), product.get(), number.get(), nullptr, nullptr, nullptr) !=
		    1 ||
	    EC_POINT_get_affine_coordinates(group.get(), product.get(), x.get(), y.get(),
					    nullptr) != 1)
		return -EINVAL;
	BN_bn2binpad(x.get(), point->x, KAPI_P384_SIZE);
	BN_bn2binpad(y.get(), point->y, KAPI_P384_SIZE);
	return 0;
}

int kapi_gcm_encrypt(const kapi_gcm *message)
{
	if (lacks_memory())
		return -ENOMEM;

	const CipherContext context{ EVP_CIPHER_CTX_new() };

	return crypt(context.get(), *message, message->text, true) ? 0 : -EIO;
}

int kapi_gcm_decrypt(const kapi_gcm *message)
{
	if (lacks_memory())
		return -ENOMEM;

	const CipherContext context{ EVP_CIPHER_CTX_new() };
	std::vector<unsigned char> text(message->text, message->text + message->size);

	if (!crypt(context.get(), *message, text.data(), false))
		return -EBADMSG;
	std::memcpy(message->text, text.data(), text.size());
	return 0;
}

void kapi_wipe(void *bytes, size_t size)
{
	OPENSSL_cleanse(bytes, size);
}

void kapi_random(void *to, size_t size)
{
	RAND_bytes(static_cast<unsigned char *>(to), static_cast<int>(size));
}
