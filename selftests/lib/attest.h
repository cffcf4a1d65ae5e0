/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest of SNP that has itself attested: its keys come from its own secrets page, and messages
 * are made for it by the test, which has OpenSSL. Pages for messages are in the agent's memory.
 */
#ifndef SELFTESTS_ATTEST_H
#define SELFTESTS_ATTEST_H

#include "ghcb.h"

/* Where the firmware has put what is the guest's secret: private. */
#define SECRETS		(TEST_GPA + 2 * SZ_2M)
#define SECRETS_KEYS	0x20

/* Shared. */
#define REQUEST_AT	0x1b0000UL
#define RESPONSE_AT	0x1b1000UL
#define TABLE		0x1b2000UL
#define TABLE_PAGES	6

#define KEY_REQ		3
#define REPORT_REQ	5
#define KEY_SIZE	32
#define REPORT_SIZE	0x4a0

struct attest {
	struct ghcb_guest guest;
	unsigned char keys[4][KEY_SIZE];
	u64 counts[4];			/* numbers of the last answers */
	unsigned char *ask, *say, *table;
};

/* What is said of a message in its header; the rest is as it should be. */
struct message {
	uint8_t type;
	uint8_t key;
	u64 number;
	uint16_t size;			/* of the payload */
};

/* A guest that has read its keys; skips the test as ghcb_registered_guest(). */
struct attest attest_guest(void);
/* Writes @message with @payload, encrypted under @key. */
void attest_put(struct attest *attest, const struct message *message, const void *payload,
		const unsigned char *key);
/* A report on the guest, with 64 bytes of @data, for @vmpl under its key; the next in sequence. */
void attest_put_report(struct attest *attest, uint8_t vmpl, uint8_t data);
/* Decrypts the answer to the next message under @key, which has @size bytes and counts. */
const unsigned char *attest_answer(struct attest *attest, uint8_t type, uint8_t key, uint16_t size);
/* @event for the pages above is in the GHCB; and it is asked: how that ends. */
void attest_prepare(struct attest *attest, u64 event);
void attest_must(struct attest *attest, u64 event, u64 info_1, u64 info_2);

/* Whether the key that debugfs shows has signed @report, which is of that processor. */
void attest_check_report(const unsigned char *report);
/* Writes a table of certificates into debugfs; as write(). */
long attest_write_table(const void *table, size_t size);

#endif
