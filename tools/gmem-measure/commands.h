/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each command does once its options are read (main.cc). All throw Refused where
 * an option or a file is no good, and return the exit status.
 */
#ifndef GMEM_MEASURE_COMMANDS_H
#define GMEM_MEASURE_COMMANDS_H

#include <ostream>
#include <optional>
#include <string>

namespace measure
{

inline constexpr int kDone = 0, kHostFails = 1, kRefused = 2, kDiffers = 3;

/* The output: the digest alone, an object about it, or the step list. */
enum class Output { Digest, Json, Transcript };

struct SnpOptions {
	std::string ovmf, vmm = "qemu", vcpus = "1";
	std::string vcpu_type, vcpu_sig; /* one of them, or neither where the VMM has none */
	std::string guest_features = "0x1", vmsa_gpa;
	std::optional<std::string> kernel, initrd, append, ovmf_digest;
	/* To make an ID block; the files may be left out. */
	std::optional<std::string> id_key, author_key, id_block_out, id_auth_out;
	std::string family_id, image_id, guest_svn = "0", policy;
	/* To check one. */
	std::optional<std::string> id_block, id_auth;
	Output output = Output::Digest;
};

int run_snp(std::ostream &out, const SnpOptions &options);

struct TdxOptions {
	std::string ovmf;
	std::optional<std::string> event_log;
	Output output = Output::Digest;
};

int run_tdx(std::ostream &out, const TdxOptions &options);

/* Of a log alone; each event, too, where @output is Transcript. */
int run_rtmr(std::ostream &out, const std::string &log, Output output);

int run_compare(std::ostream &out, const std::string &first, const std::string &second);
int run_steps(std::ostream &out, const std::string &name);

} /* namespace measure */

#endif /* GMEM_MEASURE_COMMANDS_H */
