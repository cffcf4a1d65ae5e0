// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest requests (requests.h). What is refused, and in which order, is as in KVM for hardware
 * (snp_handle_guest_req and snp_handle_ext_guest_req), but that it ends KVM_RUN where a page is
 * not there, and that it has no certificates.
 */
#include "guest/requests.h"

#include <algorithm>

#include "arch/x86/snp_certificates.h"
#include "guest/misdeeds.h"
#include "kapi/accesses.h"

namespace gmem
{

namespace
{

/* What the hypervisor says by itself, in the upper half of info 2. */
constexpr std::uint64_t kTooFewPages = 1ull << 32, kBusy = 2ull << 32;

using PageBytes = std::array<std::uint8_t, kPageSize>;

/*
 * Not on the stack: they are large. Derived keys are in the clear in one of them, and reports' data
 * in the other.
 */
struct Pages {
	~Pages() { kapi_wipe(this, sizeof(*this)); }

	PageBytes request, response;
};

class Shared {
    public:
	explicit Shared(struct kvm *kvm) : kvm_(kvm) {}

	/* By user space's address, where nothing of a private page is. */
	bool is_there(std::uint64_t gpa) const
	{
		return kapi_kvm_slot_of(kvm_, gfn(gpa)) &&
		       !kapi_kvm_range_private(kvm_, gfn(gpa), gfn(gpa) + 1);
	}
	/* -EFAULT. */
	Status read(std::uint64_t gpa, PageBytes &to) const
	{
		if (!is_there(gpa))
			return error(EFAULT);
		return Status{ kapi_stock_read_page(kapi_kvm_slot_of(kvm_, gfn(gpa)), gfn(gpa),
						    to.data(), 0, kPageSize) };
	}
	/* A page, or the beginning of one. -EFAULT. */
	Status write(std::uint64_t gpa, ConstBytes from) const
	{
		if (!is_there(gpa))
			return error(EFAULT);
		return Status{ kapi_stock_write_page(kvm_, kapi_kvm_slot_of(kvm_, gfn(gpa)),
						     gfn(gpa), from.data(), 0,
						     static_cast<int>(from.size())) };
	}

    private:
	static std::uint64_t gfn(std::uint64_t gpa) { return gpa >> kPageShift; }

	struct kvm *const kvm_;
};

/* -EFAULT: not all of it is shared memory. */
Status write_table(const Shared &shared, std::uint64_t gpa, ConstBytes table)
{
	while (!table.empty()) {
		const std::size_t size = std::min<std::size_t>(table.size(), kPageSize);

		GMEM_CHECK(shared.write(gpa, table.first(size)));
		table = table.subspan(size);
		gpa += kPageSize;
	}
	return Status{};
}

/* Hands out the certificates, or says in @answer why not. */
void give_certificates(const Shared &shared, const GuestRequest &request, GuestAnswer &answer)
{
	const Result<Own<CertificateBytes>> room = make<CertificateBytes>();

	if (!request.has_room) {
		answer.wrong = GhcbError::MissingInput;
		return;
	}
	if (request.room % kPageSize) {
		answer.wrong = GhcbError::Input;
		return;
	}
	if (!room.ok()) {
		answer.info_2 = kBusy;
		return;
	}

	CertificateBytes &table = *room.value();
	std::size_t size = copy_certificates(table);
	const std::uint64_t wanted = (size + kPageSize - 1) >> kPageShift;

	if (request.pages < wanted) {
		answer.info_2 = kTooFewPages;
		answer.pages = wanted;
		return;
	}
	/* No certificates are a table of none. */
	if (!size && request.pages) {
		size = kCertificateEntrySize;
		std::fill_n(table.begin(), size, 0);
	}
	if (!write_table(shared, request.room, { table.data(), size }).ok())
		answer.wrong = GhcbError::Input;
}

/* Has @said filled in by the firmware, if nothing else was ordered. Errors: SnpPlatform::request(). */
Result<SnpStatus> ask(SnpPlatform &platform, const SnpMessage &message, PageBytes &said)
{
	constexpr std::size_t kOfPayload = 0x60;

	if (misdeeds().due(Misdeed::RequestRefused))
		return SnpStatus::InvalidParam;

	const bool replays = misdeeds().ordered(Misdeed::AnswerReplayed).times != 0;

	if (replays && platform.copy_answer(said) && misdeeds().due(Misdeed::AnswerReplayed))
		return SnpStatus::Success;

	GMEM_TRY(status, platform.request(message, SnpMessage{ said }));
	if (status != SnpStatus::Success)
		return status;
	/* Without memory there is none to replay. */
	if (replays)
		(void)platform.keep_answer(said);
	if (misdeeds().due(Misdeed::AnswerTampered))
		said[kOfPayload] ^= 1;
	return status;
}

bool is_over(const GuestAnswer &answer)
{
	return answer.wrong != GhcbError::None || answer.info_2 != 0;
}

} /* namespace */

Result<GuestAnswer> ask_firmware(struct kvm *kvm, SnpPlatform &platform,
				 const GuestRequest &request)
{
	const Shared shared{ kvm };
	const Result<Own<Pages>> pages = make<Pages>();
	GuestAnswer answer{ .pages = request.pages };

	if (!pages.ok() || misdeeds().due(Misdeed::RequestBusy)) {
		answer.info_2 = kBusy;
		return answer;
	}

	PageBytes &asked = pages.value()->request, &said = pages.value()->response;

	/* The firmware counts what it has answered, so that there must be room for that. */
	if (!shared.read(request.request, asked).ok() || !shared.is_there(request.response)) {
		answer.wrong = GhcbError::Input;
		return answer;
	}

	const SnpMessage message{ asked };

	if (request.extended && message.type() == SnpMessageType::ReportRequest)
		give_certificates(shared, request, answer);
	if (is_over(answer))
		return answer;

	const Result<SnpStatus> status = ask(platform, message, said);

	/* Of a message that was not answered nothing is counted. */
	if (status.status() == error(ENOMEM)) {
		answer.info_2 = kBusy;
		return answer;
	}
	GMEM_CHECK(status.status());
	answer.info_2 = static_cast<std::uint64_t>(status.value());
	if (!answer.info_2)
		GMEM_CHECK(shared.write(request.response, said));
	return answer;
}

} /* namespace gmem */
