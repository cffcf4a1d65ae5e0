// SPDX-License-Identifier: GPL-2.0-only
/*
 * Firmware with TDVF metadata: whatever of it is taken can be measured.
 */
#include "tools/gmem-measure/fuzz/fuzz.h"
#include "tools/gmem-measure/predict.h"

namespace
{

/* Hashing more than that takes the time of many inputs. */
constexpr std::uint64_t kBytesMost = 4 << 20;

} /* namespace */

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	using namespace measure;

	return fuzz([&] {
		const Contents contents = firmware_that_ends_with({ data, size });
		const Firmware firmware(contents);
		const auto sections = read_tdvf(firmware);
		std::uint64_t bytes = 0, steps = 1;

		for (const TdvfSection &section : sections) {
			bytes += section.range.size;
			if (!section.augmented)
				steps += section.range.size / kPageSize *
					 (section.extended ? 17 : 1);
		}
		if (bytes > kBytesMost)
			return;

		const TdxLaunch launch = predict_tdx(firmware, sections, "fw");

		check(launch.steps.size() == steps, "a step a page, and one a chunk");
		digest_of(launch);
	});
}
