// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attestation of a guest on the SNP model, from its secrets page to a report whose signature is
 * checked: messages in sequence, messages that are not the guest's, pages that are not shared,
 * certificates, and a guest that goes in the middle.
 *
 * Tests: guest/requests.cc, arch/x86/snp_requests.cc, arch/x86/snp_message.cc,
 * arch/x86/snp_report.cc, arch/x86/p384.cc, kapi/attestation.c, kapi/gcm.c, kapi/ecdh.c.
 */
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attest.h"
#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "leak.h"
#include "snp.h"
#include "vcpu.h"

#define FW_AEAD_OFLOW	0x1d
#define TOO_FEW_PAGES	(1UL << 32)

static const unsigned char no_certificates[24];

static u64 number_at(const unsigned char *at)
{
	u64 value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* The next report is there, and good. */
static const unsigned char *must_report(struct attest *attest, u64 event, uint8_t vmpl,
					uint8_t data)
{
	const unsigned char *answer;

	attest_put_report(attest, vmpl, data);
	attest_must(attest, event, 0, 0);
	answer = attest_answer(attest, REPORT_REQ, vmpl, 0x20 + REPORT_SIZE);
	CHECK_EQ(number_at(answer), (u64)REPORT_SIZE << 32);
	attest_check_report(answer + 0x20);
	return answer + 0x20;
}

static void test_report(void)
{
	const long reports = gmem_total("platform_reports");
	struct attest attest = attest_guest();
	struct gmem_launch_measurement measured = {};
	const unsigned char *report = must_report(&attest, GUEST_REQUEST, 1, 0x77);

	CHECK_OK(ioctl(attest.guest.fd, GMEM_GET_MEASUREMENT, &measured));
	CHECK_EQ((u32)number_at(report), 2);
	CHECK_EQ(number_at(report + 0x008), SNP_POLICY);
	CHECK_EQ((u32)number_at(report + 0x030), 1);
	for (unsigned int i = 0; i < 64; i += 8)
		CHECK_EQ(number_at(report + 0x050 + i), 0x7777777777777777);
	CHECK(!memcmp(report + 0x090, measured.digest, 48), "another guest's measurement");
	CHECK(!memcmp(report + 0x1a0, "gmem snp-model, not AMD", 24), "another's processor");
	CHECK_EQ(gmem_total("platform_reports"), reports);
}

static void test_messages_in_sequence(void)
{
	struct attest attest = attest_guest();
	unsigned char first[KEY_SIZE];

	for (uint8_t vmpl = 0; vmpl < 4; vmpl++)
		must_report(&attest, vmpl & 1 ? EXT_REQUEST : GUEST_REQUEST, vmpl, vmpl);
	/* The same key each time. */
	for (unsigned int i = 0; i < 2; i++) {
		const unsigned char request[0x20] = {};
		const struct message message = { KEY_REQ, 0, attest.counts[0] + 1, 0x20 };
		const unsigned char *answer;

		attest_put(&attest, &message, request, attest.keys[0]);
		attest_must(&attest, GUEST_REQUEST, 0, 0);
		answer = attest_answer(&attest, KEY_REQ, 0, 0x40);
		CHECK_EQ((u32)number_at(answer), 0);
		if (i)
			CHECK(!memcmp(first, answer + 0x20, KEY_SIZE), "another key");
		memcpy(first, answer + 0x20, KEY_SIZE);
	}
}

/* Nothing was said, and the next good message is answered. */
static void must_refuse(struct attest *attest, u64 error)
{
	memset(attest->say, 0xee, PAGE_SIZE);
	attest_must(attest, GUEST_REQUEST, 0, error);
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		CHECK_EQ(attest->say[i], 0xee);
}

static void test_bad_messages(void)
{
	struct attest attest = attest_guest();
	const unsigned char payload[0x60] = {};
	unsigned char sent[PAGE_SIZE];
	long reports = gmem_total("platform_reports");

	/* No message; another guest's key; a key of another VMPL; a key that there is not. */
	memset(attest.ask, 0, PAGE_SIZE);
	must_refuse(&attest, FW_INVALID_PARAM);
	attest_put(&attest, &(struct message){ REPORT_REQ, 0, 1, 0x60 }, payload, payload);
	must_refuse(&attest, FW_BAD_MEASUREMENT);
	attest_put(&attest, &(struct message){ REPORT_REQ, 0, 1, 0x60 }, payload, attest.keys[1]);
	must_refuse(&attest, FW_BAD_MEASUREMENT);
	attest_put(&attest, &(struct message){ REPORT_REQ, 4, 1, 0x60 }, payload, attest.keys[0]);
	must_refuse(&attest, FW_INVALID_PARAM);
	/* Truncated: without saying so, and as the guest itself. */
	attest_put_report(&attest, 0, 1);
	attest.ask[0x36] = 0x50;
	must_refuse(&attest, FW_BAD_MEASUREMENT);
	attest_put(&attest, &(struct message){ REPORT_REQ, 0, 1, 0x50 }, payload, attest.keys[0]);
	must_refuse(&attest, FW_INVALID_PARAM);
	attest_put(&attest, &(struct message){ 1, 0, 1, 0x60 }, payload, attest.keys[0]);
	must_refuse(&attest, FW_INVALID_PARAM);
	/* Too early, and once more. */
	attest_put(&attest, &(struct message){ REPORT_REQ, 0, 3, 0x60 }, payload, attest.keys[0]);
	must_refuse(&attest, FW_AEAD_OFLOW);
	CHECK_EQ(gmem_total("platform_reports"), reports + 8);
	attest_put_report(&attest, 0, 1);
	memcpy(sent, attest.ask, PAGE_SIZE);
	must_report(&attest, GUEST_REQUEST, 0, 1);
	memcpy(attest.ask, sent, PAGE_SIZE);
	must_refuse(&attest, FW_AEAD_OFLOW);
	must_report(&attest, GUEST_REQUEST, 0, 2);
}

static void test_bad_pages(void)
{
	static const struct {
		u64 ask, say, error;
	} rows[] = {
		{ REQUEST_AT, REQUEST_AT, ERR_MISSING },
		{ REQUEST_AT + 16, RESPONSE_AT, ERR_MISSING },
		{ REQUEST_AT, RESPONSE_AT + 16, ERR_MISSING },
		{ BLOCK, RESPONSE_AT, ERR_INPUT },
		{ REQUEST_AT, BLOCK, ERR_INPUT },
		{ NOWHERE, RESPONSE_AT, ERR_INPUT },
		{ REQUEST_AT, NOWHERE, ERR_INPUT },
		{ ~0UL << 12, RESPONSE_AT, ERR_INPUT },
		{ REQUEST_AT, (1UL << 51), ERR_INPUT },
	};
	struct attest attest = attest_guest();

	attest_put_report(&attest, 0, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		ghcb_prepare(&attest.guest, GUEST_REQUEST, rows[i].ask, rows[i].say);
		ghcb_must(&attest.guest, 2, rows[i].error);
	}
	/* Where the VMM may have another page than the guest: that one is not looked at. */
	MUST(guest_check_zero(attest.guest.vcpu, BLOCK, PAGE_SIZE));
	must_report(&attest, GUEST_REQUEST, 0, 1);
}

static void test_certificates(void)
{
	static const u64 bad_rooms[] = { BLOCK, NOWHERE, TABLE + 8 };
	static unsigned char table[2 * PAGE_SIZE];
	struct attest attest = attest_guest();

	table[0] = 0xc0;
	table[16] = 48;
	memcpy(table + 20, &(u32){ sizeof(table) - 48 }, 4);
	memset(table + 48, 0xce, sizeof(table) - 48);
	must_report(&attest, EXT_REQUEST, 0, 1);
	CHECK_EQ(number_at(attest.table), 0);
	CHECK_EQ(attest_write_table(table, sizeof(table)), sizeof(table));
	/* What is none changes nothing. */
	CHECK_ERRNO(attest_write_table(table, 40), EINVAL);
	CHECK_ERRNO(attest_write_table(table, (64 << 10) + 1), EFBIG);
	memset(attest.table, 0xee, TABLE_PAGES * PAGE_SIZE);
	attest_put_report(&attest, 0, 2);
	ghcb_prepare(&attest.guest, EXT_REQUEST, REQUEST_AT, RESPONSE_AT);
	ghcb_set(&attest.guest, RAX, TABLE);
	ghcb_set(&attest.guest, RBX, 1);
	ghcb_must(&attest.guest, 0, TOO_FEW_PAGES);
	CHECK_EQ(ghcb_field(&attest.guest, RBX), 2);
	CHECK_EQ(attest.table[0], 0xee);
	must_report(&attest, EXT_REQUEST, 0, 2);
	CHECK(!memcmp(attest.table, table, sizeof(table)), "other certificates");
	CHECK_EQ(attest.table[sizeof(table)], 0xee);
	/* Room that is private, or not there. */
	attest_put_report(&attest, 0, 3);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_rooms); i++) {
		ghcb_prepare(&attest.guest, EXT_REQUEST, REQUEST_AT, RESPONSE_AT);
		ghcb_set(&attest.guest, RAX, bad_rooms[i]);
		ghcb_set(&attest.guest, RBX, 2);
		ghcb_must(&attest.guest, 2, ERR_INPUT);
	}
	CHECK_EQ(attest_write_table(no_certificates, sizeof(no_certificates)),
		 sizeof(no_certificates));
	must_report(&attest, EXT_REQUEST, 0, 3);
	CHECK_EQ(number_at(attest.table), 0);
}

