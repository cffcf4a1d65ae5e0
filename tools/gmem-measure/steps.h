/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Step lists, the format in which launches are exchanged (docs/measure.md): read
 * from a document, and written.
 */
#ifndef GMEM_MEASURE_STEPS_H
#define GMEM_MEASURE_STEPS_H

#include <ostream>
#include <variant>

#include "tools/gmem-measure/document.h"
#include "tools/gmem-measure/launch.h"

namespace measure
{

using Launch = std::variant<SnpLaunch, TdxLaunch>;

gmem::Sha384Digest digest_of(const Launch &launch);

/* Steps of a list, at the most. */
inline constexpr std::size_t kStepsMost = 16 << 20;

/*
 * Throws BadInput, also where the list names another digest than its steps come to.
 * Relative names of page files are relative to @folder.
 */
Launch read_steps(const Value &document, const std::string &folder);

/* Of a file, or standard input ("-"); throws Refused, which names it. */
Launch read_steps_file(const std::string &name);

/* With the digest; a line a step, so that line tools work on it. */
void write_steps(std::ostream &out, const Launch &launch);

} /* namespace measure */

#endif /* GMEM_MEASURE_STEPS_H */
