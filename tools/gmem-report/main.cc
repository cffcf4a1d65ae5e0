// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem-report: attestation reports of guests on the SNP model. The command line. Exit status 0;
 * 1 where a report is not what it should be; 2 and a message where a file or an option is bad,
 * or the host fails.
 */
#include <filesystem>
#include <functional>
#include <iostream>

#include <CLI/CLI.hpp>

#include "tools/gmem-measure/id_block.h"
#include "tools/gmem-measure/refused.h"
#include "tools/gmem-report/verify.h"

namespace
{

using namespace report;
using measure::Refused;

constexpr int kDone = 0, kNotGood = 1, kRefused = 2;
constexpr char kProcessorFile[] = "/sys/kernel/debug/gmem/snp_vcek";

constexpr const char *kExamples = R"(Examples:
  # certificates for the module that is loaded, and guests get them from now on
  gmem-report chain certs
  cat certs/certificates.bin >/sys/kernel/debug/gmem/snp_certificates
  # what a guest's report says, and whether that is true
  gmem-report show report.bin
  gmem-report verify report.bin --chain certs \
      --measurement $(gmem-measure snp --ovmf OVMF.fd --vcpu-type EPYC-v4)
  # with the certificates that the guest has got, and the root alone from here
  gmem-report verify report.bin --root certs/ark.pem --table table.bin
)";

/* ---- chain ------------------------------------------------------------------------------ */

struct ChainOptions {
	std::string directory, processor = kProcessorFile;
};

int run_chain(const ChainOptions &options)
{
	const Chain chain = make_chain(read_processor(options.processor));
	Contents authorities = pem_of(chain.ask);
	const Contents ark = pem_of(chain.ark);

	authorities.insert(authorities.end(), ark.begin(), ark.end());

	/* All of it is there before the first is written. */
	const std::pair<const char *, Contents> files[] = {
		{ "ark.pem", ark },
		{ "ark.der", der_of(chain.ark) },
		{ "ask.pem", pem_of(chain.ask) },
		{ "ask.der", der_of(chain.ask) },
		{ "vcek.pem", pem_of(chain.vcek) },
		{ "vcek.der", der_of(chain.vcek) },
		{ "cert_chain.pem", authorities },
		{ "certificates.bin", table_of(chain) },
	};

	std::filesystem::create_directories(options.directory);
	for (const auto &[name, contents] : files)
		measure::write_file(options.directory + "/" + name, contents);
	return kDone;
}

/* ---- verify ----------------------------------------------------------------------------- */

struct VerifyOptions {
	std::string report, chain, root, ask, vcek, table;
	std::string measurement, host_data, report_data, id_key_digest, author_key_digest, id_auth;
	std::string policy, vmpl;
};

Chain read_chain(const VerifyOptions &options)
{
	Chain chain;
	const auto read = [](Certificate &to, const std::string &name) {
		if (!name.empty())
			to = read_certificate(name);
	};

	if (!options.table.empty())
		chain = read_table(options.table);
	/* A root that comes with the report proves nothing. */
	chain.ark.reset();
	if (!options.chain.empty()) {
		read(chain.ark, options.chain + "/ark.pem");
		if (options.table.empty()) {
			read(chain.ask, options.chain + "/ask.pem");
			read(chain.vcek, options.chain + "/vcek.pem");
		}
	}
	read(chain.ark, options.root);
	read(chain.ask, options.ask);
	read(chain.vcek, options.vcek);
	if (!chain.ark)
		throw Refused("no root is given: --root or --chain");
	if (!chain.ask || !chain.vcek)
		throw Refused(
			"no certificate of ASK or VCEK is given: --chain, --table, or --ask and "
			"--vcek");
	return chain;
}

void want_bytes(std::vector<Wanted> &wanted, const char *name, const gmem::ReportField &field,
		const std::string &text)
{
	if (text.empty())
		return;

	const auto bytes = measure::parse_hex(text);

	if (!bytes || bytes->size() != field.size)
		throw Refused(std::string(name) + ": " + text + " is not " +
			      std::to_string(field.size) + " bytes in hex");
	wanted.push_back({ name, field, *bytes });
}

void want_number(std::vector<Wanted> &wanted, const char *name, const gmem::ReportField &field,
		 const std::string &text)
{
	if (text.empty())
		return;

	const auto number = measure::parse_number(text);

	if (!number || (field.size < 8 && *number >> 8 * field.size))
		throw Refused(std::string(name) + ": " + text + " is no number that fits");

	Contents bytes(field.size);

	for (unsigned i = 0; i < field.size; i++)
		bytes[i] = static_cast<std::uint8_t>(*number >> 8 * i);
	wanted.push_back({ name, field, std::move(bytes) });
}

