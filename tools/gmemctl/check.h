/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether this machine is fit for gmem.ko, as far as it can be seen before loading.
 */
#ifndef GMEMCTL_CHECK_H
#define GMEMCTL_CHECK_H

#include "screen.h"
#include "system.h"

namespace gmemctl
{

enum class Verdict {
	kGood,
	kUnknown, /* it would take root to tell, or the kernel does not say */
	kPoor, /* gmem.ko works, but not as well as it could */
	kBad, /* gmem.ko does not load */
};

struct Finding {
	std::string what;
	Verdict verdict;
	std::string details;
};

std::vector<Finding> check(const System &system);
const char *word(Verdict verdict);

} /* namespace gmemctl */

#endif /* GMEMCTL_CHECK_H */
