// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest messages of the SNP firmware's model: each check in its order, what reports and derived
 * keys are of, and that what is refused changes nothing.
 *
 * Tests: arch/x86/snp_requests.cc, arch/x86/snp_message.cc, arch/x86/snp_report.cc,
 * arch/x86/snp_chip.cc, arch/x86/snp_report_layout.h, arch/x86/le.h.
 */
#include <algorithm>

#include "arch/x86/le.h"
#include "arch/x86/snp_report.h"
#include "kunit/suite.h"
#include "kunit/suites/patterns.h"
#include "kunit/suites/snp_guest_message.h"

namespace
{

using namespace gmem;
using namespace gmem::test;

constexpr Pfn kBlock{ 0x40000 };
constexpr std::uint32_t kAsid = 5;

/* A machine with one guest, which runs. */
class Machine {
    public:
	explicit Machine(bool has_chip = true) : firmware(rmp, has_chip ? &chip_ : nullptr)
	{
		SnpLaunchFinish finish;

		finish.host_data.fill(0x5d);
		good_ = chip_.make().ok() && rmp.cover(kBlock, 1).ok() &&
			rmp.update(kBlock, { 0, true, RmpSize::k4K, true, 0 }) == RmpCode::Ok &&
			firmware.gctx_create(guest, kBlock) == SnpStatus::Success &&
			firmware.launch_start(guest, { .policy = 0x30000 }) == SnpStatus::Success &&
			firmware.activate(guest, kAsid) == SnpStatus::Success &&
			firmware.launch_finish(guest, finish) == SnpStatus::Success;
		guest.id_keys.guest_svn = 7;
		guest.id_keys.family_id.fill(0xfa);
		guest.id_keys.image_id.fill(0x1a);
		guest.id_keys.id.fill(0x1d);
	}
	~Machine()
	{
		(void)firmware.decommission(guest);
		(void)firmware.page_reclaim(kBlock, RmpSize::k4K);
		EXPECT(rmp.update(kBlock, {}) == RmpCode::Ok);
	}

	bool good() const { return good_; }
	const SnpChip &chip() const { return chip_; }
	/* What the firmware says to @message, which stays as it is. */
	SnpStatus ask(const PageBytes &message)
	{
		PageBytes copy = message;

		answer = kPageAA;

		const Result<SnpStatus> status = firmware.guest_request(guest, SnpMessage{ copy },
									SnpMessage{ answer });

		EXPECT(status.ok());
		return status.ok() ? status.value() : SnpStatus::HardwareError;
	}
	/* Under key 0, the next one. The status in the answer, once that is decrypted. */
	SnpStatus ask(SnpMessageType type, ConstBytes payload, unsigned key = 0)
	{
		const std::uint64_t number = guest.messages.counts[key] + 1;
		const PageBytes sent = message_of(
			{ .number = number, .type = static_cast<unsigned>(type), .key = key },
			payload, guest.messages.keys[key]);

		EXPECT(ask(sent) == SnpStatus::Success);

		SnpMessage got{ answer };

		EXPECT(got.header_is_good());
		EXPECT_EQ(got.number(), number + 1);
		EXPECT_EQ(static_cast<unsigned>(got.type()), static_cast<unsigned>(type) + 1);
		EXPECT_EQ(got.key(), key);
		EXPECT_EQ(guest.messages.counts[key], number + 1);
		if (!got.header_is_good() || !got.decrypt(guest.messages.keys[key]).ok()) {
			gmem_case_failed(__FILE__, __LINE__, "no answer");
			return SnpStatus::HardwareError;
		}
		return SnpStatus{ static_cast<std::uint32_t>(load_le(got.payload().data(), 4)) };
	}
	SnpStatus report(const ReportRequestBytes &request, unsigned key = 0)
	{
		return ask(SnpMessageType::ReportRequest, request, key);
	}
	SnpStatus derive(const KeyRequestBytes &request, unsigned key = 0)
	{
		return ask(SnpMessageType::KeyRequest, request, key);
	}
	/* Of the answer that was decrypted last. */
	ConstBytes payload() const { return ConstBytes{ answer }.subspan(0x60); }
	SnpKey key() const
	{
		SnpKey derived;

		std::copy_n(payload().begin() + 0x20, derived.size(), derived.begin());
		return derived;
	}
	/* Refused, and nothing has changed. */
	void refuses(const PageBytes &message, SnpStatus status)
	{
		const auto before = guest.messages.counts;

		EXPECT_EQ(static_cast<unsigned>(ask(message)), static_cast<unsigned>(status));
		EXPECT(answer == kPageAA || status == SnpStatus::Success);
		EXPECT(guest.messages.counts == before);
	}
	PageBytes message(const MessageHeader &header = {})
	{
		return message_of(header, report_request(), guest.messages.keys[header.key & 3]);
	}

