// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests that have themselves attested, see attest.h.
 */
#include "attest.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "guest.h"

#define DEBUGFS		"/sys/kernel/debug/gmem/"
#define AUTHENTICATED	0x30
#define PAYLOAD		0x60
#define TAG_SIZE	16
#define NUMBER_SIZE	48
#define SIGNED		0x2a0
#define CHIP_ID		0x1a0

struct attest attest_guest(void)
{
	struct attest attest = { .guest = ghcb_guest_with_secrets(SECRETS) };
	char *memory = attest.guest.vm->agent;

	for (unsigned int i = 0; i < sizeof(attest.keys); i += 8) {
		u64 value;

		MUST(guest_read(attest.guest.vcpu, SECRETS + SECRETS_KEYS + i, 8, &value));
		memcpy(&attest.keys[0][i], &value, sizeof(value));
	}
	attest.ask = (unsigned char *)memory + REQUEST_AT;
	attest.say = (unsigned char *)memory + RESPONSE_AT;
	attest.table = (unsigned char *)memory + TABLE;
	return attest;
}

/* Of the @size bytes at @page; false: they are not by the owner of @key. */
static bool gcm(unsigned char *page, unsigned int size, const unsigned char *key, bool encrypt)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	unsigned char iv[12] = {};
	int done;
	bool good;

	memcpy(iv, page + 0x20, 8);
	good = EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, iv, encrypt) &&
	       EVP_CipherUpdate(context, NULL, &done, page + AUTHENTICATED,
				PAYLOAD - AUTHENTICATED) &&
	       EVP_CipherUpdate(context, page + PAYLOAD, &done, page + PAYLOAD, size) &&
	       (encrypt || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, page)) &&
	       EVP_CipherFinal_ex(context, page + PAYLOAD + done, &done) &&
	       (!encrypt || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, page));
	EVP_CIPHER_CTX_free(context);
	return good;
}

void attest_put(struct attest *attest, const struct message *message, const void *payload,
		const unsigned char *key)
{
	unsigned char *page = attest->ask;

	memset(page, 0, PAGE_SIZE);
	memcpy(page + 0x20, &message->number, 8);
	page[0x30] = 1;
	page[0x31] = 1;
	page[0x32] = PAYLOAD;
	page[0x34] = message->type;
	page[0x35] = 1;
	memcpy(page + 0x36, &message->size, 2);
	page[0x3c] = message->key;
	memcpy(page + PAYLOAD, payload, message->size);
	CHECK(gcm(page, message->size, key, true), "OpenSSL fails");
}

void attest_put_report(struct attest *attest, uint8_t vmpl, uint8_t data)
{
	unsigned char payload[0x60] = {};
	const struct message message = {
		.type = REPORT_REQ,
		.key = vmpl,
		.number = attest->counts[vmpl] + 1,
		.size = sizeof(payload),
	};

	memset(payload, data, 64);
	payload[0x40] = vmpl;
	attest_put(attest, &message, payload, attest->keys[vmpl]);
}

const unsigned char *attest_answer(struct attest *attest, uint8_t type, uint8_t key, uint16_t size)
{
	unsigned char *page = attest->say;
	u64 number;
	uint16_t said;

	memcpy(&number, page + 0x20, 8);
	memcpy(&said, page + 0x36, 2);
	CHECK_EQ(number, attest->counts[key] + 2);
	CHECK_EQ(page[0x34], type + 1);
	CHECK_EQ(page[0x3c], key);
	CHECK_EQ(said, size);
	CHECK(gcm(page, size, attest->keys[key], false), "the answer is not the firmware's");
	attest->counts[key] += 2;
	return page + PAYLOAD;
}

void attest_prepare(struct attest *attest, u64 event)
{
	ghcb_prepare(&attest->guest, event, REQUEST_AT, RESPONSE_AT);
	ghcb_set(&attest->guest, RAX, TABLE);
	ghcb_set(&attest->guest, RBX, TABLE_PAGES);
}

void attest_must(struct attest *attest, u64 event, u64 info_1, u64 info_2)
{
	attest_prepare(attest, event);
	ghcb_must(&attest->guest, info_1, info_2);
}

/* ---- reports ---------------------------------------------------------------------------- */

/* What debugfs shows, as @count hex digits behind @name. */
static void shown(const char *text, const char *name, unsigned char *bytes, unsigned int count)
{
	const char *at = strstr(text, name);

	CHECK(at, "debugfs shows no %s", name);
	at += strlen(name);
	for (unsigned int i = 0; i < count; i++)
		CHECK(sscanf(at + 2 * i, "%2hhx", &bytes[i]) == 1, "%s is short", name);
}

static EVP_PKEY *key_of(const unsigned char *point, size_t size)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	char curve[] = "P-384";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point, size),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;

	CHECK(EVP_PKEY_fromdata_init(context) == 1 &&
	      EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) == 1,
	      "debugfs shows no point of the curve");
	EVP_PKEY_CTX_free(context);
	return key;
}

void attest_check_report(const unsigned char *report)
{
	unsigned char point[1 + 2 * NUMBER_SIZE] = { 4 }, chip[64], *der = NULL;
	int fd = open(DEBUGFS "snp_vcek", O_RDONLY);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	ECDSA_SIG *signature = ECDSA_SIG_new();
	char text[1024] = "";
	EVP_PKEY *key;
	int size;

	CHECK_OK(fd);
	CHECK(read(fd, text, sizeof(text) - 1) > 0, "debugfs shows no key");
	close(fd);
	shown(text, "x ", point + 1, NUMBER_SIZE);
	shown(text, "\ny ", point + 1 + NUMBER_SIZE, NUMBER_SIZE);
	shown(text, "\nchip_id ", chip, sizeof(chip));
	CHECK(!memcmp(report + CHIP_ID, chip, sizeof(chip)), "the report is another processor's");
	key = key_of(point, sizeof(point));
	ECDSA_SIG_set0(signature, BN_lebin2bn(report + SIGNED, 72, NULL),
		       BN_lebin2bn(report + SIGNED + 72, 72, NULL));
	size = i2d_ECDSA_SIG(signature, &der);
	CHECK(EVP_DigestVerifyInit(context, NULL, EVP_sha384(), NULL, key) == 1 &&
	      EVP_DigestVerify(context, der, size, report, SIGNED) == 1,
	      "the report is not signed by the processor");
	OPENSSL_free(der);
	ECDSA_SIG_free(signature);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
}

long attest_write_table(const void *table, size_t size)
{
	int fd = open(DEBUGFS "snp_certificates", O_WRONLY);
	long written;

	CHECK_OK(fd);
	written = write(fd, table, size);
	close(fd);
	return written;
}
