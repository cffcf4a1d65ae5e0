// SPDX-License-Identifier: GPL-2.0-only
/*
 * SHA-384 from the kernel's crypto API: <crypto/hash.h>.
 */
#include <crypto/hash.h>
#include <crypto/sha2.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "crypto.h"

static_assert(KAPI_SHA384_SIZE == SHA384_DIGEST_SIZE);

/* The descriptor has the algorithm's state behind it. */
struct kapi_sha384 {
	struct crypto_shash *tfm;
	struct shash_desc desc;
};

struct kapi_sha384 *kapi_sha384_new(void)
{
	struct crypto_shash *const tfm = crypto_alloc_shash("sha384", 0, 0);
	struct kapi_sha384 *sha;

	if (IS_ERR(tfm))
		return NULL;
	sha = kzalloc(sizeof(*sha) + crypto_shash_descsize(tfm), GFP_KERNEL_ACCOUNT);
	if (!sha)
		goto err_tfm;
	sha->tfm = tfm;
	sha->desc.tfm = tfm;
	if (!crypto_shash_init(&sha->desc))
		return sha;
	kfree(sha);
err_tfm:
	crypto_free_shash(tfm);
	return NULL;
}

void kapi_sha384_free(struct kapi_sha384 *sha)
{
	if (!sha)
		return;
	crypto_free_shash(sha->tfm);
	kfree_sensitive(sha);
}

int kapi_sha384_start(struct kapi_sha384 *sha)
{
	return crypto_shash_init(&sha->desc);
}

int kapi_sha384_update(struct kapi_sha384 *sha, const void *data, size_t size)
{
	return crypto_shash_update(&sha->desc, data, size);
}

int kapi_sha384_finish(struct kapi_sha384 *sha, void *digest)
{
	return crypto_shash_final(&sha->desc, digest);
}

MODULE_SOFTDEP("pre: crypto-sha384");
