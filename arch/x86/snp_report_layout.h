/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the fields of an attestation report are, version 2, from AMD's firmware source
 * (AMD-ASPFW, snp_attestation_report); in AMD's publication 56860 "ATTESTATION_REPORT
 * Structure". Of gmem.ko, which makes reports, and of gmem-report, which reads them.
 */
#ifndef GMEM_ARCH_X86_SNP_REPORT_LAYOUT_H
#define GMEM_ARCH_X86_SNP_REPORT_LAYOUT_H

#include <cstdint>

namespace gmem
{

inline constexpr unsigned kReportSize = 0x4a0, kReportVersion = 2;

/* A field of a report. */
struct ReportField {
	unsigned at, size;
};

namespace report
{

inline constexpr ReportField kVersion{ 0x000, 4 }, kGuestSvn{ 0x004, 4 }, kPolicy{ 0x008, 8 },
	kFamilyId{ 0x010, 16 }, kImageId{ 0x020, 16 }, kVmpl{ 0x030, 4 },
	kSignatureAlgorithm{ 0x034, 4 }, kCurrentTcb{ 0x038, 8 }, kPlatformInfo{ 0x040, 8 },
	kKeyInfo{ 0x048, 4 }, kReportData{ 0x050, 64 }, kMeasurement{ 0x090, 48 },
	kHostData{ 0x0c0, 32 }, kIdKeyDigest{ 0x0e0, 48 }, kAuthorKeyDigest{ 0x110, 48 },
	kReportId{ 0x140, 32 }, kMigrationAgentId{ 0x160, 32 }, kReportedTcb{ 0x180, 8 },
	kChipId{ 0x1a0, 64 }, kCommittedTcb{ 0x1e0, 8 }, kCurrentVersion{ 0x1e8, 3 },
	kCommittedVersion{ 0x1ec, 3 }, kLaunchTcb{ 0x1f0, 8 },
	/* The signature, over all before it: two numbers, little-endian, in 72 bytes each. */
	kSignature{ 0x2a0, 0x200 };

} /* namespace report */

/* Bits of kKeyInfo: there is an author's key. Who has signed: 0 in bits 2 to 4, the VCEK. */
inline constexpr unsigned kReportAuthorKey = 1 << 0;
/* kSignatureAlgorithm. */
inline constexpr unsigned kReportEcdsaP384 = 1;
/* Of each number of kSignature. */
inline constexpr unsigned kReportNumberSize = 72;

/* Bytes of a TCB version: the others are reserved. */
inline constexpr unsigned kTcbBootLoader = 0, kTcbTee = 1, kTcbSnp = 6, kTcbMicrocode = 7;

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SNP_REPORT_LAYOUT_H */
