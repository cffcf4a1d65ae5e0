// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem-measure: what a launch will measure, before it is launched. The command line;
 * what the commands do is in commands.h. Exit status 0; 2 and a message where a file
 * or an option is bad; 3 where two things differ that should not; 1 where the host
 * fails, also where the output cannot be written.
 */
#include <exception>
#include <functional>
#include <iostream>

#include <CLI/CLI.hpp>

#include "tools/gmem-measure/commands.h"
#include "tools/gmem-measure/refused.h"

namespace
{

using namespace measure;

constexpr const char *kExamples = R"(Examples:
  # QEMU, two processors, without a kernel of its own
  gmem-measure snp --ovmf OVMF.fd --vcpus 2 --vcpu-type EPYC-Milan
  # kernel-hashes=on, and an ID block for sev-snp-guest
  gmem-measure snp --ovmf OVMF.amdsev.fd --vcpus 1 --vcpu-sig 25,1,1 \
      --kernel vmlinuz --initrd initrd.img --append "console=ttyS0" \
      --id-key id.pem --author-key author.pem
  # which step is another one than the host's
  gmem-measure snp --ovmf OVMF.fd --vcpu-type EPYC-v4 --transcript >predicted.json
  gmem-measure compare predicted.json measured.json
  # MRTD, and what the run-time registers must hold
  gmem-measure tdx --ovmf OVMF.fd --event-log /sys/firmware/acpi/tables/data/CCEL
  # a step list, from a file or standard input
  gmem-measure steps.json
)";

/* The command that was named: run once all options are read. */
using Command = std::function<int(std::ostream &)>;

void add_output(CLI::App &app, Output &output, const char *transcript)
{
	auto *const json = app.add_flag_callback(
		"--json", [&] { output = Output::Json; },
		"write an object with all that went into it");

	app.add_flag_callback(
		   "--transcript", [&] { output = Output::Transcript; }, transcript)
		->excludes(json);
}

void add_snp_launch(CLI::App &app, SnpOptions &options)
{
	app.add_option("--ovmf", options.ovmf, "the firmware's file")->required();
	app.add_option("--vcpus", options.vcpus, "number of processors; 1");
	auto *const type = app.add_option("--vcpu-type", options.vcpu_type,
					  "a processor model of QEMU's, EPYC-Milan-v2");

	app.add_option("--vcpu-sig", options.vcpu_sig,
		       "FAMILY,MODEL,STEPPING, or CPUID's number of it (0xa00f11)")
		->excludes(type);
	app.add_option("--vmm", options.vmm, "qemu, qemu-11-no-xsave, ec2 or gce; qemu");
	app.add_option("--guest-features", options.guest_features, "SEV_FEATURES; 0x1");
	app.add_option("--kernel", options.kernel, "a kernel that the firmware checks");
	app.add_option("--initrd", options.initrd, "its initrd");
	app.add_option("--append", options.append, "its command line");
	app.add_option("--ovmf-digest", options.ovmf_digest,
		       "the digest after the firmware's pages, where their content is not at hand");
	app.add_option("--vmsa-gpa", options.vmsa_gpa,
		       "where save areas are said to be; 0xfffffffff000");
}

void add_id_block(CLI::App &app, SnpOptions &options)
{
	app.add_option("--id-key", options.id_key, "make an ID block with this key (PEM, P-384)");
	app.add_option("--author-key", options.author_key, "sign the ID key with this one");
	app.add_option("--family-id", options.family_id, "16 bytes in hex; zeros");
	app.add_option("--image-id", options.image_id, "16 bytes in hex; zeros");
	app.add_option("--guest-svn", options.guest_svn, "0");
	app.add_option("--policy", options.policy, "0x30000");
	app.add_option("--id-block-out", options.id_block_out, "write its 96 bytes there");
	app.add_option("--id-auth-out", options.id_auth_out, "write the 4096 bytes there");
	app.add_option("--id-block", options.id_block,
		       "check this ID block (bytes or base64); status 3 where it does not fit");
	app.add_option("--id-auth", options.id_auth, "the authentication that comes with it");
}

void add_snp(CLI::App &app, SnpOptions &options, Command &command)
{
	CLI::App *const snp = app.add_subcommand("snp", "the launch digest of SEV-SNP");

	add_snp_launch(*snp, options);
	add_id_block(*snp, options);
	add_output(*snp, options.output, "write the step list");
	snp->callback([&] { command = [&](std::ostream &out) { return run_snp(out, options); }; });
}

void add_tdx(CLI::App &app, TdxOptions &options, Command &command)
{
	CLI::App *const tdx = app.add_subcommand("tdx", "MRTD of TDX");

	tdx->add_option("--ovmf", options.ovmf, "the firmware's file")->required();
	tdx->add_option("--event-log", options.event_log, "a TD's log, for RTMR0 to 3");
	add_output(*tdx, options.output, "write the step list");
	tdx->callback([&] { command = [&](std::ostream &out) { return run_tdx(out, options); }; });
}

struct OtherOptions {
	std::string log, first, second, steps;
	Output output = Output::Digest;
};

void add_others(CLI::App &app, OtherOptions &options, Command &command)
{
	CLI::App *const rtmr = app.add_subcommand("rtmr", "RTMR0 to 3 of an event log");
	CLI::App *const compare = app.add_subcommand("compare", "two step lists; status 3 where "
								"they differ");

	rtmr->add_option("log", options.log, "the table's data")->required();
	add_output(*rtmr, options.output, "write the events that extend");
	rtmr->callback([&] {
		command = [&](std::ostream &out) {
			return run_rtmr(out, options.log, options.output);
		};
	});
	compare->add_option("first", options.first, "a step list, or -")->required();
	compare->add_option("second", options.second, "another")->required();
	compare->callback([&] {
		command = [&](std::ostream &out) {
			return run_compare(out, options.first, options.second);
		};
	});
	app.add_option("steps", options.steps, "a step list, or - for standard input");
}

/* Either the output has arrived, or the host has failed. */
int finish(int status)
{
	std::cout.flush();
	if (std::cout)
		return status;
	std::cerr << "the output cannot be written\n";
	return kHostFails;
}

int run(int argc, char **argv)
{
	CLI::App app{ "Tells what a launch of SEV-SNP or TDX will measure" };
	SnpOptions snp;
	TdxOptions tdx;
	OtherOptions others;
	Command command;

	app.footer(kExamples);
	app.require_subcommand(0, 1);
	add_snp(app, snp, command);
	add_tdx(app, tdx, command);
	add_others(app, others, command);
	try {
		app.parse(argc, argv);
	} catch (const CLI::ParseError &e) {
		return finish(app.exit(e) == 0 ? kDone : kRefused);
	}
	if (command && !others.steps.empty())
		throw Refused(others.steps + ": a step list and a command");
	if (!command && others.steps.empty())
		throw Refused("a command or a step list is wanted, see --help");
	return finish(command ? command(std::cout) : run_steps(std::cout, others.steps));
}

} /* namespace */

int main(int argc, char **argv)
{
	try {
		return run(argc, argv);
	} catch (const Refused &e) {
		std::cerr << e.what() << "\n";
		return kRefused;
	} catch (const Differs &e) {
		std::cerr << e.what() << "\n";
		return finish(kDiffers);
	} catch (const std::exception &e) {
		std::cerr << e.what() << "\n";
		return kHostFails;
	}
}
