// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page protocol (ghcb.h). What is required of an event is what KVM requires of it.
 */
#include "guest/ghcb.h"

#include <cstring>
#include <initializer_list>

#include "arch/x86/le.h"

namespace gmem
{

namespace
{

/* One bit for 8 bytes of the page. */
unsigned bit_of(GhcbField field)
{
	return static_cast<unsigned>(field) / 8;
}

bool is_page_aligned(std::uint64_t gpa)
{
	return gpa % kPageSize == 0;
}

bool has_all(const Ghcb &ghcb, std::initializer_list<GhcbField> fields)
{
	for (const GhcbField field : fields) {
		if (!ghcb.has(field))
			return false;
	}
	return true;
}

bool has_port_input(const Ghcb &ghcb)
{
	const GhcbPortIo io = ghcb_port_io(ghcb.get(GhcbField::Info1));

	if (io.string)
		return ghcb.has(GhcbField::Scratch);
	return io.in || ghcb.has(GhcbField::Rax);
}

bool has_cpuid_input(const Ghcb &ghcb)
{
	constexpr std::uint64_t kXsave = 0xd;

	return has_all(ghcb, { GhcbField::Rax, GhcbField::Rcx }) &&
	       (ghcb.get(GhcbField::Rax) != kXsave || ghcb.has(GhcbField::Xcr0));
}

bool has_msr_input(const Ghcb &ghcb)
{
	return ghcb.has(GhcbField::Rcx) &&
	       (!ghcb.get(GhcbField::Info1) || has_all(ghcb, { GhcbField::Rax, GhcbField::Rdx }));
}

/* A vCPU that is destroyed takes no features. */
bool has_vcpu_input(const Ghcb &ghcb)
{
	constexpr std::uint32_t kDestroy = 2;

	return static_cast<std::uint32_t>(ghcb.get(GhcbField::Info1)) == kDestroy ||
	       ghcb.has(GhcbField::Rax);
}

/* Two pages of the guest's. */
bool has_messages(const Ghcb &ghcb)
{
	const std::uint64_t request = ghcb.get(GhcbField::Info1);
	const std::uint64_t response = ghcb.get(GhcbField::Info2);

	return is_page_aligned(request) && is_page_aligned(response) && request != response;
}

GhcbError missing_unless(bool there)
{
	return there ? GhcbError::None : GhcbError::MissingInput;
}

} /* namespace */

bool Ghcb::has(GhcbField field) const
{
	const unsigned bit = bit_of(field);

	return page_[kGhcbBitmap + bit / 8] & 1u << bit % 8;
}

std::uint64_t Ghcb::get(GhcbField field) const
{
	const std::size_t at = static_cast<std::size_t>(field);

	if (!has(field))
		return 0;
	return field == GhcbField::Cpl ? page_[at] : load_le(&page_[at], 8);
}

GhcbEvent Ghcb::event() const
{
	return GhcbEvent{ load_le(&page_[static_cast<std::size_t>(GhcbField::Code)], 8) };
}

unsigned Ghcb::version() const
{
	return static_cast<unsigned>(load_le(&page_[kGhcbVersion], 2));
}

std::uint32_t Ghcb::usage() const
{
	return static_cast<std::uint32_t>(load_le(&page_[kGhcbUsage], 4));
}

kapi_ghcb_registers Ghcb::registers() const
{
	return { .rax = get(GhcbField::Rax),
		 .rbx = get(GhcbField::Rbx),
		 .rcx = get(GhcbField::Rcx),
		 .rdx = get(GhcbField::Rdx),
		 .rsi = get(GhcbField::Rsi) };
}

GhcbError Ghcb::check() const
{
	if (usage() != 0)
		return GhcbError::Usage;
	if (!has_all(*this, { GhcbField::Code, GhcbField::Info1, GhcbField::Info2 }))
		return GhcbError::MissingInput;
	switch (event()) {
	case GhcbEvent::WriteDr7:
		return missing_unless(has(GhcbField::Rax));
	case GhcbEvent::Rdpmc:
		return missing_unless(has(GhcbField::Rcx));
	case GhcbEvent::Cpuid:
		return missing_unless(has_cpuid_input(*this));
	case GhcbEvent::PortIo:
		return missing_unless(has_port_input(*this));
	case GhcbEvent::Msr:
		return missing_unless(has_msr_input(*this));
	case GhcbEvent::Vmmcall:
		return missing_unless(has_all(*this, { GhcbField::Rax, GhcbField::Cpl }));
	case GhcbEvent::Monitor:
		return missing_unless(
			has_all(*this, { GhcbField::Rax, GhcbField::Rcx, GhcbField::Rdx }));
	case GhcbEvent::Mwait:
		return missing_unless(has_all(*this, { GhcbField::Rax, GhcbField::Rcx }));
	case GhcbEvent::MmioRead:
	case GhcbEvent::MmioWrite:
	case GhcbEvent::Conversion:
		return missing_unless(has(GhcbField::Scratch));
	case GhcbEvent::GuestRequest:
	case GhcbEvent::ExtendedRequest:
		return missing_unless(has_messages(*this));
	case GhcbEvent::ReadDr7:
	case GhcbEvent::Rdtsc:
	case GhcbEvent::Rdtscp:
	case GhcbEvent::Invd:
	case GhcbEvent::Wbinvd:
	case GhcbEvent::NmiComplete:
	case GhcbEvent::ResetHold:
	case GhcbEvent::JumpTable:
	case GhcbEvent::Features:
	case GhcbEvent::Terminate:
	case GhcbEvent::Unsupported:
		return GhcbError::None;
	case GhcbEvent::VcpuCreation:
		return missing_unless(has_vcpu_input(*this));
	}
	return GhcbError::Event;
}

std::span<std::uint8_t> Ghcb::scratch(std::uint64_t gpa, std::size_t size) const
{
	const std::uint64_t at = get(GhcbField::Scratch);
	const std::uint64_t start = gpa + kGhcbBuffer, end = gpa + kGhcbBufferEnd;

	if (at < start || at >= end || end - at < size)
		return {};
	return page_.subspan(at - gpa, end - at);
}

void Ghcb::set(GhcbField field, std::uint64_t value)
{
	const unsigned bit = bit_of(field);

	store_le(&page_[static_cast<std::size_t>(field)], value, sizeof(value));
	page_[kGhcbBitmap + bit / 8] |= static_cast<std::uint8_t>(1u << bit % 8);
}

void Ghcb::answer(std::uint64_t info_1, std::uint64_t info_2, const kapi_ghcb_registers &registers)
{
	std::memset(page_.data() + kGhcbBitmap, 0, kGhcbBitmapSize);
	set(GhcbField::Info1, info_1);
	set(GhcbField::Info2, info_2);
	set(GhcbField::Rax, registers.rax);
	set(GhcbField::Rbx, registers.rbx);
	set(GhcbField::Rcx, registers.rcx);
	set(GhcbField::Rdx, registers.rdx);
}

GhcbPortIo ghcb_port_io(std::uint64_t info_1)
{
	return { .in = (info_1 & 1 << 0) != 0,
		 .string = (info_1 & 1 << 2) != 0,
		 .size = static_cast<unsigned>(info_1 >> 4 & 7),
		 .port = static_cast<unsigned>(info_1 >> 16 & 0xffff) };
}

std::uint64_t ghcb_exception(unsigned vector)
{
	constexpr std::uint64_t kOfException = 3 << 8, kValid = 1ull << 31;

	return vector | kOfException | kValid;
}

} /* namespace gmem */
