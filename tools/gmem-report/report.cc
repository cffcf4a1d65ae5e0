// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports as bytes (report.h).
 */
#include "tools/gmem-report/report.h"

#include <iomanip>
#include <sstream>

#include "arch/x86/le.h"
#include "tools/gmem-measure/refused.h"

namespace report
{

using measure::Refused;

namespace
{

enum class As { Number, Bytes, Tcb, Version };

constexpr struct {
	const char *name;
	gmem::ReportField field;
	As as;
} kFields[] = {
	{ "version", gmem::report::kVersion, As::Number },
	{ "guest_svn", gmem::report::kGuestSvn, As::Number },
	{ "policy", gmem::report::kPolicy, As::Number },
	{ "family_id", gmem::report::kFamilyId, As::Bytes },
	{ "image_id", gmem::report::kImageId, As::Bytes },
	{ "vmpl", gmem::report::kVmpl, As::Number },
	{ "signature_algorithm", gmem::report::kSignatureAlgorithm, As::Number },
	{ "current_tcb", gmem::report::kCurrentTcb, As::Tcb },
	{ "platform_info", gmem::report::kPlatformInfo, As::Number },
	{ "key_info", gmem::report::kKeyInfo, As::Number },
	{ "report_data", gmem::report::kReportData, As::Bytes },
	{ "measurement", gmem::report::kMeasurement, As::Bytes },
	{ "host_data", gmem::report::kHostData, As::Bytes },
	{ "id_key_digest", gmem::report::kIdKeyDigest, As::Bytes },
	{ "author_key_digest", gmem::report::kAuthorKeyDigest, As::Bytes },
	{ "report_id", gmem::report::kReportId, As::Bytes },
	{ "report_id_ma", gmem::report::kMigrationAgentId, As::Bytes },
	{ "reported_tcb", gmem::report::kReportedTcb, As::Tcb },
	{ "chip_id", gmem::report::kChipId, As::Bytes },
	{ "committed_tcb", gmem::report::kCommittedTcb, As::Tcb },
	{ "current_version", gmem::report::kCurrentVersion, As::Version },
	{ "committed_version", gmem::report::kCommittedVersion, As::Version },
	{ "launch_tcb", gmem::report::kLaunchTcb, As::Tcb },
	{ "signature_r", { gmem::report::kSignature.at, gmem::kReportNumberSize }, As::Bytes },
	{ "signature_s",
	  { gmem::report::kSignature.at + gmem::kReportNumberSize, gmem::kReportNumberSize },
	  As::Bytes },
};

std::string text_of(const Report &report, const gmem::ReportField &field, As as)
{
	const gmem::ConstBytes bytes = report.bytes(field);
	const auto number = [&](unsigned at) { return std::to_string(bytes[at]); };

	switch (as) {
	case As::Number:
		return measure::hex_number(report.number(field));
	case As::Tcb:
		return measure::hex_number(report.number(field)) + ": boot loader " +
		       number(gmem::kTcbBootLoader) + ", TEE " + number(gmem::kTcbTee) + ", SNP " +
		       number(gmem::kTcbSnp) + ", microcode " + number(gmem::kTcbMicrocode);
	case As::Version:
		return number(2) + "." + number(1) + "." + number(0);
	case As::Bytes:
		break;
	}
	return measure::hex(bytes);
}

Contents bytes_of(const std::string &name, const std::string &what, const std::string &text,
		  std::size_t size)
{
	const auto bytes = measure::parse_hex(text);

	if (!bytes || bytes->size() != size)
		throw Refused(name + ": " + what + " is not " + std::to_string(size) +
			      " bytes in hex");
	return *bytes;
}

} /* namespace */

Report::Report(const std::string &name) : contents_(measure::read_file(name, gmem::kReportSize))
{
	if (contents_.size() != gmem::kReportSize)
		throw Refused(name + ": " + std::to_string(contents_.size()) +
			      " bytes, and a report has " + std::to_string(gmem::kReportSize));

	const std::uint64_t version = number(gmem::report::kVersion);

	if (version != gmem::kReportVersion)
		throw Refused(name + ": a report of version " + std::to_string(version) +
			      ", known is " + std::to_string(gmem::kReportVersion));
}

std::uint64_t Report::number(const gmem::ReportField &field) const
{
	return gmem::load_le(&contents_[field.at], field.size);
}

gmem::ConstBytes Report::signed_part() const
{
	return gmem::ConstBytes{ contents_ }.first(gmem::report::kSignature.at);
}

void show(std::ostream &out, const Report &report)
{
	for (const auto &row : kFields)
		out << std::left << std::setw(20) << row.name << text_of(report, row.field, row.as)
		    << "\n";
}

Processor read_processor(const std::string &name)
{
	constexpr std::uint64_t kMost = 4096;
	constexpr std::size_t kNumber = 48;
	std::istringstream text{ measure::read_text(name, kMost) };
	std::string word, x, y, chip_id, tcb;

	while (text >> word) {
		std::string *const value = word == "x"	       ? &x
					   : word == "y"       ? &y
					   : word == "chip_id" ? &chip_id
					   : word == "tcb"     ? &tcb
							       : nullptr;

		if (!value || !(text >> *value))
			throw Refused(name + ": " + word +
				      ": not what the module writes of its processor");
	}
	if (x.empty())
		throw Refused(name + ": no key is there: the kernel has no ECDH on P-384");

	const auto number = measure::parse_number(tcb);

	if (!number)
		throw Refused(name + ": tcb is no number");
	return { bytes_of(name, "x", x, kNumber), bytes_of(name, "y", y, kNumber),
		 bytes_of(name, "chip_id", chip_id, gmem::report::kChipId.size), *number };
}

} /* namespace report */
