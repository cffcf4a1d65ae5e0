// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem-measure snp: a launch out of the options, and the output about it.
 */
#include <algorithm>

#include <nlohmann/json.hpp>

#include "tools/gmem-measure/commands.h"
#include "tools/gmem-measure/id_block.h"
#include "tools/gmem-measure/predict.h"
#include "tools/gmem-measure/steps.h"
#include "tools/gmem-measure/text.h"

namespace measure
{

namespace
{

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kSnpActive = 1; /* of SEV_FEATURES */

std::uint64_t number_of(const char *option, const std::string &text,
			std::uint64_t most = ~std::uint64_t{ 0 })
{
	const auto number = parse_number(text);

	if (!number || *number > most)
		throw Refused(std::string(option) + " " + text + ": no number up to " +
			      hex_number(most));
	return *number;
}

std::array<std::uint8_t, 16> id_of(const char *option, const std::string &text)
{
	std::array<std::uint8_t, 16> id{};
	const auto bytes = parse_hex(text);

	if (!bytes || (!bytes->empty() && bytes->size() != id.size()))
		throw Refused(std::string(option) + " " + text +
			      ": not the hex digits of 16 bytes");
	std::copy(bytes->begin(), bytes->end(), id.begin());
	return id;
}

std::uint32_t signature_of(const Vmm &vmm, const SnpOptions &options)
{
	if (!options.vcpu_sig.empty())
		return parse_signature(options.vcpu_sig);
	if (!options.vcpu_type.empty())
		return signature_of_type(options.vcpu_type);
	if (vmm.signature_in_rdx)
		throw Refused(std::string(vmm.name) +
			      " tells processors what they are: --vcpu-type or --vcpu-sig");
	return 0;
}

std::optional<KernelHashes> kernel_of(const SnpOptions &options)
{
	if (!options.kernel)
		return std::nullopt;
	return hash_kernel(*options.kernel, options.initrd, options.append.value_or(""));
}

std::uint64_t vcpus_of(const SnpOptions &options)
{
	const auto vcpus = parse_number(options.vcpus);

	if (!vcpus || *vcpus < 1 || *vcpus > kVcpusMost)
		throw Refused("--vcpus " + options.vcpus + ": 1 to " + std::to_string(kVcpusMost));
	return *vcpus;
}

std::uint64_t features_of(const SnpOptions &options)
{
	const std::uint64_t features = number_of("--guest-features", options.guest_features);

	if (!(features & kSnpActive))
		throw Refused("--guest-features " + options.guest_features +
			      ": bit 0, SNP, is set in every SNP guest");
	return features;
}

std::uint64_t vmsa_gpa_of(const SnpOptions &options)
{
	if (options.vmsa_gpa.empty())
		return kVmsaGpa;

	const std::uint64_t gpa = number_of("--vmsa-gpa", options.vmsa_gpa, kGpaEnd - 1);

	if (gpa % kPageSize)
		throw Refused("--vmsa-gpa " + options.vmsa_gpa + ": not of a page");
	return gpa;
}

std::optional<gmem::Sha384Digest> firmware_digest_of(const SnpOptions &options)
{
	if (!options.ovmf_digest)
		return std::nullopt;

	const auto digest = parse_digest(*options.ovmf_digest);

	if (!digest)
		throw Refused("--ovmf-digest: not the hex digits of 48 bytes");
	return digest;
}

SnpRequest request_of(const SnpOptions &options)
{
	const Vmm &vmm = vmm_of(options.vmm);

	return { .vmm = vmm,
		 .vcpus = vcpus_of(options),
		 .signature = signature_of(vmm, options),
		 .features = features_of(options),
		 .vmsa_gpa = vmsa_gpa_of(options),
		 .kernel = kernel_of(options),
		 .firmware_digest = firmware_digest_of(options) };
}

std::uint64_t policy_of(const SnpOptions &options)
{
	return options.policy.empty() ? kDefaultPolicy : number_of("--policy", options.policy);
}

IdBlock make_block(const SnpOptions &options, const gmem::Sha384Digest &digest)
{
	const IdBlockFields fields{ digest, id_of("--family-id", options.family_id),
				    id_of("--image-id", options.image_id),
				    static_cast<std::uint32_t>(number_of(
					    "--guest-svn", options.guest_svn, 0xffffffff)),
				    policy_of(options) };
	IdBlock id = make_id_block(fields, *options.id_key, options.author_key);

	if (options.id_block_out)
		write_file(*options.id_block_out, id.block);
	if (options.id_auth_out)
		write_file(*options.id_auth_out, id.auth);
	return id;
}

/* The one that was given, or is to be made; nothing where there is none. */
std::optional<IdBlock> id_block_of(const SnpOptions &options, const gmem::Sha384Digest &digest)
{
	if (options.id_key)
		return make_block(options, digest);
	if (options.id_block)
		return IdBlock{ read_block(*options.id_block, kIdBlockSize),
				read_block(*options.id_auth, kIdAuthSize) };
	return std::nullopt;
}

Json json_of(const IdBlock &id, const std::optional<std::string> &fault)
{
	const KeyDigests keys = key_digests(id.auth);
	Json json{ { "id_block", base64(id.block) },
		   { "id_auth", base64(id.auth) },
		   { "id_key_digest", hex(keys.id_key) } };

	if (keys.author_key)
		json["author_key_digest"] = hex(*keys.author_key);
	if (fault)
		json["fault"] = *fault;
	return json;
}

Json json_of(const KernelHashes &kernel)
{
	return { { "kernel", hex(kernel.kernel) },
		 { "initrd", hex(kernel.initrd) },
		 { "cmdline", hex(kernel.cmdline) } };
}

Json json_of(const Firmware &firmware, const SevMetadata &metadata)
{
	Json sections = Json::array();

	for (const SevSection &section : metadata.sections)
		sections.push_back({ { "type", name_of(section.type) },
				     { "gpa", hex_number(section.range.gpa) },
				     { "size", hex_number(section.range.size) } });
	return { { "gpa", hex_number(firmware.gpa()) },
		 { "size", hex_number(firmware.size()) },
		 { "reset_eip", hex_number(metadata.reset_eip) },
		 { "kernel_hashes_gpa", hex_number(metadata.hashes_gpa) },
		 { "sections", std::move(sections) } };
}

Json json_of(const SnpRequest &request)
{
	Json json{ { "vmm", request.vmm.name },
		   { "vcpus", request.vcpus },
		   { "vcpu_signature", hex_number(request.signature) },
		   { "guest_features", hex_number(request.features) },
		   { "vmsa_gpa", hex_number(request.vmsa_gpa) } };

	if (request.kernel)
		json["kernel_hashes"] = json_of(*request.kernel);
	return json;
}

void write_text(std::ostream &out, const gmem::Sha384Digest &digest,
		const std::optional<IdBlock> &id)
{
	out << hex(digest) << "\n";
	if (!id)
		return;

	const KeyDigests keys = key_digests(id->auth);

	out << "id-block=" << base64(id->block) << "\nid-auth=" << base64(id->auth)
	    << "\nid-key-digest=" << hex(keys.id_key) << "\n";
	if (keys.author_key)
		out << "author-key-digest=" << hex(*keys.author_key) << "\n";
}

void check_together(const SnpOptions &options)
{
	if (options.id_key && options.id_block)
		throw Refused("--id-key makes an ID block, --id-block checks one: not both");
	if (options.id_block.has_value() != options.id_auth.has_value())
		throw Refused("--id-block and --id-auth come together");
	if (!options.id_key && (options.author_key || options.id_block_out || options.id_auth_out))
		throw Refused("an ID block is made where there is --id-key");
	if (!options.kernel && (options.initrd || options.append))
		throw Refused("--initrd and --append are measured with --kernel");
}

} /* namespace */

int run_snp(std::ostream &out, const SnpOptions &options)
{
	check_together(options);

	const SnpRequest request = request_of(options);
	const Contents contents = read_file(options.ovmf, kFirmwareMost);
	const Firmware firmware = about(options.ovmf, [&] { return Firmware(contents); });
	const SevMetadata metadata = about(options.ovmf,
					   [&] { return read_sev_metadata(firmware); });
	const SnpLaunch launch = about(options.ovmf,
				       [&] { return predict_snp(firmware, metadata, request); });
	const auto digest = digest_of(launch);
	const auto id = id_block_of(options, digest);
	const auto fault = id ? fault_of(*id, digest, policy_of(options)) : std::nullopt;

	if (options.output == Output::Transcript) {
		write_steps(out, launch);
	} else if (options.output == Output::Json) {
		Json json{ { "kind", "snp" }, { "digest", hex(digest) } };

		json.update(json_of(request));
		json["firmware"] = json_of(firmware, metadata);
		if (id)
			json["id"] = json_of(*id, fault);
		out << json.dump(1) << "\n";
	} else {
		write_text(out, digest, id);
	}
	if (!fault)
		return kDone;
	throw Differs(*fault);
}

} /* namespace measure */
