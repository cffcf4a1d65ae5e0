// SPDX-License-Identifier: GPL-2.0-only
/*
 * Firmware with SEV metadata: whatever of it is taken, each VMM launches or refuses.
 */
#include "tools/gmem-measure/fuzz/fuzz.h"
#include "tools/gmem-measure/predict.h"

namespace
{

using namespace measure;

/* Hashing more than that takes the time of many inputs. */
constexpr std::uint64_t kBytesMost = 4 << 20;

void predict(const Firmware &firmware, const SevMetadata &metadata, const char *vmm)
{
	const SnpRequest request{
		.vmm = vmm_of(vmm),
		.vcpus = 2,
		.signature = 0x800f12,
		.kernel = vmm_of(vmm).hashes_kernels && metadata.find(SevSectionType::KernelHashes)
				  ? std::optional{ KernelHashes{} }
				  : std::nullopt,
		.firmware_digest = {}
	};
	std::uint64_t pages = firmware.size() / kPageSize + request.vcpus;

	for (const SevSection &section : metadata.sections)
		pages += section.range.size / kPageSize;
	check(predict_snp(firmware, metadata, request).steps.size() == pages, "a step a page");
}

} /* namespace */

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	return fuzz([&] {
		const Contents contents = firmware_that_ends_with({ data, size });
		const Firmware firmware(contents);
		const SevMetadata metadata = read_sev_metadata(firmware);
		std::uint64_t bytes = 0;

		for (const SevSection &section : metadata.sections)
			bytes += section.range.size;
		for (const char *vmm : { "qemu", "ec2", "gce" }) {
			if (bytes <= kBytesMost)
				fuzz([&] { predict(firmware, metadata, vmm); });
		}
	});
}
