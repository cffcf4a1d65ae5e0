/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MRTD of TDX: one running SHA-384 over what TDH.MEM.PAGE.ADD, TDH.MR.EXTEND and
 * TDH.MR.FINALIZE do, in their order. The facts are from Intel's own source of
 * the TDX module, 1.5.01 (tdh_mem_page_add.c, tdh_mr_extend.c, tdh_mr_finalize.c).
 */
#ifndef GMEM_ARCH_X86_TDX_MRTD_H
#define GMEM_ARCH_X86_TDX_MRTD_H

#include "arch/x86/sha384.h"

namespace gmem
{

/* What one MR.EXTEND measures, in bytes. */
inline constexpr std::uint64_t kTdxChunkSize = 256;

class TdxMrtd {
    public:
	TdxMrtd() = default;

	/* Of nothing yet, as after TDH.MNG.INIT. -ENOMEM. Sleeps. */
	static Result<TdxMrtd> create();

	/*
	 * @gpa: guest-physical byte address, of a page and of a 256-byte chunk.
	 * Errors are the hash provider's; MRTD is then not to be relied on.
	 */
	Status add(std::uint64_t gpa);
	Status extend(std::uint64_t gpa, ConstBytes chunk);
	/* Nothing may come after it. */
	Result<Sha384Digest> finalize() { return sha_.finish(); }

    private:
	Sha384 sha_;
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_TDX_MRTD_H */