    private:
	SnpChip chip_;
	bool good_;

    public:
	Rmp rmp;
	SnpFirmware firmware;
	SnpGuest guest;
	PageBytes answer;
};

/* ---- messages --------------------------------------------------------------------------- */

void messages_are_answered_in_sequence()
{
	Machine m;

	REQUIRE(m.good());
	for (unsigned key = 0; key < 4; key++) {
		for (unsigned i = 0; i < 3; i++)
			EXPECT(m.report(report_request(3), key) == SnpStatus::Success);
		EXPECT_EQ(m.guest.messages.counts[key], 6u);
	}
}

void headers_are_checked()
{
	constexpr MessageHeader kBad[] = {
		{ .algorithm = 0 },
		{ .algorithm = 2 },
		{ .header_version = 0 },
		{ .header_version = 2 },
		{ .header_size = 0x61 },
		{ .header_size = 0 },
		{ .key = 4 },
		{ .key = 0xff },
		{ .size = 0 },
		{ .size = 8 },
		{ .size = 0x61 },
		{ .size = 0xfb0 },
		{ .size = 0xfff0 },
		{ .size = 0x1060 },
	};
	Machine m;

	REQUIRE(m.good());
	for (const MessageHeader &header : kBad)
		m.refuses(m.message(header), SnpStatus::InvalidParam);
	EXPECT(m.report(report_request()) == SnpStatus::Success);
}

/* The largest one that a page has room for. */
void a_message_may_fill_its_page()
{
	Machine m;

	REQUIRE(m.good());
	EXPECT(m.ask(m.message({ .size = 0xfa0 })) == SnpStatus::Success);
	EXPECT_EQ(m.guest.messages.counts[0], 2u);
}

void messages_by_another_key_are_refused()
{
	Machine m;

	REQUIRE(m.good());
	SnpKey other = m.guest.messages.keys[0];

	other[31] ^= 1;
	m.refuses(message_of({}, report_request(), other), SnpStatus::BadMeasurement);
	m.refuses(message_of({ .key = 1 }, report_request(), m.guest.messages.keys[0]),
		  SnpStatus::BadMeasurement);
}

void messages_that_were_changed_are_refused()
{
	Machine m;

	REQUIRE(m.good());
	PageBytes message = m.message();

	/* A bit anywhere: of the tag, the number, what is authenticated, the payload. */
	for (const unsigned at :
	     { 0x00u, 0x0fu, 0x20u, 0x27u, 0x34u, 0x35u, 0x38u, 0x3du, 0x5fu, 0x60u, 0xbfu }) {
		message[at] ^= 0x40;
		m.refuses(message, SnpStatus::BadMeasurement);
		message[at] ^= 0x40;
	}
	/* Truncated by a block. */
	store_le(&message[0x36], 0x50, 2);
	m.refuses(message, SnpStatus::BadMeasurement);
	store_le(&message[0x36], 0x60, 2);
	EXPECT(m.ask(message) == SnpStatus::Success);
}

void numbers_are_next_in_sequence()
{
	Machine m;

	REQUIRE(m.good());
	for (const std::uint64_t number : { 0ull, 2ull, 3ull, ~0ull })
		m.refuses(m.message({ .number = number }), SnpStatus::AeadOverflow);

	const PageBytes first = m.message();

	EXPECT(m.ask(first) == SnpStatus::Success);
	/* Sent again. */
	m.refuses(first, SnpStatus::AeadOverflow);
	EXPECT(m.report(report_request()) == SnpStatus::Success);
	m.refuses(first, SnpStatus::AeadOverflow);
}

void a_key_is_used_up()
{
	Machine m;

	REQUIRE(m.good());
	m.guest.messages.counts[2] = ~0ull - 3;
	EXPECT(m.report(report_request(3), 2) == SnpStatus::Success);
	EXPECT_EQ(m.guest.messages.counts[2], ~0ull - 1);
	for (const std::uint64_t number : { ~0ull, 0ull, 1ull })
		m.refuses(m.message({ .number = number, .key = 2 }), SnpStatus::AeadOverflow);
	EXPECT(m.report(report_request(3), 1) == SnpStatus::Success);
}

void versions_types_and_sizes()
{
	constexpr MessageHeader kBad[] = {
		{ .version = 0 }, { .version = 2 }, { .type = 0 },    { .type = 1 },
		{ .type = 4 },	  { .type = 6 },    { .type = 7 },    { .type = 17 },
		{ .type = 255 },  { .size = 0x50 }, { .size = 0x10 }, { .type = 3, .size = 0x10 },
	};
	Machine m;

	REQUIRE(m.good());
	for (const MessageHeader &header : kBad)
		m.refuses(m.message(header), SnpStatus::InvalidParam);
	EXPECT(m.report(report_request()) == SnpStatus::Success);
}

void only_guests_that_run_are_answered()
{
	Machine m;

	REQUIRE(m.good());
	const PageBytes good = m.message();

	m.firmware.set_initialized(false);
	m.refuses(good, SnpStatus::InvalidPlatformState);
	m.firmware.set_initialized(true);
	m.guest.state = SnpGuest::State::Launch;
	m.refuses(good, SnpStatus::InvalidGuestState);
	m.guest.state = SnpGuest::State::Running;
	m.guest.gctx = kBlock + 1;
	m.refuses(good, SnpStatus::InvalidGuest);
	m.guest.gctx = kBlock;
	EXPECT(m.ask(good) == SnpStatus::Success);
}

void each_launch_has_its_own_secrets()
{
	Machine one, two;
	const SnpMessageKeys &a = one.guest.messages, &b = two.guest.messages;

	REQUIRE(one.good() && two.good());
	for (unsigned i = 0; i < 4; i++) {
		EXPECT(a.keys[i] != b.keys[i]);
		EXPECT(a.keys[i] != a.keys[(i + 1) % 4]);
		EXPECT(a.keys[i] != SnpKey{});
	}
	EXPECT(one.guest.report_id != two.guest.report_id);
	EXPECT(one.guest.root != two.guest.root);
	(void)one.firmware.decommission(one.guest);
	EXPECT(a.keys[0] == SnpKey{});
}

/* ---- reports ---------------------------------------------------------------------------- */

bool field_is(ConstBytes report, unsigned at, unsigned size, std::uint8_t byte)
{
	const ConstBytes field = report.subspan(at, size);

	return std::all_of(field.begin(), field.end(),
			   [&](std::uint8_t there) { return there == byte; });
}

bool is_signed(ConstBytes report, const kapi_p384_point &key)
{
	Result<Sha384> sha = Sha384::create();
	kapi_p384_signature signature;

	std::reverse_copy(&report[0x2a0], &report[0x2a0] + KAPI_P384_SIZE, signature.r);
	std::reverse_copy(&report[0x2e8], &report[0x2e8] + KAPI_P384_SIZE, signature.s);
	if (!sha.ok() || !sha.value().update(report.first(0x2a0)).ok())
		return false;

	const Result<Sha384Digest> digest = sha.value().finish();

	return digest.ok() && kapi_p384_verify(&key, &signature, digest.value().data()) == 0;
}

void a_report_tells_the_guest()
{
	Machine m;

	REQUIRE(m.good());
	EXPECT(m.report(report_request(2, 0x77)) == SnpStatus::Success);
	EXPECT_EQ(load_le(&m.payload()[4], 4), 0x4a0u);

	const ConstBytes report = m.payload().subspan(0x20, 0x4a0);

	EXPECT_EQ(load_le(&report[0x000], 4), 2u);
	EXPECT_EQ(load_le(&report[0x004], 4), 7u);
	EXPECT_EQ(load_le(&report[0x008], 8), 0x30000u);
	EXPECT(field_is(report, 0x010, 16, 0xfa));
	EXPECT(field_is(report, 0x020, 16, 0x1a));
	EXPECT_EQ(load_le(&report[0x030], 4), 2u);
	EXPECT_EQ(load_le(&report[0x034], 4), 1u);
	EXPECT_EQ(load_le(&report[0x048], 8), 0u);
	EXPECT(field_is(report, 0x050, 64, 0x77));
	EXPECT(std::equal(&report[0x090], &report[0x0c0], m.guest.digest.value().begin()));
	EXPECT(field_is(report, 0x0c0, 32, 0x5d));
	EXPECT(field_is(report, 0x0e0, 48, 0x1d));
	EXPECT(field_is(report, 0x110, 48, 0));
	EXPECT(std::equal(&report[0x140], &report[0x160], m.guest.report_id.begin()));
	EXPECT(field_is(report, 0x160, 32, 0xff));
	for (const unsigned tcb : { 0x038u, 0x180u, 0x1e0u, 0x1f0u })
		EXPECT_EQ(load_le(&report[tcb], 8), 0x0403000000000201u);
	EXPECT(std::equal(&report[0x1a0], &report[0x1e0], m.chip().id.begin()));
	for (const unsigned version : { 0x1e8u, 0x1ecu })
		EXPECT_EQ(load_le(&report[version], 4), 0x00013700u);
	EXPECT(field_is(report, 0x1f8, 0x2a0 - 0x1f8, 0));
	EXPECT(field_is(report, 0x2d0, 24, 0) && field_is(report, 0x318, 0x188, 0));
	EXPECT(is_signed(report, m.chip().vcek.point));
	m.guest.id_keys.has_author = true;
	m.guest.id_keys.author.fill(0xa0);
	EXPECT(m.report(report_request()) == SnpStatus::Success);
	EXPECT_EQ(load_le(&m.payload()[0x20 + 0x048], 8), 1u);
	EXPECT(field_is(m.payload(), 0x20 + 0x110, 48, 0xa0));
}

void no_chip_is_amds()
{
	SnpChip one, two;
	static constexpr char kText[] = "gmem snp-model, not AMD";

	REQUIRE(one.make().ok() && two.make().ok());
	EXPECT(std::equal(kText, kText + sizeof(kText), one.id.begin()));
	EXPECT(one.id != two.id);
	EXPECT(!(one.vcek.secret == two.vcek.secret));
	EXPECT(one.root != two.root);
}

/* In the answer, which counts. */
void what_reports_are_refused()
{
	Machine m;

	REQUIRE(m.good());
	const auto refused = [&](SnpStatus status, unsigned at, std::uint8_t byte,
				 unsigned vmpl = 0, unsigned key = 0) {
		ReportRequestBytes request = report_request(vmpl);

		request[at] = byte;
		EXPECT_EQ(static_cast<unsigned>(m.report(request, key)),
			  static_cast<unsigned>(status));
		EXPECT(field_is(m.payload(), 0x20, 0x4a0, 0));
	};

	refused(SnpStatus::InvalidParam, 0x44, 4);
	refused(SnpStatus::InvalidParam, 0x47, 1);
	refused(SnpStatus::InvalidParam, 0x48, 1);
	refused(SnpStatus::InvalidParam, 0x5f, 1);
	refused(SnpStatus::InvalidKey, 0x44, 2);
	refused(SnpStatus::InvalidKey, 0x44, 3);
	refused(SnpStatus::InvalidParam, 0, 1, 4);
	refused(SnpStatus::InvalidParam, 0, 1, 1, 2);
	refused(SnpStatus::InvalidParam, 0, 1, 0x80000000, 1);
	/* The VCEK by name. */
	ReportRequestBytes vcek = report_request();

	vcek[0x44] = 1;
	EXPECT(m.report(vcek) == SnpStatus::Success);
	m.guest.vcek_disabled = true;
	refused(SnpStatus::InvalidKey, 0x44, 1);
	refused(SnpStatus::InvalidKey, 0x44, 0);
}

void without_cryptography()
{
	Machine m{ false };

	REQUIRE(m.good());
	EXPECT(m.report(report_request()) == SnpStatus::Unsupported);
	EXPECT(m.derive({}) == SnpStatus::Unsupported);
}

/* ---- derived keys ----------------------------------------------------------------------- */

void derived_keys_are_of_what_was_asked_for()
{
	constexpr std::uint64_t kAll = 0x3f;
	Machine m;

	REQUIRE(m.good());
	const auto derive = [&](const KeyRequestBytes &request) {
		EXPECT(m.derive(request) == SnpStatus::Success);
		EXPECT(m.key() != SnpKey{});
		return m.key();
	};
	const SnpKey plain = derive({}), all = derive(key_request({ .fields = kAll }));

	EXPECT(plain == derive({}));
	EXPECT(all != plain);
	EXPECT(plain != derive(key_request({ .select = 1 })));
	EXPECT(plain == derive(key_request({ .select = 2 })));
	EXPECT(plain != derive(key_request({ .vmpl = 1 })));
	/* Numbers count where they are asked for. */
	EXPECT(plain == derive(key_request({ .guest_svn = 7, .tcb = 1 })));
	EXPECT(all != derive(key_request({ .fields = kAll, .guest_svn = 7 })));
	EXPECT(all != derive(key_request({ .fields = kAll, .tcb = 1 })));
	for (unsigned bit = 0; bit < 6; bit++) {
		EXPECT(all != derive(key_request({ .fields = kAll & ~(1ull << bit) })));
		EXPECT(plain != derive(key_request({ .fields = 1ull << bit })));
	}
}

/* Each of the guest's properties, by the bit that asks for it; 0: in any case. */
void derived_keys_are_the_guests_own()
{
	Machine m;
	IdKeys &id = m.guest.id_keys;
	const struct {
		std::uint64_t fields;
		std::uint8_t *byte;
	} kProperties[] = {
		{ 1, reinterpret_cast<std::uint8_t *>(&m.guest.policy) },
		{ 2, id.image_id.data() },
		{ 4, id.family_id.data() },
		{ 0, m.guest.host_data.data() },
		{ 0, id.id.data() },
	};

	REQUIRE(m.good());
	for (const auto &property : kProperties) {
		const auto derive = [&](std::uint64_t fields) {
			EXPECT(m.derive(key_request({ .fields = fields })) == SnpStatus::Success);
			return m.key();
		};
		const SnpKey with = derive(property.fields), without = derive(0x20);

		*property.byte ^= 1;
		EXPECT(with != derive(property.fields));
		EXPECT((without == derive(0x20)) == (property.fields != 0));
		*property.byte ^= 1;
		EXPECT(with == derive(property.fields));
	}
}

void roots_of_derived_keys()
{
	Machine one, two;

	REQUIRE(one.good() && two.good());
	EXPECT(one.derive({}) == SnpStatus::Success && two.derive({}) == SnpStatus::Success);
	EXPECT(one.key() != two.key());
	/* The guest's own stays with it, and is no other guest's. */
	EXPECT(one.derive(key_request({ .select = 1 })) == SnpStatus::Success &&
	       two.derive(key_request({ .select = 1 })) == SnpStatus::Success);
	EXPECT(one.key() != two.key());
	two.guest.root = one.guest.root;
	EXPECT(one.derive(key_request({ .select = 1 })) == SnpStatus::Success &&
	       two.derive(key_request({ .select = 1 })) == SnpStatus::Success);
	EXPECT(one.key() == two.key());
}

void what_derived_keys_are_refused()
{
	const KeyRequest kBad[] = {
		{ .select = 8 },
		{ .select = 1u << 31 },
		{ .reserved = 1 },
		{ .fields = 0x40 },
		{ .fields = 1ull << 63 },
		{ .vmpl = 4 },
		{ .fields = 0x10, .guest_svn = 8 },
		{ .fields = 0x20, .tcb = 0x0403000000000202 },
		{ .fields = 0x20, .tcb = 0x0403000000000301 },
		{ .fields = 0x20, .tcb = 0x0403000000010201 },
		{ .fields = 0x20, .tcb = 0x0404000000000201 },
		{ .fields = 0x20, .tcb = 0x0503000000000201 },
	};
	Machine m;

	REQUIRE(m.good());
	for (const KeyRequest &request : kBad) {
		EXPECT(m.derive(key_request(request)) == SnpStatus::InvalidParam);
		EXPECT(m.key() == SnpKey{});
	}
	EXPECT(m.derive(key_request({ .vmpl = 1 }), 2) == SnpStatus::InvalidParam);
	for (const unsigned select : { 4u, 6u })
		EXPECT(m.derive(key_request({ .select = select })) == SnpStatus::InvalidKey);
	/* What is there. */
	EXPECT(m.derive(key_request(
		       { .fields = 0x30, .guest_svn = 7, .tcb = 0x0403000000000201 })) ==
	       SnpStatus::Success);
	m.guest.vcek_disabled = true;
	EXPECT(m.derive({}) == SnpStatus::InvalidKey);
	EXPECT(m.derive(key_request({ .select = 1 })) == SnpStatus::Success);
}

} /* namespace */

GMEM_SUITE(snp_requests, CASE(messages_are_answered_in_sequence), CASE(headers_are_checked),
	   CASE(a_message_may_fill_its_page), CASE(messages_by_another_key_are_refused),
	   CASE(messages_that_were_changed_are_refused), CASE(numbers_are_next_in_sequence),
	   CASE(a_key_is_used_up), CASE(versions_types_and_sizes),
	   CASE(only_guests_that_run_are_answered), CASE(each_launch_has_its_own_secrets),
	   CASE(a_report_tells_the_guest), CASE(no_chip_is_amds), CASE(what_reports_are_refused),
	   CASE(without_cryptography), CASE(derived_keys_are_of_what_was_asked_for),
	   CASE(derived_keys_are_the_guests_own), CASE(roots_of_derived_keys),
	   CASE(what_derived_keys_are_refused));
