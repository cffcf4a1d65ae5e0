/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two step lists beside each other: which steps one has and the other has not. Pages
 * count by their content, wherever the lists have it from.
 */
#ifndef GMEM_MEASURE_COMPARE_H
#define GMEM_MEASURE_COMPARE_H

#include <ostream>
#include <string>

#include "tools/gmem-measure/steps.h"

namespace measure
{

/*
 * Writes what differs, nothing if nothing does: "-" before what the first alone has,
 * "+" before what the second alone has, with the numbers of the steps. Returns
 * whether they are alike. Throws Refused where they are of different kinds.
 */
bool compare(std::ostream &out, const Launch &first, const Launch &second);

} /* namespace measure */

#endif /* GMEM_MEASURE_COMPARE_H */
