// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exits (exits.h).
 */
#include "guest/exits.h"

#include "kapi/constants.h"

namespace gmem
{

namespace
{

struct Row {
	Service service;
	std::uint64_t code;
};

/* Emulated are string I/O, and what is no memory. */
constexpr Row kRows[] = {
	{ Service::Cpuid, KAPI_EXIT_CPUID },	   { Service::Pio, KAPI_EXIT_IOIO },
	{ Service::Emulation, KAPI_EXIT_IOIO },	   { Service::Emulation, KAPI_EXIT_NPF },
	{ Service::Rdmsr, KAPI_EXIT_MSR },	   { Service::Wrmsr, KAPI_EXIT_MSR },
	{ Service::Hypercall, KAPI_EXIT_VMMCALL }, { Service::Rdpmc, KAPI_EXIT_RDPMC },
	{ Service::Wbinvd, KAPI_EXIT_WBINVD },	   { Service::Invd, KAPI_EXIT_INVD },
	{ Service::Monitor, KAPI_EXIT_MONITOR },   { Service::Mwait, KAPI_EXIT_MWAIT },
};

/*
 * In save areas, or of a kind that KVM lets guests of SNP have, on a processor that can: first
 * and last.
 */
constexpr unsigned kOwnMsrs[][2] = {
	{ 0x48, 0x49 }, /* SPEC_CTRL, PRED_CMD */
	{ 0x10b, 0x10b }, /* FLUSH_CMD */
	{ 0x174, 0x176 }, /* SYSENTER_CS, _ESP, _EIP */
	{ 0x1d9, 0x1d9 }, /* DEBUGCTL */
	{ 0x1db, 0x1de }, /* LASTBRANCHFROMIP to LASTINTTOIP */
	{ 0x277, 0x277 }, /* PAT */
	{ 0x6a0, 0x6a0 }, /* U_CET */
	{ 0x6a2, 0x6a2 }, /* S_CET */
	{ 0x6a4, 0x6a8 }, /* PL0_SSP to PL3_SSP, ISST */
	{ 0xda0, 0xda0 }, /* XSS */
	{ 0xc0000080, 0xc0000084 }, /* EFER, STAR, LSTAR, CSTAR, SYSCALL_MASK */
	{ 0xc0000100, 0xc0000103 }, /* FS_BASE, GS_BASE, KERNEL_GS_BASE, TSC_AUX */
	{ 0xc0010130, 0xc0010131 }, /* GHCB, SEV_STATUS */
};

} /* namespace */

bool is_vc(Service service, std::uint64_t code)
{
	for (const Row &row : kRows) {
		if (row.service == service && row.code == code)
			return true;
	}
	return false;
}

bool has_msr_itself(unsigned msr)
{
	for (const auto &[first, last] : kOwnMsrs) {
		if (msr >= first && msr <= last)
			return true;
	}
	return false;
}

/* Not what is only skipped, nor the end of one that user space had a part in. */
bool begins_instruction(int how)
{
	return !(how & (KAPI_EMULATE_NO_DECODE | KAPI_EMULATE_SKIP));
}

} /* namespace gmem */