/* Asks until it is killed. */
static void ask_for_ever(int started)
{
	struct attest attest = attest_guest();

	for (unsigned int i = 0;; i++) {
		must_report(&attest, EXT_REQUEST, 0, i);
		if (i == 0)
			CHECK_EQ(write(started, "", 1), 1);
	}
}

static void test_killed_in_the_middle(void)
{
	struct leak_mark before;
	char text[200];

	snp_require_model();
	if (cpu_is_intel())
		tap_skip("needs a processor with SVM");
	before = leak_take();
	for (unsigned int i = 0; i < 8; i++) {
		int started[2], status;
		pid_t child;
		char byte;

		CHECK_OK(pipe(started));
		child = fork();
		CHECK_OK(child);
		if (!child)
			ask_for_ever(started[1]);
		close(started[1]);
		CHECK_EQ(read(started[0], &byte, 1), 1);
		close(started[0]);
		let_pass(3000 * i);
		CHECK_OK(kill(child, SIGKILL));
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it ended by itself");
	}
	CHECK(leak_settled(&before, 30, text, sizeof(text)), "%s", text);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_report),
		TAP_TEST(test_messages_in_sequence),
		TAP_TEST(test_bad_messages),
		TAP_TEST(test_bad_pages),
		TAP_TEST(test_certificates),
		TAP_TEST(test_killed_in_the_middle),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
