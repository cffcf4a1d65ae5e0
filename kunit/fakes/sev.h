/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests of launches by KVM's commands know of the fakes (kunit/fakes/sev.cc).
 */
#ifndef GMEM_FAKES_SEV_H
#define GMEM_FAKES_SEV_H

#include <cstdint>

namespace fake
{

/* The descriptor of the device node. */
inline constexpr int kSevNode = 77;

/* What the save area of vCPU @nr is, 4096 bytes. */
void fill_vmsa(void *page, unsigned nr, std::uint64_t sev_features);

} /* namespace fake */

#endif /* GMEM_FAKES_SEV_H */
