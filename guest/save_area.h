/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A save area that a guest has written for one of its vCPUs: the registers in it, as far as a
 * processor without SNP has them, and whether VMRUN would take them. The layout is that of
 * struct sev_es_save_area, in <asm/svm.h> and the APM's appendix B. Without KVM; guest/ap.cc
 * gives them to a vCPU.
 */
#ifndef GMEM_GUEST_SAVE_AREA_H
#define GMEM_GUEST_SAVE_AREA_H

#include <cstdint>
#include <span>

#include "gmem/types.h"
#include "kapi/ap.h"

namespace gmem
{

/*
 * What @page says goes to @state, for a guest with these features of save areas and this C-bit
 * (a mask, or 0). Each byte is read once. NULL, or the rule of VMRUN's that it breaks. KVM and
 * the processor know more of these rules, which depend on the features of both.
 */
const char *read_save_area(std::span<const std::uint8_t, kPageSize> page, std::uint64_t features,
			   std::uint64_t c_bit, kapi_vcpu_state &state);

} /* namespace gmem */

#endif /* GMEM_GUEST_SAVE_AREA_H */
