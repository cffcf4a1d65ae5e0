// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signatures of ECDSA on P-384 from the kernel's crypto API: <crypto/sig.h>.
 */
#include <crypto/sig.h>
#include <linux/err.h>
#include <linux/string.h>

#include "crypto.h"

/* An ASN.1 INTEGER of a number of KAPI_P384_SIZE bytes at @to; its end. */
static u8 *put_integer(u8 *to, const u8 *number)
{
	int size = KAPI_P384_SIZE;

	while (size > 1 && !*number) {
		number++;
		size--;
	}
	*to++ = 2;
	*to++ = size + (*number >> 7);
	if (*number >> 7)
		*to++ = 0;
	memcpy(to, number, size);
	return to + size;
}

/* Both numbers as the SEQUENCE that X9.62 has; how long it is. */
static int encode(u8 *to, const struct kapi_p384_signature *signature)
{
	u8 *const end = put_integer(put_integer(to + 2, signature->r), signature->s);

	to[0] = 0x30;
	to[1] = end - to - 2;
	return end - to;
}

/* Since 6.13 the encoding has a name of its own. */
static struct crypto_sig *find(void)
{
	struct crypto_sig *const tfm = crypto_alloc_sig("x962(ecdsa-nist-p384)", 0, 0);

	return IS_ERR(tfm) ? crypto_alloc_sig("ecdsa-nist-p384", 0, 0) : tfm;
}

int kapi_p384_verify(const struct kapi_p384_point *key, const struct kapi_p384_signature *signature,
		     const void *digest)
{
	u8 encoded[2 + 2 * (KAPI_P384_SIZE + 3)];
	u8 point[1 + 2 * KAPI_P384_SIZE] = { 4 /* uncompressed */ };
	struct crypto_sig *const tfm = find();
	int ret;

	if (IS_ERR(tfm))
		return PTR_ERR(tfm) == -ENOMEM ? -ENOMEM : -EOPNOTSUPP;
	memcpy(point + 1, key->x, KAPI_P384_SIZE);
	memcpy(point + 1 + KAPI_P384_SIZE, key->y, KAPI_P384_SIZE);
	ret = crypto_sig_set_pubkey(tfm, point, sizeof(point));
	if (!ret)
		ret = crypto_sig_verify(tfm, encoded, encode(encoded, signature), digest,
					KAPI_SHA384_SIZE);
	crypto_free_sig(tfm);
	return !ret || ret == -ENOMEM ? ret : -EKEYREJECTED;
}
