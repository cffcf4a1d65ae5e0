// SPDX-License-Identifier: GPL-2.0-only
/*
 * AES-256-GCM from the kernel's crypto API: <crypto/aead.h>; and random numbers.
 */
#include <crypto/aead.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "crypto.h"

/* The cipher's own errors are those of kapi_gcm_decrypt(). */
static int crypt(struct crypto_aead *tfm, const struct kapi_gcm *message, u8 *bytes, bool encrypt)
{
	const unsigned int text = message->size + (encrypt ? 0 : KAPI_GCM_TAG_SIZE);
	const size_t size = message->aad_size + message->size + KAPI_GCM_TAG_SIZE;
	struct aead_request *const request = aead_request_alloc(tfm, GFP_KERNEL);
	u8 iv[KAPI_GCM_IV_SIZE];
	DECLARE_CRYPTO_WAIT(wait);
	struct scatterlist sg;
	int ret;

	if (!request)
		return -ENOMEM;
	memcpy(iv, message->iv, sizeof(iv));
	sg_init_one(&sg, bytes, size);
	aead_request_set_callback(request, CRYPTO_TFM_REQ_MAY_BACKLOG, crypto_req_done, &wait);
	aead_request_set_ad(request, message->aad_size);
	aead_request_set_crypt(request, &sg, &sg, text, iv);
	ret = crypto_wait_req(encrypt ? crypto_aead_encrypt(request) :
					crypto_aead_decrypt(request), &wait);
	aead_request_free(request);
	return ret;
}

/* The cipher's memory must not lie on the stack, so that all goes through a copy. */
static int crypt_copy(struct crypto_aead *tfm, const struct kapi_gcm *message, bool encrypt)
{
	const size_t at = message->aad_size, end = at + message->size;
	u8 *const bytes = kmalloc(end + KAPI_GCM_TAG_SIZE, GFP_KERNEL);
	int ret;

	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, message->aad, message->aad_size);
	memcpy(bytes + at, message->text, message->size);
	memcpy(bytes + end, message->tag, KAPI_GCM_TAG_SIZE);
	ret = crypto_aead_setkey(tfm, message->key, KAPI_GCM_KEY_SIZE);
	if (!ret)
		ret = crypto_aead_setauthsize(tfm, KAPI_GCM_TAG_SIZE);
	if (!ret)
		ret = crypt(tfm, message, bytes, encrypt);
	if (!ret)
		memcpy(message->text, bytes + at, message->size);
	if (!ret && encrypt)
		memcpy(message->tag, bytes + end, KAPI_GCM_TAG_SIZE);
	kfree_sensitive(bytes);
	return ret;
}

/* Where there is none, a look for one runs modprobe: guests must not have it run all the time. */
#define LOOK_AGAIN (10 * HZ)

static struct crypto_aead *find(void)
{
	static u64 missing_until;
	struct crypto_aead *tfm;

	if (time_before64(get_jiffies_64(), READ_ONCE(missing_until)))
		return ERR_PTR(-ENOENT);
	tfm = crypto_alloc_aead("gcm(aes)", 0, 0);
	if (PTR_ERR_OR_ZERO(tfm) == -ENOENT)
		WRITE_ONCE(missing_until, get_jiffies_64() + LOOK_AGAIN);
	return tfm;
}

static int crypt_with_own(const struct kapi_gcm *message, bool encrypt)
{
	struct crypto_aead *const tfm = find();
	int ret;

	if (IS_ERR(tfm))
		return PTR_ERR(tfm) == -ENOMEM ? -ENOMEM : -EOPNOTSUPP;
	ret = crypt_copy(tfm, message, encrypt);
	crypto_free_aead(tfm);
	return ret;
}

int kapi_gcm_encrypt(const struct kapi_gcm *message)
{
	return crypt_with_own(message, true);
}

int kapi_gcm_decrypt(const struct kapi_gcm *message)
{
	return crypt_with_own(message, false);
}

void kapi_wipe(void *bytes, size_t size)
{
	memzero_explicit(bytes, size);
}

void kapi_random(void *to, size_t size)
{
	get_random_bytes(to, size);
}
