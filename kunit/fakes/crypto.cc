// SPDX-License-Identifier: GPL-2.0-only
/*
 * kapi/crypto.h over OpenSSL's libcrypto, for everything that runs hosted.
 */
#include "kapi/crypto.h"

#include <cerrno>
#include <new>

#include <openssl/evp.h>

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
