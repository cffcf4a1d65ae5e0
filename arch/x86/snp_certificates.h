/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The certificates that guests get with a report: whatever root has written (gmem-report makes
 * them), in the table of the GHCB's protocol, "SNP Extended Guest Request". An entry has a GUID,
 * and offset and length of what is behind the entries; one of zeros is the last.
 */
#ifndef GMEM_ARCH_X86_SNP_CERTIFICATES_H
#define GMEM_ARCH_X86_SNP_CERTIFICATES_H

#include "arch/x86/sha384.h"
#include "gmem/types.h"

namespace gmem
{

/* No more than Linux guests have room for. */
inline constexpr std::size_t kCertificatesMost = 4 * kPageSize;
inline constexpr std::size_t kCertificateEntrySize = 24;

/* Whether @table is one. */
bool certificates_are_good(ConstBytes table);

using CertificateBytes = std::array<std::uint8_t, kCertificatesMost>;

/* Those that there are, of which @to gets a copy; the size. Without any it is no entry at all. */
std::size_t copy_certificates(CertificateBytes &to);

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SNP_CERTIFICATES_H */
