/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary that launch measurement needs: SHA-384, and signatures of
 * ECDSA on P-384. A header of its own, because gmem-measure has it too, over another
 * library. Plain C.
 */
#ifndef GMEM_KAPI_CRYPTO_H
#define GMEM_KAPI_CRYPTO_H

#if defined(__KERNEL__) && !defined(__cplusplus)
#include <linux/types.h>
#else
#include <stddef.h>
#endif

#define KAPI_SHA384_SIZE 48

#ifdef __cplusplus
extern "C" {
#endif

/* A digest being computed; one user at a time. */
struct kapi_sha384;

/* A fresh one, started. NULL without memory or without SHA-384. Sleeps. */
struct kapi_sha384 *kapi_sha384_new(void);
void kapi_sha384_free(struct kapi_sha384 *sha); /* NULL is fine */

/* Each returns 0 or a negative errno of the provider. start() forgets what was. */
int kapi_sha384_start(struct kapi_sha384 *sha);
int kapi_sha384_update(struct kapi_sha384 *sha, const void *data, size_t size);
/* Writes KAPI_SHA384_SIZE bytes; start() comes next. */
int kapi_sha384_finish(struct kapi_sha384 *sha, void *digest);

#define KAPI_P384_SIZE 48

/* Numbers are big-endian. */
struct kapi_p384_point {
	unsigned char x[KAPI_P384_SIZE], y[KAPI_P384_SIZE];
};

struct kapi_p384_signature {
	unsigned char r[KAPI_P384_SIZE], s[KAPI_P384_SIZE];
};

/*
 * 0: the signature of the SHA-384 at @digest is by the owner of @key. -EKEYREJECTED: it
 * is not, or that is no point of the curve; -EOPNOTSUPP: there is no ECDSA here;
 * -ENOMEM. Sleeps.
 */
int kapi_p384_verify(const struct kapi_p384_point *key, const struct kapi_p384_signature *signature,
		     const void *digest);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_CRYPTO_H */