void want_keys(std::vector<Wanted> &wanted, const std::string &name)
{
	if (name.empty())
		return;

	const auto keys = measure::key_digests(measure::read_block(name, measure::kIdAuthSize));

	wanted.push_back({ "id_key_digest",
			   gmem::report::kIdKeyDigest,
			   { keys.id_key.begin(), keys.id_key.end() } });

	const auto author = keys.author_key.value_or(gmem::Sha384Digest{});

	wanted.push_back({ "author_key_digest",
			   gmem::report::kAuthorKeyDigest,
			   { author.begin(), author.end() } });
}

int run_verify(const VerifyOptions &options)
{
	const Report report(options.report);
	const Chain chain = read_chain(options);
	std::vector<Wanted> wanted;

	want_bytes(wanted, "measurement", gmem::report::kMeasurement, options.measurement);
	want_bytes(wanted, "host_data", gmem::report::kHostData, options.host_data);
	want_bytes(wanted, "report_data", gmem::report::kReportData, options.report_data);
	want_bytes(wanted, "id_key_digest", gmem::report::kIdKeyDigest, options.id_key_digest);
	want_bytes(wanted, "author_key_digest", gmem::report::kAuthorKeyDigest,
		   options.author_key_digest);
	want_number(wanted, "policy", gmem::report::kPolicy, options.policy);
	want_number(wanted, "vmpl", gmem::report::kVmpl, options.vmpl);
	want_keys(wanted, options.id_auth);

	const auto faults = faults_of(report, chain, wanted);

	for (const std::string &fault : faults)
		std::cerr << options.report << ": " << fault << "\n";
	return faults.empty() ? kDone : kNotGood;
}

/* ---- the command line ------------------------------------------------------------------- */

/* The command that was named: run once all options are read. */
using Command = std::function<int()>;

void add_chain(CLI::App &app, ChainOptions &options, Command &command)
{
	CLI::App *const chain = app.add_subcommand("chain", "make certificates for the module's "
							    "processor");

	chain->add_option("directory", options.directory, "where to write them")->required();
	chain->add_option("--processor", options.processor, "what the module says of it; debugfs");
	chain->callback([&] { command = [&] { return run_chain(options); }; });
}

void add_show(CLI::App &app, std::string &name, Command &command)
{
	CLI::App *const show_app = app.add_subcommand("show", "the fields of a report");

	show_app->add_option("report", name, "a file with 1184 bytes")->required();
	show_app->callback([&] {
		command = [&] {
			show(std::cout, Report(name));
			return kDone;
		};
	});
}

void add_verify(CLI::App &app, VerifyOptions &options, Command &command)
{
	CLI::App *const verify = app.add_subcommand(
		"verify", "signature, certificates and fields; status 1 where one is not as it "
			  "should be");

	verify->add_option("report", options.report, "a file with 1184 bytes")->required();
	verify->add_option("--chain", options.chain, "a directory that chain has made");
	verify->add_option("--root", options.root, "the certificate of the ARK that one trusts");
	verify->add_option("--ask", options.ask, "the certificate of the ASK");
	verify->add_option("--vcek", options.vcek, "the certificate of the VCEK");
	verify->add_option("--table", options.table, "ASK and VCEK as a guest gets them");
	verify->add_option("--measurement", options.measurement, "48 bytes in hex");
	verify->add_option("--host-data", options.host_data, "32 bytes in hex");
	verify->add_option("--report-data", options.report_data, "64 bytes in hex");
	verify->add_option("--id-key-digest", options.id_key_digest, "48 bytes in hex");
	verify->add_option("--author-key-digest", options.author_key_digest, "48 bytes in hex");
	verify->add_option("--id-auth", options.id_auth,
			   "the ID authentication, whose keys those must be");
	verify->add_option("--policy", options.policy, "a number");
	verify->add_option("--vmpl", options.vmpl, "a number");
	verify->callback([&] { command = [&] { return run_verify(options); }; });
}

int run(int argc, char **argv)
{
	CLI::App app{ "Attestation reports of guests on gmem's model of SEV-SNP" };
	ChainOptions chain;
	std::string shown;
	VerifyOptions verify;
	Command command;

	app.footer(kExamples);
	app.require_subcommand(1);
	add_chain(app, chain, command);
	add_show(app, shown, command);
	add_verify(app, verify, command);
	try {
		app.parse(argc, argv);
	} catch (const CLI::ParseError &e) {
		return app.exit(e) == 0 ? kDone : kRefused;
	}

	const int status = command();

	std::cout.flush();
	if (!std::cout)
		throw std::runtime_error("the output cannot be written");
	return status;
}

} /* namespace */

int main(int argc, char **argv)
{
	try {
		return run(argc, argv);
	} catch (const std::exception &e) {
		std::cerr << e.what() << "\n";
		return kRefused;
	}
}
