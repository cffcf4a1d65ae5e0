/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzz targets share. An input may be taken or Refused. Any other exception, and
 * a check() that fails, ends the run.
 */
#ifndef GMEM_MEASURE_FUZZ_H
#define GMEM_MEASURE_FUZZ_H

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "tools/gmem-measure/firmware.h"
#include "tools/gmem-measure/refused.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace measure
{

inline void check(bool true_thing, const char *what)
{
	if (true_thing)
		return;
	std::cerr << "fuzz: not so: " << what << "\n";
	std::abort();
}

/* Firmware that ends with @data: the parts that are read are at its end. */
inline Contents firmware_that_ends_with(gmem::ConstBytes data)
{
	Contents contents(data.size() + (kPageSize - data.size() % kPageSize) % kPageSize);

	std::copy(data.begin(), data.end(),
		  contents.end() - static_cast<std::ptrdiff_t>(data.size()));
	return contents;
}

/* Does @work, which may refuse. */
template <class Work> int fuzz(Work work)
{
	try {
		work();
	} catch (const Refused &) {
	}
	return 0;
}

} /* namespace measure */

#endif /* GMEM_MEASURE_FUZZ_H */
