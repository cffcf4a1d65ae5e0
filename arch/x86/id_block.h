/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ID block of SNP_LAUNCH_FINISH: what its owner says that the guest must measure to,
 * signed. Layouts are those of AMD's firmware source (AMD-ASPFW, sev_mcmd.h); its section
 * in AMD's publication 56860 is "SNP_LAUNCH_FINISH, Structure of the ID Block".
 */
#ifndef GMEM_ARCH_X86_ID_BLOCK_H
#define GMEM_ARCH_X86_ID_BLOCK_H

#include "arch/x86/sha384.h"

namespace gmem
{

inline constexpr unsigned kIdBlockSize = 96;
inline constexpr unsigned kIdAuthSize = 4096;
/* A key as the two have it: the curve, then both numbers. */
inline constexpr unsigned kIdKeySize = 1028;

/* Both as they are in memory. */
struct IdBlock {
	std::array<std::uint8_t, kIdBlockSize> block;
	std::array<std::uint8_t, kIdAuthSize> auth;
	bool author = false; /* the author's key and signature count, too */
};

/* What comes of one that is good; all of it is zeros without one, and the author's without him. */
struct IdKeys {
	Sha384Digest id{}, author{};
	bool is_given = false, has_author = false;
	std::array<std::uint8_t, 16> family_id{}, image_id{};
	std::uint32_t guest_svn = 0;
};

/*
 * Whether @id says @measurement and @policy, and by whom. -EBADMSG: another measurement;
 * -EACCES: another policy; -EINVAL: an algorithm that there is not; -EKEYREJECTED: a key
 * that is none, or a signature that is not its owner's; -EOPNOTSUPP: this kernel cannot
 * check signatures; -ENOMEM. In this order, as the firmware looks. Sleeps.
 */
Result<IdKeys> check_id_block(const IdBlock &id, const Sha384Digest &measurement,
			      std::uint64_t policy);

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_ID_BLOCK_H */
