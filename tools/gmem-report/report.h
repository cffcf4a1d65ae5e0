/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An attestation report as bytes, and its fields; and what debugfs shows of the processor of the
 * SNP model. Where fields are is in arch/x86/snp_report_layout.h. Errors are measure::Refused.
 */
#ifndef GMEM_REPORT_REPORT_H
#define GMEM_REPORT_REPORT_H

#include <ostream>

#include "arch/x86/snp_report_layout.h"
#include "tools/gmem-measure/file.h"
#include "tools/gmem-measure/text.h"

namespace report
{

using measure::Contents;

class Report {
    public:
	/* Of a file that has a report and no more. */
	explicit Report(const std::string &name);

	gmem::ConstBytes bytes(const gmem::ReportField &field) const
	{
		return gmem::ConstBytes{ contents_ }.subspan(field.at, field.size);
	}
	std::uint64_t number(const gmem::ReportField &field) const;
	/* What the signature is over. */
	gmem::ConstBytes signed_part() const;

    private:
	Contents contents_;
};

/* A line for each field. */
void show(std::ostream &out, const Report &report);

/* Who signs reports. */
struct Processor {
	Contents x, y; /* of the key, big-endian */
	Contents chip_id;
	std::uint64_t tcb;
};

/* Of the file @name, as the module writes it. */
Processor read_processor(const std::string &name);

} /* namespace report */

#endif /* GMEM_REPORT_REPORT_H */
