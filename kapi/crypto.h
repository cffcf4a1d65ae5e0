/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary that launch measurement and attestation need: SHA-384, ECDSA on
 * P-384, AES-256-GCM and random numbers. A header of its own, because gmem-measure and
 * gmem-report have it too, over another library. Plain C.
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
/*
 * The number @scalar, big-endian, times the curve's base point: the public key of a private
 * one. -EINVAL: not a number that serves as a key; -EOPNOTSUPP: there is no ECDH here; -ENOMEM.
 * Sleeps.
 */
int kapi_p384_public(const unsigned char *scalar, struct kapi_p384_point *point);

#define KAPI_GCM_KEY_SIZE 32
#define KAPI_GCM_IV_SIZE 12
#define KAPI_GCM_TAG_SIZE 16

/* A message of AES-256-GCM; @text is encrypted or decrypted where it is. */
struct kapi_gcm {
	const unsigned char *key, *iv;
	const unsigned char *aad;
	size_t aad_size;
	unsigned char *text;
	size_t size;
	unsigned char *tag;
};

/* The bytes are zeros from here on, even where nothing reads them any more. */
void kapi_wipe(void *bytes, size_t size);

/*
 * Writes the tag; checks it: -EBADMSG, and the text is as it was. -EOPNOTSUPP: there is no
 * AES-GCM here; -ENOMEM. Sleep.
 */
int kapi_gcm_encrypt(const struct kapi_gcm *message);
int kapi_gcm_decrypt(const struct kapi_gcm *message);

/* What nobody can guess. */
void kapi_random(void *to, size_t size);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_CRYPTO_H */
