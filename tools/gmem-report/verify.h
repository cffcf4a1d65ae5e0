/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a report is what somebody says of it: its signature, the certificates up to a root that
 * one trusts, and its fields.
 */
#ifndef GMEM_REPORT_VERIFY_H
#define GMEM_REPORT_VERIFY_H

#include <string>
#include <vector>

#include "tools/gmem-report/certificates.h"

namespace report
{

/* A field, and what it must be; @name is for messages. */
struct Wanted {
	const char *name;
	gmem::ReportField field;
	Contents bytes;
};

/* Each check that failed, as a sentence; none: @report is good. */
std::vector<std::string> faults_of(const Report &report, const Chain &chain,
				   const std::vector<Wanted> &wanted);

} /* namespace report */

#endif /* GMEM_REPORT_VERIFY_H */
