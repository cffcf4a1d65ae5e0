// SPDX-License-Identifier: GPL-2.0-only
/*
 * Save areas (save_area.h).
 */
#include "guest/save_area.h"

#include <cstring>

namespace gmem
{

namespace
{

enum At : std::uint16_t {
	kEs = 0x000,
	kCs = 0x010,
	kSs = 0x020,
	kDs = 0x030,
	kFs = 0x040,
	kGs = 0x050,
	kGdtr = 0x060,
	kLdtr = 0x070,
	kIdtr = 0x080,
	kTr = 0x090,
	kVmpl = 0x0ca,
	kCpl = 0x0cb,
	kEfer = 0x0d0,
	kXss = 0x140,
	kCr4 = 0x148,
	kCr3 = 0x150,
	kCr0 = 0x158,
	kDr7 = 0x160,
	kDr6 = 0x168,
	kRflags = 0x170,
	kRip = 0x178,
	kRsp = 0x1d8,
	kRax = 0x1f8,
	kStar = 0x200,
	kLstar = 0x208,
	kCstar = 0x210,
	kSfmask = 0x218,
	kKernelGs = 0x220,
	kSysenterCs = 0x228,
	kSysenterEsp = 0x230,
	kSysenterEip = 0x238,
	kCr2 = 0x240,
	kPat = 0x268,
	kPkru = 0x2e8,
	kTscAux = 0x2ec,
	kRcx = 0x308, /* RDX, RBX, one that is reserved, RBP, RSI, RDI and R8 to R15 follow */
	kFeatures = 0x3b0,
	kXcr0 = 0x3e8,
	kX87Dp = 0x400,
	kMxcsr = 0x408,
	kX87Tags = 0x40c,
	kX87Status = 0x40e,
	kX87Control = 0x410,
	kX87Opcode = 0x412,
	kX87Rip = 0x418,
	kX87 = 0x420,
	kXmm = 0x470,
	kYmm = 0x570,
};

/* As instructions count them. */
constexpr unsigned kRegisterRax = 0, kRegisterRcx = 1, kRegisterRsp = 4;

constexpr std::uint64_t kCr0Pe = 1 << 0, kCr0Nw = 1 << 29, kCr0Cd = 1 << 30, kCr0Pg = 1u << 31;
constexpr std::uint64_t kCr4Pae = 1 << 5, kCr4La57 = 1 << 12;
constexpr std::uint64_t kEferLme = 1 << 8, kEferLma = 1 << 10, kEferSvme = 1 << 12;
/* All that some processor has: SCE, LME, LMA, NXE, SVME to TCE, MCOMMIT, INTWB, UAIE, AIBRSE. */
constexpr std::uint64_t kEferKnown = 0x36fd01;
constexpr std::uint64_t kUpperHalf = 0xffffffff00000000;
/* Those that RFLAGS has, and the one that is always set. */
constexpr std::uint64_t kRflagsKnown = 0x3f7fd5, kRflagsFixed = 1 << 1;

constexpr unsigned kRightsDpl = 3 << 5, kDplShift = 5, kRightsL = 1 << 9, kRightsDb = 1 << 10;

/* Of XCR0. */
constexpr std::uint64_t kX87State = 1 << 0, kSse = 1 << 1, kAvx = 1 << 2, kMpx = 3 << 3,
			kAvx512 = 7 << 5, kTiles = 3 << 17;

using Page = std::span<const std::uint8_t, kPageSize>;

template <class T> T read(Page page, std::size_t at)
{
	T value;

	std::memcpy(&value, page.data() + at, sizeof(value));
	return value;
}

std::uint64_t read64(Page page, std::size_t at)
{
	return read<std::uint64_t>(page, at);
}

/* As VMRUN makes an address canonical, with so many bits that count. */
std::uint64_t canonical(std::uint64_t addr, unsigned bits)
{
	const unsigned shift = 64 - bits;

	return static_cast<std::uint64_t>(static_cast<std::int64_t>(addr << shift) >> shift);
}

/* Selector, rights, limit and base. */
kapi_segment segment(Page page, std::size_t at)
{
	constexpr std::uint16_t kRights = 0xfff;

	return { .base = read64(page, at + 8),
		 .limit = read<std::uint32_t>(page, at + 4),
		 .selector = read<std::uint16_t>(page, at),
		 .rights = static_cast<unsigned short>(read<std::uint16_t>(page, at + 2) &
						       kRights) };
}

/* One whose base has 32 bits. */
kapi_segment short_segment(Page page, std::size_t at)
{
	kapi_segment result = segment(page, at);

	result.base &= ~kUpperHalf;
	return result;
}

void read_segments(Page page, unsigned bits, kapi_vcpu_state &state)
{
	state.es = short_segment(page, kEs);
	state.cs = short_segment(page, kCs);
	state.ss = short_segment(page, kSs);
	state.ds = short_segment(page, kDs);
	state.fs = segment(page, kFs);
	state.gs = segment(page, kGs);
	state.ldt = segment(page, kLdtr);
	state.tr = segment(page, kTr);
	for (kapi_segment *const one : { &state.fs, &state.gs, &state.ldt, &state.tr })
		one->base = canonical(one->base, bits);
	state.gdt = canonical(segment(page, kGdtr).base, bits);
	state.idt = canonical(segment(page, kIdtr).base, bits);
	state.gdt_limit = segment(page, kGdtr).limit & 0xffff;
	state.idt_limit = segment(page, kIdtr).limit & 0xffff;
}

void read_gprs(Page page, kapi_vcpu_state &state)
{
	for (unsigned nr = kRegisterRcx; nr < std::size(state.gprs); nr++)
		state.gprs[nr] = read64(page, kRcx + (nr - kRegisterRcx) * 8);
	state.gprs[kRegisterRsp] = read64(page, kRsp);
	state.gprs[kRegisterRax] = read64(page, kRax);
}

void read_msrs(Page page, unsigned bits, kapi_vcpu_state &state)
{
	state.star = read64(page, kStar);
	state.lstar = canonical(read64(page, kLstar), bits);
	state.cstar = canonical(read64(page, kCstar), bits);
	state.sfmask = read64(page, kSfmask);
	state.kernel_gs_base = canonical(read64(page, kKernelGs), bits);
	state.sysenter_cs = read64(page, kSysenterCs);
	state.sysenter_esp = canonical(read64(page, kSysenterEsp), bits);
	state.sysenter_eip = canonical(read64(page, kSysenterEip), bits);
	state.pat = read64(page, kPat);
	state.xss = read64(page, kXss);
	state.tsc_aux = read<std::uint32_t>(page, kTscAux);
}

/* Two bits for each register, of which 3 is empty. */
unsigned char short_tags(std::uint16_t tags)
{
	unsigned char result = 0;

	for (unsigned nr = 0; nr < 8; nr++) {
		if ((tags >> 2 * nr & 3) != 3)
			result |= static_cast<unsigned char>(1 << nr);
	}
	return result;
}

void read_fpu(Page page, kapi_fpu_state &fpu)
{
	fpu.mxcsr = read<std::uint32_t>(page, kMxcsr);
	fpu.control = read<std::uint16_t>(page, kX87Control);
	fpu.status = read<std::uint16_t>(page, kX87Status);
	fpu.opcode = read<std::uint16_t>(page, kX87Opcode);
	fpu.tags = short_tags(read<std::uint16_t>(page, kX87Tags));
	fpu.rip = read64(page, kX87Rip);
	fpu.rdp = read64(page, kX87Dp);
	std::memcpy(fpu.x87, page.data() + kX87, sizeof(fpu.x87));
	std::memcpy(fpu.xmm, page.data() + kXmm, sizeof(fpu.xmm));
	std::memcpy(fpu.ymm, page.data() + kYmm, sizeof(fpu.ymm));
}

bool has_all_or_none(std::uint64_t xcr0, std::uint64_t of)
{
	return !(xcr0 & of) || (xcr0 & of) == of;
}

bool is_xcr0(std::uint64_t xcr0)
{
	if (!(xcr0 & kX87State) || !has_all_or_none(xcr0, kMpx) || !has_all_or_none(xcr0, kTiles))
		return false;
	if (xcr0 & kAvx && !(xcr0 & kSse))
		return false;
	return !(xcr0 & kAvx512) || (xcr0 & (kAvx512 | kAvx)) == (kAvx512 | kAvx);
}

/* With LMA as the processor has it, and the rights as they are. */
const char *broken_rule(const kapi_vcpu_state &state)
{
	if (state.cr0 & kUpperHalf || (state.cr0 & (kCr0Cd | kCr0Nw)) == kCr0Nw)
		return "CR0 that there is not";
	if (state.cr0 & kCr0Pg && !(state.cr0 & kCr0Pe))
		return "paging without protected mode";
	if (state.efer & ~kEferKnown)
		return "EFER that there is not";
	if (state.cr4 & kUpperHalf)
		return "CR4 that there is not";
	if (state.dr6 & kUpperHalf || state.dr7 & kUpperHalf)
		return "DR6 or DR7 that there is not";
	if (state.efer & kEferLma && !(state.cr4 & kCr4Pae))
		return "long mode without PAE";
	if (state.efer & kEferLma && state.cs.rights & kRightsL && state.cs.rights & kRightsDb)
		return "64-bit code with operands of 32 bits";
	return is_xcr0(state.xcr0) ? nullptr : "XCR0 that there is not";
}

/* As KVM has it: without what it has of its own, and with what the processor finds out itself. */
void make_kvms(kapi_vcpu_state &state, unsigned cpl)
{
	state.efer &= ~(kEferSvme | kEferLma);
	if (state.efer & kEferLme && state.cr0 & kCr0Pg)
		state.efer |= kEferLma;
	else
		state.cs.rights &= static_cast<unsigned short>(~kRightsL);
	state.ss.rights = static_cast<unsigned short>((state.ss.rights & ~kRightsDpl) |
						      cpl << kDplShift);
	state.rflags = (state.rflags & kRflagsKnown) | kRflagsFixed;
}

} /* namespace */

const char *read_save_area(std::span<const std::uint8_t, kPageSize> page, std::uint64_t features,
			   std::uint64_t c_bit, kapi_vcpu_state &state)
{
	state.cr4 = read64(page, kCr4);

	const unsigned bits = state.cr4 & kCr4La57 ? 57 : 48;
	const unsigned cpl = read<std::uint8_t>(page, kCpl);
	const std::uint64_t cr3 = read64(page, kCr3);

	read_segments(page, bits, state);
	read_gprs(page, state);
	read_msrs(page, bits, state);
	read_fpu(page, state.fpu);
	state.efer = read64(page, kEfer);
	state.cr0 = read64(page, kCr0);
	state.cr2 = read64(page, kCr2);
	state.cr3 = cr3 & ~c_bit;
	state.c_bit = cr3 & c_bit;
	state.dr6 = read64(page, kDr6);
	state.dr7 = read64(page, kDr7);
	state.rflags = read64(page, kRflags);
	state.rip = read64(page, kRip);
	state.xcr0 = read64(page, kXcr0);
	state.pkru = read<std::uint32_t>(page, kPkru);
	if (read<std::uint8_t>(page, kVmpl) != 0)
		return "a VMPL that no vCPU runs at";
	if (read64(page, kFeatures) != features)
		return "other features than the guest's";
	if (!(state.efer & kEferSvme))
		return "EFER without SVME";
	if (cpl > 3)
		return "a CPL that there is not";
	make_kvms(state, cpl);
	return broken_rule(state);
}

} /* namespace gmem */
