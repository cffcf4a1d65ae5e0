// SPDX-License-Identifier: GPL-2.0-only
/*
 * Points of P-384 from the kernel's crypto API, as public keys of ECDH: <crypto/kpp.h>.
 */
#include <crypto/kpp.h>
#include <linux/err.h>
#include <linux/kmod.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "crypto.h"

/*
 * What crypto_ecdh_encode_key() makes of a key. That function is in the module of ECDH, without
 * which gmem.ko would not load.
 */
struct encoded_key {
	struct kpp_secret head;
	unsigned short key_size;
	u8 key[KAPI_P384_SIZE];
} __packed;

static int set_secret(struct crypto_kpp *tfm, const u8 *scalar)
{
	struct encoded_key encoded = {
		.head = { .type = CRYPTO_KPP_SECRET_TYPE_ECDH, .len = sizeof(encoded) },
		.key_size = KAPI_P384_SIZE,
	};
	int ret;

	memcpy(encoded.key, scalar, sizeof(encoded.key));
	ret = crypto_kpp_set_secret(tfm, &encoded, sizeof(encoded));
	memzero_explicit(&encoded, sizeof(encoded));
	return ret;
}

/* Nothing goes in; the point comes out into memory that may lie on the stack. */
static int generate(struct crypto_kpp *tfm, struct kapi_p384_point *point)
{
	struct kapi_p384_point *const out = kmalloc(sizeof(*out), GFP_KERNEL);
	struct kpp_request *const request = kpp_request_alloc(tfm, GFP_KERNEL);
	DECLARE_CRYPTO_WAIT(wait);
	struct scatterlist to;
	int ret = -ENOMEM;

	if (!out || !request)
		goto out;
	sg_init_one(&to, out, sizeof(*out));
	kpp_request_set_input(request, NULL, 0);
	kpp_request_set_output(request, &to, sizeof(*out));
	kpp_request_set_callback(request, CRYPTO_TFM_REQ_MAY_BACKLOG, crypto_req_done, &wait);
	ret = crypto_wait_req(crypto_kpp_generate_public_key(request), &wait);
	if (!ret)
		*point = *out;
out:
	kpp_request_free(request);
	kfree(out);
	return ret;
}

/* Its module has no alias for the curve. */
static struct crypto_kpp *find(void)
{
	struct crypto_kpp *const tfm = crypto_alloc_kpp("ecdh-nist-p384", 0, 0);

	if (!IS_ERR(tfm) || PTR_ERR(tfm) == -ENOMEM || request_module("crypto-ecdh"))
		return tfm;
	return crypto_alloc_kpp("ecdh-nist-p384", 0, 0);
}

int kapi_p384_public(const unsigned char *scalar, struct kapi_p384_point *point)
{
	struct crypto_kpp *const tfm = find();
	int ret;

	if (IS_ERR(tfm))
		return PTR_ERR(tfm) == -ENOMEM ? -ENOMEM : -EOPNOTSUPP;
	ret = set_secret(tfm, scalar);
	if (!ret)
		ret = generate(tfm, point);
	crypto_free_kpp(tfm);
	return !ret || ret == -ENOMEM ? ret : -EINVAL;
}
