/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The steps of a launch, out of firmware and what a VMM is told, in the order in
 * which the VMM takes them.
 */
#ifndef GMEM_MEASURE_PREDICT_H
#define GMEM_MEASURE_PREDICT_H

#include "tools/gmem-measure/kernel_hashes.h"
#include "tools/gmem-measure/launch.h"
#include "tools/gmem-measure/sev_metadata.h"
#include "tools/gmem-measure/tdvf.h"
#include "tools/gmem-measure/vmsa.h"

namespace measure
{

/* As many processors as KVM gives to a VM. */
inline constexpr std::uint64_t kVcpusMost = 4096;

/* Where KVM says that save areas are. */
inline constexpr std::uint64_t kVmsaGpa = 0xfffffffff000;

struct SnpRequest {
	const Vmm &vmm;
	std::uint64_t vcpus = 1;
	std::uint32_t signature = 0;
	std::uint64_t features = 1;
	std::uint64_t vmsa_gpa = kVmsaGpa;
	std::optional<KernelHashes> kernel;
	/* The digest once the firmware has been added; then its content does not count. */
	std::optional<gmem::Sha384Digest> firmware_digest;
};

/* Refused where the VMM would not launch it. */
SnpLaunch predict_snp(const Firmware &firmware, const SevMetadata &metadata,
		      const SnpRequest &request);

/* @name is the firmware's file, for the sources of pages. */
TdxLaunch predict_tdx(const Firmware &firmware, const std::vector<TdvfSection> &sections,
		      const std::string &name);

} /* namespace measure */

#endif /* GMEM_MEASURE_PREDICT_H */
