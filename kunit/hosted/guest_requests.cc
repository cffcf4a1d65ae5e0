// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest requests of the GHCB: which pages are read and written, what the guest finds, and the
 * certificates that come with a report. What messages say is in the suite snp_requests.
 *
 * Tests: guest/requests.cc, guest/requests.h, guest/events.cc, arch/x86/snp_certificates.cc,
 * arch/x86/snp_chip.cc, arch/x86/show.h, arch/x86/snp_platform.cc.
 */
#include <string>
#include <vector>

#include "arch/x86/le.h"
#include "arch/x86/snp_certificates.h"
#include "kapi/misdeeds.h"
#include "kunit/fakes/crypto.h"
#include "kunit/fakes/fakes.h"
#include "kunit/hosted/exiting.h"
#include "kunit/suites/snp_guest_message.h"

using namespace gmem_test;
using namespace gmem::test;

namespace
{

constexpr std::uint64_t kRequest = 0x80000011, kExtended = 0x80000012;
constexpr std::uint64_t kAskGfn = 710, kSayGfn = 711, kTableGfn = 712;
constexpr std::uint64_t kAsk = kAskGfn * kPageBytes, kSay = kSayGfn * kPageBytes,
			kTable = kTableGfn * kPageBytes;
constexpr std::uint64_t kTablePages = 6;
constexpr std::uint64_t kTooFew = 1ull << 32, kBusy = 2ull << 32;

/* Has a page for each message, and some for certificates, all of them shared. */
class Asking : public Exiting {
    public:
	Asking()
	{
		fake::set_private(vm.vm, kAskGfn, kTableGfn + kTablePages, false);
		for (std::uint64_t gfn = kAskGfn; gfn < kTableGfn + kTablePages; gfn++)
			at(gfn).fill(0xee);
		set_table({ kNoCertificates.begin(), kNoCertificates.end() });
	}
	~Asking() { set_table({ kNoCertificates.begin(), kNoCertificates.end() }); }

	std::array<std::uint8_t, kPageBytes> &at(std::uint64_t gfn)
	{
		return fake::accesses().users[gfn];
	}
	const SnpGuest &state() { return gmem::snp_platform_of(vm.vm).get()->guest(); }
	void put_message(const MessageHeader &header = {})
	{
		at(kAskGfn) = message_of(header, report_request(),
					 state().messages.keys[header.key]);
	}
	void prepare_request(std::uint64_t code, std::uint64_t request = kAsk,
			     std::uint64_t response = kSay)
	{
		prepare(code, request, response);
		set(kRax, kTable);
		set(kRbx, kTablePages);
	}
	/* Asked in vain: nothing has been said, and none of the guest's messages is used up. */
	void refused(std::uint64_t info_1, std::uint64_t info_2)
	{
		const auto before = fake::accesses().users;
		const auto counts = state().messages.counts;

		ends(info_1, info_2);
		for (std::uint64_t gfn = kAskGfn; gfn < kTableGfn; gfn++)
			EXPECT(at(gfn) == before.at(gfn));
		EXPECT(state().messages.counts == counts);
	}
	/* The next message is answered. */
	void answered(std::uint64_t code = kRequest)
	{
		const std::uint64_t number = state().messages.counts[0] + 1;

		put_message({ .number = number });
		prepare_request(code);
		ends(0, 0);

		gmem::SnpMessage said{ at(kSayGfn) };

		EXPECT(said.header_is_good() && said.number() == number + 1);
		EXPECT(said.decrypt(state().messages.keys[0]).ok());
		EXPECT_EQ(gmem::load_le(said.payload().data(), 4), 0u);
	}
	static int set_table(const std::vector<std::uint8_t> &table)
	{
		return gmem_snp_certificates_store(table.data(), table.size());
	}

