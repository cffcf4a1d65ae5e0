// SPDX-License-Identifier: GPL-2.0-only
/*
 * Step lists (steps.h), written.
 */
#include <nlohmann/json.hpp>

#include "tools/gmem-measure/steps.h"
#include "tools/gmem-measure/text.h"

namespace measure
{

namespace
{

using Json = nlohmann::ordered_json;

Json line_of(const SnpStep &step)
{
	Json line{ { "type", static_cast<unsigned>(step.type) }, { "gpa", hex_number(step.gpa) } };

	if (gmem::snp_page_type_hashed(step.type))
		line["contents"] = hex(step.contents);
	return line;
}

Json line_of(const TdxStep &step)
{
	switch (step.op) {
	case TdxStep::Op::Add:
		return { { "op", "add" },
			 { "gpa", hex_number(step.gpa) },
			 { "page", step.source.empty() ? hex(*step.page) : step.source } };
	case TdxStep::Op::Extend:
		return { { "op", "extend" }, { "gpa", hex_number(step.gpa) } };
	case TdxStep::Op::Finalize:
		break;
	}
	return { { "op", "finalize" } };
}

const char *kind_of(const SnpLaunch &)
{
	return "snp";
}

const char *kind_of(const TdxLaunch &)
{
	return "tdx";
}

void write_start(std::ostream &out, const SnpLaunch &launch)
{
	if (launch.start)
		out << "\"start\": \"" << hex(*launch.start) << "\",\n";
}

void write_start(std::ostream &, const TdxLaunch &) {}

} /* namespace */

void write_steps(std::ostream &out, const Launch &launch)
{
	std::visit(
		[&](const auto &of_kind) {
			const char *comma = "";

			out << "{\"kind\": \"" << kind_of(of_kind) << "\",\n";
			write_start(out, of_kind);
			out << "\"digest\": \"" << hex(digest_of(of_kind)) << "\",\n\"steps\": [";
			for (const auto &step : of_kind.steps) {
				/* A file's name need not be UTF-8. */
				out << comma << "\n"
				    << line_of(step).dump(-1, ' ', false,
							  Json::error_handler_t::replace);
				comma = ",";
			}
			out << "\n]}\n";
		},
		launch);
}

} /* namespace measure */
