// SPDX-License-Identifier: GPL-2.0-only
/*
 * SNP_GUEST_REQUEST of the firmware's model (snp_model.h): what guests' messages ask for. The
 * order of checks, and which of them the hypervisor is told and which the guest, are those of
 * AMD's firmware source (AMD-ASPFW, snp_mcmd_guest_request): once a message is the guest's own
 * and next in sequence, it is answered, with a status inside of the answer.
 */
#include "arch/x86/snp_model.h"

#include <algorithm>

#include "arch/x86/le.h"
#include "arch/x86/snp_report.h"

namespace gmem
{

namespace
{

constexpr unsigned kVmpls = 4;

/* REPORT_REQ, and its answer. */
constexpr unsigned kReportRequestSize = 0x60, kReportData = 0x00, kReportVmpl = 0x40,
		   kReportSelect = 0x44, kReportReserved = 0x48;
constexpr unsigned kReportAnswerSize = 0x20 + kReportSize, kAnswerReportSize = 0x04,
		   kAnswerReport = 0x20;

/* KEY_REQ, and its answer. */
constexpr unsigned kKeyRequestSize = 0x20, kKeySelect = 0x00, kKeyReserved = 0x04,
		   kKeyFields = 0x08, kKeyVmpl = 0x10, kKeyGuestSvn = 0x14, kKeyTcb = 0x18;
constexpr unsigned kKeyAnswerSize = 0x40, kAnswerKey = 0x20;

/* Which key of the processor's: with a VLEK, which there is not, 0 is that. */
enum class Select : unsigned { Either = 0, Vcek = 1, Vlek = 2, Reserved = 3 };

/*
 * Of a status that the cryptography has ended with. Without memory the firmware has none: a guest
 * that hears of a broken processor does not ask again.
 */
Result<SnpStatus> status_of_crypto(Status status)
{
	if (status.ok())
		return SnpStatus::Success;
	if (status == error(ENOMEM))
		return status;
	return status == error(EOPNOTSUPP) ? SnpStatus::Unsupported : SnpStatus::HardwareError;
}

bool may_select(const SnpGuest &guest, Select select)
{
	return (select == Select::Either || select == Select::Vcek) && !guest.vcek_disabled;
}

/* A guest speaks for its own VMPL and those below, by the key that it has. */
bool may_speak_for(const SnpMessage &request, std::uint64_t vmpl)
{
	return vmpl >= request.key() && vmpl < kVmpls;
}

bool all_zero(ConstBytes bytes)
{
	return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

Result<SnpStatus> report_status(const SnpGuest &guest, const SnpChip *chip,
				const SnpMessage &request, std::span<std::uint8_t> answer)
{
	const ConstBytes asked = request.payload();
	const std::uint64_t select = load_le(&asked[kReportSelect], 4);
	const std::uint64_t vmpl = load_le(&asked[kReportVmpl], 4);

	store_le(&answer[kAnswerReportSize], kReportSize, 4);
	if (select > 3 ||
	    !all_zero(asked.subspan(kReportReserved, kReportRequestSize - kReportReserved)))
		return SnpStatus::InvalidParam;
	if (!may_select(guest, Select{ static_cast<unsigned>(select) }))
		return SnpStatus::InvalidKey;
	if (!may_speak_for(request, vmpl))
		return SnpStatus::InvalidParam;
	if (!chip)
		return SnpStatus::Unsupported;
	return status_of_crypto(make_report(answer.subspan<kAnswerReport, kReportSize>(), guest,
					    *chip, asked.subspan<kReportData, 64>(),
					    static_cast<unsigned>(vmpl)));
}

/* Each part is of a byte, and none may be above the processor's. */
bool tcb_is_there(std::uint64_t tcb)
{
	for (unsigned at = 0; at < sizeof(tcb); at++) {
		if ((tcb >> 8 * at & 0xff) > (SnpChip::kTcb >> 8 * at & 0xff))
			return false;
	}
	return true;
}

Result<SnpStatus> key_status(const SnpGuest &guest, const SnpChip *chip, const SnpMessage &request,
			     std::span<std::uint8_t> answer)
{
	const ConstBytes asked = request.payload();
	const std::uint64_t select = load_le(&asked[kKeySelect], 4);
	const SnpKeyRequest of{
		.by_guest = (select & 1) != 0,
		.fields = load_le(&asked[kKeyFields], 8),
		.vmpl = static_cast<std::uint32_t>(load_le(&asked[kKeyVmpl], 4)),
		.guest_svn = static_cast<std::uint32_t>(load_le(&asked[kKeyGuestSvn], 4)),
		.tcb = load_le(&asked[kKeyTcb], 8),
	};

	if (select >> 3 || load_le(&asked[kKeyReserved], 4))
		return SnpStatus::InvalidParam;
	if (!of.by_guest && !may_select(guest, Select{ static_cast<unsigned>(select >> 1) }))
		return SnpStatus::InvalidKey;
	if (!may_speak_for(request, of.vmpl) || of.fields & ~std::uint64_t{ kSnpKeyAllFields } ||
	    (of.fields & kSnpKeyTcb && !tcb_is_there(of.tcb)) ||
	    (of.fields & kSnpKeyGuestSvn && of.guest_svn > guest.id_keys.guest_svn))
		return SnpStatus::InvalidParam;
	if (!chip)
		return SnpStatus::Unsupported;

	const Result<SnpKey> key = derive_key(guest, *chip, of);

	if (key.ok())
		std::copy(key.value().begin(), key.value().end(), answer.begin() + kAnswerKey);
	return status_of_crypto(key.status());
}

/* What a request is, and what becomes of it. */
struct Kind {
	SnpMessageType request, answer;
	unsigned request_size, answer_size;
	/* The status in the answer, the rest of which it writes. */
	Result<SnpStatus> (*serve)(const SnpGuest &guest, const SnpChip *chip,
				   const SnpMessage &request, std::span<std::uint8_t> answer);
};

constexpr Kind kKinds[] = {
	{ SnpMessageType::ReportRequest, SnpMessageType::ReportResponse, kReportRequestSize,
	  kReportAnswerSize, report_status },
	{ SnpMessageType::KeyRequest, SnpMessageType::KeyResponse, kKeyRequestSize, kKeyAnswerSize,
	  key_status },
};

const Kind *kind_of(const SnpMessage &request)
{
	const auto *const kind =
		std::find_if(std::begin(kKinds), std::end(kKinds),
			     [&](const Kind &known) { return known.request == request.type(); });

	if (kind == std::end(kKinds) || request.version() != 1 ||
	    request.payload().size() < kind->request_size)
		return nullptr;
	return kind;
}

/* Makes it the guest's next one, in the clear. */
Result<SnpStatus> open(const SnpMessageKeys &messages, SnpMessage &request)
{
	if (!request.header_is_good() || request.key() >= kSnpKeys)
		return SnpStatus::InvalidParam;

	const std::uint64_t count = messages.counts[request.key()];
	const Status status = request.decrypt(messages.keys[request.key()]);

	if (status == error(EBADMSG))
		return SnpStatus::BadMeasurement;
	if (!status.ok())
		return status_of_crypto(status);
	/* Requests have odd numbers. With the last even one a key is used up. */
	if (count == ~1ull || request.number() != count + 1)
		return SnpStatus::AeadOverflow;
	return SnpStatus::Success;
}

} /* namespace */

Result<SnpStatus> SnpFirmware::guest_request(SnpGuest &guest, SnpMessage request, SnpMessage answer)
{
	const SnpStatus context = check_context(guest);

	if (context != SnpStatus::Success)
		return context;
	if (guest.state != SnpGuest::State::Running)
		return SnpStatus::InvalidGuestState;
	GMEM_TRY(opened, open(guest.messages, request));
	if (opened != SnpStatus::Success)
		return opened;

	const Kind *const kind = kind_of(request);

	if (!kind)
		return SnpStatus::InvalidParam;
	answer.begin(kind->answer, kind->answer_size, request.key(), request.number() + 1);

	const std::span<std::uint8_t> payload = answer.payload();

	GMEM_TRY(served, kind->serve(guest, chip_, request, payload));
	store_le(payload.data(), static_cast<std::uint32_t>(served), 4);
	GMEM_TRY(status, status_of_crypto(answer.encrypt(guest.messages.keys[request.key()])));
	/* A message more that nobody can use again, and the answer to it. */
	if (status == SnpStatus::Success)
		guest.messages.counts[request.key()] += 2;
	return status;
}

} /* namespace gmem */