	static constexpr std::array<std::uint8_t, 24> kNoCertificates{};
};

/* One entry, and @size bytes in all. */
std::vector<std::uint8_t> table_of(std::size_t size)
{
	std::vector<std::uint8_t> table(size);

	for (std::size_t i = 48; i < size; i++)
		table[i] = static_cast<std::uint8_t>(i);
	table[0] = 0xc0;
	gmem::store_le(&table[16], 48, 4);
	gmem::store_le(&table[20], size - 48, 4);
	return table;
}

void messages_are_answered()
{
	Asking guest;

	REQUIRE(guest.ready);
	for (const std::uint64_t code : { kRequest, kExtended, kRequest }) {
		guest.answered(code);
		/* What there was of the guest's registers stays. */
		EXPECT_EQ(guest.get(kRbx), kTablePages);
		EXPECT_EQ(guest.get(kRax), kTable);
	}
	EXPECT_EQ(fake::reports(), 0);
}

void a_request_is_read_once()
{
	Asking guest;

	REQUIRE(guest.ready);
	guest.put_message();
	guest.prepare_request(kRequest);

	const auto before = guest.at(kAskGfn);
	const unsigned long stock = fake::accesses().stock;

	guest.ends(0, 0);
	/* The GHCB's own: one read and five writes. */
	EXPECT_EQ(fake::accesses().stock, stock + 4 + 1 + 2);
	EXPECT(guest.at(kAskGfn) == before);
}

void the_firmware_refuses()
{
	Asking guest;

	REQUIRE(guest.ready);
	guest.prepare_request(kRequest);
	guest.refused(0, 0x16); /* no message at all */
	EXPECT_EQ(fake::reports(), 1);
	guest.put_message();
	guest.at(kAskGfn)[0x60] ^= 1;
	guest.prepare_request(kRequest);
	guest.refused(0, 0x0b);
	guest.answered();
	/* Once more. */
	guest.put_message();
	guest.prepare_request(kRequest);
	guest.refused(0, 0x1d);
	guest.answered();
}

void pages_that_are_not_the_guests_to_give()
{
	const struct {
		std::uint64_t request, response;
		unsigned error;
	} kRows[] = {
		{ kAsk, kAsk, 4 },	  { kAsk + 8, kSay, 4 },    { kAsk, kSay + 0x800, 4 },
		{ kPrivateGpa, kSay, 5 }, { kAsk, kPrivateGpa, 5 }, { kNowhere, kSay, 5 },
		{ kAsk, kNowhere, 5 },	  { 1ull << 51, kSay, 5 },  { kAsk, ~0ull << 12, 5 },
	};
	Asking guest;

	REQUIRE(guest.ready);
	guest.put_message();
	for (const std::uint64_t code : { kRequest, kExtended }) {
		for (const auto &row : kRows) {
			guest.prepare_request(code, row.request, row.response);
			guest.refused(2, row.error);
			EXPECT_EQ(fake::reports(), 1);
		}
	}
	guest.answered();
}

/* Nothing of it, whatever user space has there. */
void a_private_message_is_not_looked_at()
{
	Asking guest;

	REQUIRE(guest.ready);
	guest.put_message();
	fake::set_private(guest.vm.vm, kAskGfn, kAskGfn + 1, true);
	guest.prepare_request(kRequest);
	guest.refused(2, 5);
	fake::set_private(guest.vm.vm, kAskGfn, kAskGfn + 1, false);
	fake::set_private(guest.vm.vm, kSayGfn, kSayGfn + 1, true);
	guest.prepare_request(kRequest);
	guest.refused(2, 5);
	fake::set_private(guest.vm.vm, kSayGfn, kSayGfn + 1, false);
	guest.prepare_request(kRequest);
	guest.ends(0, 0);
}

/* ---- certificates ----------------------------------------------------------------------- */

void certificates_come_with_reports()
{
	Asking guest;

	REQUIRE(guest.ready);
	for (const std::size_t size : { std::size_t{ 60 }, std::size_t{ 4096 }, std::size_t{ 4097 },
					std::size_t{ 4 * 4096 } }) {
		const auto table = table_of(size);
		const std::uint64_t wanted = (size + 4095) / 4096;

		EXPECT_EQ(Asking::set_table(table), 0);
		/* Not with this one. */
		guest.at(kTableGfn).fill(0xee);
		guest.answered(kRequest);
		EXPECT_EQ(guest.at(kTableGfn)[0], 0xee);
		/* Too few pages for them. */
		for (const std::uint64_t pages : { std::uint64_t{ 0 }, wanted - 1 }) {
			guest.put_message({ .number = guest.state().messages.counts[0] + 1 });
			guest.prepare_request(kExtended);
			guest.set(kRbx, pages);
			guest.refused(0, kTooFew);
			EXPECT_EQ(guest.get(kRbx), wanted);
		}
		guest.answered(kExtended);
		for (std::size_t i = 0; i < size; i++)
			EXPECT(guest.at(kTableGfn + i / 4096)[i % 4096] == table[i]);
		EXPECT_EQ(guest.at(kTableGfn + size / 4096)[size % 4096], 0xee);
	}
}

void without_certificates_the_table_is_empty()
{
	Asking guest;

	REQUIRE(guest.ready);
	guest.answered(kExtended);
	EXPECT_EQ(guest.at(kTableGfn)[0], 0);
	EXPECT_EQ(guest.at(kTableGfn)[23], 0);
	EXPECT_EQ(guest.at(kTableGfn)[24], 0xee);
}

void room_for_certificates()
{
	Asking guest;

	REQUIRE(guest.ready);
	EXPECT_EQ(Asking::set_table(table_of(5000)), 0);
	guest.put_message();
	/* Of registers that are not valid nothing is known. */
	for (const unsigned missing : { kRax, kRbx }) {
		guest.prepare(kExtended, kAsk, kSay);
		guest.set(missing == kRax ? kRbx : kRax, missing == kRax ? kTablePages : kTable);
		guest.refused(2, 4);
	}
	for (const std::uint64_t at :
	     { kTable + 8, kNowhere, kPrivateGpa, kTable + (kTablePages - 1) * kPageBytes }) {
		guest.prepare_request(kExtended);
		guest.set(kRax, at);
		guest.refused(2, 5);
	}
	/* For other messages nobody needs room. */
	guest.at(kAskGfn) = message_of({ .type = 3 }, key_request({}),
				       guest.state().messages.keys[0]);
	guest.prepare(kExtended, kAsk, kSay);
	guest.ends(0, 0);
}

void what_is_no_table()
{
	std::vector<std::uint8_t> table = table_of(200);
	Asking guest;

	REQUIRE(guest.ready);
	EXPECT_EQ(Asking::set_table(table), 0);
	EXPECT_EQ(Asking::set_table({}), -EINVAL);
	EXPECT_EQ(Asking::set_table(std::vector<std::uint8_t>(23)), -EINVAL);
	EXPECT_EQ(Asking::set_table(table_of(4 * 4096 + 1)), -EINVAL);
	/* No last entry. */
	EXPECT_EQ(Asking::set_table({ table.begin(), table.begin() + 24 }), -EINVAL);
	EXPECT_EQ(Asking::set_table({ table.begin(), table.begin() + 47 }), -EINVAL);
	for (const auto &[offset, length] :
	     { std::pair{ 201u, 0u }, { 48u, 153u }, { ~0u, 1u }, { 48u, ~0u }, { 0u, 201u } }) {
		auto bad = table;

		gmem::store_le(&bad[16], offset, 4);
		gmem::store_le(&bad[20], length, 4);
		EXPECT_EQ(Asking::set_table(bad), -EINVAL);
	}
	/* Nothing was lost by that. */
	guest.answered(kExtended);
	EXPECT(std::equal(table.begin(), table.end(), guest.at(kTableGfn).begin()));
}

/* ---- what root orders (guest/misdeeds.h) ------------------------------------------------- */

void order(const char *name, unsigned times, unsigned after = 0)
{
	EXPECT_EQ(gmem_misdeed_order(name, times, after), 0);
}

void requests_that_are_not_passed_on()
{
	Asking guest;

	REQUIRE(guest.ready);
	guest.put_message();
	for (const std::uint64_t code : { kRequest, kExtended }) {
		order("request-busy", 2);
		for (unsigned i = 0; i < 2; i++) {
			guest.prepare_request(code);
			guest.refused(0, kBusy);
		}
		order("request-refused", 1);
		guest.prepare_request(code);
		guest.refused(0, 0x16);
		/* The very same message, as none of them was used up. */
		guest.answered(code);
		guest.put_message({ .number = guest.state().messages.counts[0] + 1 });
	}
}

void answers_that_are_another()
{
	Asking guest;

	REQUIRE(guest.ready);
	order("answer-tampered", 1, 1);
	guest.answered();

	const std::uint64_t number = guest.state().messages.counts[0] + 1;

	guest.put_message({ .number = number });
	guest.prepare_request(kRequest);
	guest.ends(0, 0);

	gmem::SnpMessage said{ guest.at(kSayGfn) };

	EXPECT_EQ(said.number(), number + 1);
	EXPECT_EQ(said.decrypt(guest.state().messages.keys[0]).code(), -EBADMSG);
	/* The firmware has answered, so that the message is used up; and nothing else is wrong. */
	EXPECT_EQ(guest.state().messages.counts[0], number + 1);
	guest.at(kSayGfn)[0x60] ^= 1;
	EXPECT(said.decrypt(guest.state().messages.keys[0]).ok());
	guest.answered();
}

void answers_that_come_again()
{
	Asking guest;

	REQUIRE(guest.ready);
	/* What came before the order is not kept, so that there is no occasion yet. */
	guest.answered();
	order("answer-replayed", 2, 1);
	guest.answered();
	guest.answered();

	const auto before = guest.at(kSayGfn);
	const auto counts = guest.state().messages.counts;

	for (unsigned i = 0; i < 2; i++) {
		guest.at(kSayGfn).fill(0xee);
		guest.put_message({ .number = counts[0] + 1 });
		guest.prepare_request(kRequest);
		guest.ends(0, 0);

		gmem::SnpMessage said{ guest.at(kSayGfn) };

		EXPECT_EQ(said.number(), counts[0]);
		EXPECT(said.decrypt(guest.state().messages.keys[0]).ok());
		EXPECT(guest.at(kSayGfn) == before);
		EXPECT(guest.state().messages.counts == counts);
	}
	guest.answered();
}

/* What one guest was told is not replayed to another. */
void answers_come_again_to_the_same_guest()
{
	Asking one, other;

	REQUIRE(one.ready && other.ready);
	order("answer-replayed", 1);
	one.answered();
	other.answered();
	order("answer-replayed", 0);
}

/* ---- no memory, and what user space sees ------------------------------------------------ */

/* Nothing is asked, as the task that waits for its turn is gone. */
void a_killed_task_asks_nothing()
{
	Asking guest;

	REQUIRE(guest.ready);
	guest.put_message();
	guest.prepare_request(kRequest);

	const auto counts = guest.state().messages.counts;

	fake::set_killed_after(1);
	EXPECT_EQ(guest.vmgexit(), -EINTR);
	fake::set_killed_after(0);
	EXPECT(guest.state().messages.counts == counts);
}

void without_memory_the_guest_asks_again()
{
	Asking guest;
	unsigned failures = 0;

	REQUIRE(guest.ready);
	fake::crypto_lacks_memory = fake::fail_now;
	for (;; failures++) {
		const auto counts = guest.state().messages.counts;

		guest.put_message({ .number = counts[0] + 1 });
		guest.prepare_request(kExtended);
		fake::fail_nth(failures + 1);

		const int ret = guest.vmgexit();
		const bool failed = fake::fail_fired();

		fake::fail_nth(0);
		EXPECT_EQ(ret, kGoOn);
		if (!failed)
			break;
		EXPECT_EQ(guest.get(kInfo2), kBusy);
		EXPECT(guest.state().messages.counts == counts);
	}
	fake::crypto_lacks_memory = nullptr;
	EXPECT_EQ(guest.get(kInfo2), 0u);
	/* The pages, the certificates, the message, the report's signature, the answer. */
	EXPECT(failures >= 5);
	guest.answered();
}

void the_key_is_shown()
{
	std::string text;

	gmem_snp_vcek_show(&text);
	EXPECT(text.starts_with("x ") && text.find("\ny ") == 98);
	EXPECT(text.find("\nchip_id 676d656d20736e702d6d6f64656c2c206e6f7420414d4400") !=
	       text.npos);
	EXPECT(text.ends_with("\ntcb 0x0403000000000201\n"));
	EXPECT_EQ(text.size(), 98u + 99 + 137 + 24);

	std::string again;

	gmem_snp_vcek_show(&again);
	EXPECT(text == again);
}

} /* namespace */

GMEM_SUITE(guest_requests, CASE(messages_are_answered), CASE(a_request_is_read_once),
	   CASE(the_firmware_refuses), CASE(pages_that_are_not_the_guests_to_give),
	   CASE(a_private_message_is_not_looked_at), CASE(certificates_come_with_reports),
	   CASE(without_certificates_the_table_is_empty), CASE(room_for_certificates),
	   CASE(what_is_no_table), CASE(requests_that_are_not_passed_on),
	   CASE(answers_that_are_another), CASE(answers_that_come_again),
	   CASE(answers_come_again_to_the_same_guest), CASE(a_killed_task_asks_nothing),
	   CASE(without_memory_the_guest_asks_again), CASE(the_key_is_shown));
