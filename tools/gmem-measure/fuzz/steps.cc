// SPDX-License-Identifier: GPL-2.0-only
/*
 * Step lists: a list that was read, written and read again comes to the same.
 */
#include <sstream>

#include "tools/gmem-measure/compare.h"
#include "tools/gmem-measure/fuzz/fuzz.h"
#include "tools/gmem-measure/steps.h"

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	using namespace measure;

	return fuzz([&] {
		const std::string text(reinterpret_cast<const char *>(data), size);
		/* There are no page files. */
		const Launch launch = read_steps(parse_document(text), "/nowhere");
		std::ostringstream written, differences;

		write_steps(written, launch);

		const Launch again = read_steps(parse_document(written.str()), "/nowhere");

		check(digest_of(again) == digest_of(launch), "a list that was written is the same");
		check(compare(differences, launch, again), "it compares as the same");
	});
}
