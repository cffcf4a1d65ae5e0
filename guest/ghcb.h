/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page protocol of the GHCB: what a guest's page asks for, whether all is there that this
 * takes, and the page's fields for an answer. Works on a copy of the page, as the guest may
 * write to its own at any time. Without KVM; guest/events.cc does what is asked.
 */
#ifndef GMEM_GUEST_GHCB_H
#define GMEM_GUEST_GHCB_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "gmem/types.h"
#include "kapi/constants.h"
#include "kapi/ghcb.h"

namespace gmem
{

/* Where a field is in the page. Each has a bit in the page that says whether it is valid. */
enum class GhcbField : std::uint16_t {
	Cpl = 0x0cb,
	Rax = 0x1f8,
	Rcx = 0x308,
	Rdx = 0x310,
	Rbx = 0x318,
	Rsi = 0x330,
	Code = 0x390,
	Info1 = 0x398,
	Info2 = 0x3a0,
	Scratch = 0x3a8,
	Xcr0 = 0x3e8,
};

/* Where the rest is. */
inline constexpr std::size_t kGhcbBitmap = 0x3f0, kGhcbBitmapSize = 16;
inline constexpr std::size_t kGhcbBuffer = 0x800, kGhcbBufferEnd = 0xff0;
inline constexpr std::size_t kGhcbVersion = 0xffa, kGhcbUsage = 0xffc;

/* The event that a page asks for: exit codes of SVM, and those of the protocol. */
enum class GhcbEvent : std::uint64_t {
	ReadDr7 = 0x27,
	WriteDr7 = 0x37,
	Rdtsc = 0x6e,
	Rdpmc = KAPI_EXIT_RDPMC,
	Cpuid = KAPI_EXIT_CPUID,
	Invd = KAPI_EXIT_INVD,
	PortIo = KAPI_EXIT_IOIO,
	Msr = KAPI_EXIT_MSR,
	Vmmcall = KAPI_EXIT_VMMCALL,
	Rdtscp = 0x87,
	Wbinvd = KAPI_EXIT_WBINVD,
	Monitor = KAPI_EXIT_MONITOR,
	Mwait = KAPI_EXIT_MWAIT,
	MmioRead = 0x80000001,
	MmioWrite = 0x80000002,
	NmiComplete = 0x80000003,
	ResetHold = 0x80000004,
	JumpTable = 0x80000005,
	Conversion = 0x80000010, /* "page state change" */
	GuestRequest = 0x80000011,
	ExtendedRequest = 0x80000012,
	VcpuCreation = 0x80000013, /* "AP creation" */
	Features = 0x8000fffd,
	Terminate = 0x8000fffe,
	Unsupported = 0x8000ffff,
};

/* What is wrong with a page, as the guest is told: info 1 is 2, and info 2 this. */
enum class GhcbError : std::uint8_t {
	None = 0,
	NotRegistered = 1,
	Usage = 2,
	Scratch = 3,
	MissingInput = 4,
	Input = 5,
	Event = 6,
};

/* Info 1: an error of the page itself; an exception for the guest, as info 2 says. */
inline constexpr std::uint64_t kGhcbMalformed = 2, kGhcbException = 1;

class Ghcb {
    public:
	explicit Ghcb(std::span<std::uint8_t, kPageSize> page) : page_(page) {}

	bool has(GhcbField field) const;
	/* 0 of a field that is not valid. */
	std::uint64_t get(GhcbField field) const;
	/* What it says, valid or not. */
	GhcbEvent event() const;
	unsigned version() const;
	std::uint32_t usage() const;
	kapi_ghcb_registers registers() const;

	/* Whether all is there that the event takes. */
	GhcbError check() const;
	/*
	 * The part of the shared buffer that the page, which is at @gpa, names as its scratch
	 * area, to the buffer's end. Nothing: there are not @size bytes of it there.
	 */
	std::span<std::uint8_t> scratch(std::uint64_t gpa, std::size_t size) const;

	/* Makes it what the guest is answered: these fields are valid, and no others. */
	void answer(std::uint64_t info_1, std::uint64_t info_2,
		    const kapi_ghcb_registers &registers);

    private:
	void set(GhcbField field, std::uint64_t value);

	std::span<std::uint8_t, kPageSize> page_;
};

/* Of PortIo, what info 1 says. */
struct GhcbPortIo {
	bool in, string;
	unsigned size; /* 0: nothing is to be done */
	unsigned port;
};
GhcbPortIo ghcb_port_io(std::uint64_t info_1);

/* Info 2 for an exception that the guest is to have. */
std::uint64_t ghcb_exception(unsigned vector);

} /* namespace gmem */

#endif /* GMEM_GUEST_GHCB_H */
