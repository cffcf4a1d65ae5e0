/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processor that guests on the SNP model are on, as far as attestation goes: what it calls
 * itself, its TCB, the key that signs reports, in place of AMD's VCEK, and the root of the keys
 * that guests derive. All of it is random, for as long as gmem.ko is loaded.
 */
#ifndef GMEM_ARCH_X86_SNP_CHIP_H
#define GMEM_ARCH_X86_SNP_CHIP_H

#include "arch/x86/p384.h"

namespace gmem
{

struct SnpChip {
	using Id = std::array<std::uint8_t, 64>;

	/* What Id begins with, in ASCII; zeros follow, and 16 random bytes at the end. */
	static constexpr char kName[] = "gmem snp-model, not AMD";
	/* Bytes as snp_report_layout.h says. */
	static constexpr std::uint64_t kTcb = 0x0403000000000201;

	/*
	 * The one of this load, made at the first call that can. Under the lock of the list of
	 * VMs; what it gives stays as it is, for users without. NULL: this kernel has no ECDH, or
	 * no memory. Sleeps.
	 */
	static const SnpChip *get();

	/* Makes it a new one, which it stays. -EOPNOTSUPP, -ENOMEM, -EIO. Sleeps. */
	Status make();

	P384Key vcek;
	Id id{};
	std::array<std::uint8_t, 48> root{};
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SNP_CHIP_H */
