// SPDX-License-Identifier: GPL-2.0-only
/*
 * The steps of a launch (predict.h).
 */
#include "tools/gmem-measure/predict.h"

#include "tools/gmem-measure/refused.h"
#include "tools/gmem-measure/text.h"

namespace measure
{

namespace
{

using gmem::SnpPageType;

class SnpPrediction {
    public:
	SnpPrediction(const Firmware &firmware, const SevMetadata &metadata,
		      const SnpRequest &request)
		: firmware_(firmware), metadata_(metadata), request_(request)
	{
	}

	SnpLaunch run()
	{
		check();
		add_firmware();
		for (const SevSection &section : metadata_.sections) {
			if (section.type != SevSectionType::Cpuid || !request_.vmm.cpuid_last)
				add_section(section);
		}
		if (const SevSection *const cpuid = metadata_.find(SevSectionType::Cpuid);
		    cpuid && request_.vmm.cpuid_last)
			add_section(*cpuid);
		add_vcpus();
		return std::move(launch_);
	}

    private:
	void check() const
	{
		const std::string vmm = request_.vmm.name;

		if (!metadata_.reset_eip && (request_.vmm.wants_reset_eip || request_.vcpus > 1))
			throw Refused("the firmware does not say where processors begin "
				      "(SEV information block)");
		if (request_.kernel && !request_.vmm.hashes_kernels)
			throw Refused(vmm + " does not measure a kernel: --kernel");
		if (request_.kernel && !metadata_.find(SevSectionType::KernelHashes))
			throw Refused(
				"a kernel is measured where the firmware has a section for its "
				"hashes: this one has none");
	}

	void add(SnpPageType type, std::uint64_t gpa, gmem::ConstBytes page = {})
	{
		launch_.steps.push_back({ type, gpa, contents_of(type, page) });
	}

	void add_firmware()
	{
		launch_.start = request_.firmware_digest;
		if (launch_.start)
			return;
		for (std::uint64_t at = 0; at < firmware_.size(); at += kPageSize)
			add(SnpPageType::Normal, firmware_.gpa() + at,
			    firmware_.bytes().at(at, kPageSize));
	}

	SnpPageType type_of(const SevSection &section) const
	{
		switch (section.type) {
		case SevSectionType::SecMemory:
			return request_.vmm.sec_memory;
		case SevSectionType::Secrets:
			return SnpPageType::Secrets;
		case SevSectionType::Cpuid:
			return SnpPageType::Cpuid;
		case SevSectionType::SvsmCaa:
		case SevSectionType::KernelHashes:
			return SnpPageType::Zero;
		}
		if (!request_.vmm.adds_unknown)
			throw Refused("what " + std::string(request_.vmm.name) +
				      " does with the firmware's section of type " +
				      name_of(section.type) + " is not known");
		return SnpPageType::Zero;
	}

	void add_section(const SevSection &section)
	{
		if (section.type == SevSectionType::KernelHashes && request_.kernel) {
			add(SnpPageType::Normal, section.range.gpa, hashes_page(section));
			return;
		}
		for (std::uint64_t gpa = section.range.gpa; gpa < section.range.end();
		     gpa += kPageSize)
			add(type_of(section), gpa);
	}

	Contents hashes_page(const SevSection &section) const
	{
		if (metadata_.hashes_gpa / kPageSize * kPageSize != section.range.gpa)
			throw Refused("the firmware's table of kernel hashes is at " +
				      hex_number(metadata_.hashes_gpa) +
				      ", not in its section at " + hex_number(section.range.gpa));
		return kernel_hashes_page(*request_.kernel, metadata_.hashes_gpa % kPageSize);
	}

	void add_vcpus()
	{
		VcpuState vcpu{ .signature = request_.signature,
				.sev_features = request_.features };

		add(SnpPageType::Vmsa, request_.vmsa_gpa, vmsa_page(request_.vmm, vcpu));
		vcpu.first = false;
		vcpu.eip = metadata_.reset_eip;

		const SnpStep other{ SnpPageType::Vmsa, request_.vmsa_gpa,
				     contents_of(SnpPageType::Vmsa,
						 vmsa_page(request_.vmm, vcpu)) };

		launch_.steps.insert(launch_.steps.end(), request_.vcpus - 1, other);
	}

	const Firmware &firmware_;
	const SevMetadata &metadata_;
	const SnpRequest &request_;
	SnpLaunch launch_;
};

/* A page with its sixteen chunks, as KVM adds one. */
void add_tdx_page(TdxLaunch &launch, const TdvfSection &section, const TdxStep &step)
{
	launch.steps.push_back(step);
	for (std::uint64_t at = 0; section.extended && at < kPageSize; at += gmem::kTdxChunkSize)
		launch.steps.push_back({ TdxStep::Op::Extend, step.gpa + at, step.page, "" });
}

} /* namespace */

SnpLaunch predict_snp(const Firmware &firmware, const SevMetadata &metadata,
		      const SnpRequest &request)
{
	return SnpPrediction(firmware, metadata, request).run();
}

TdxLaunch predict_tdx(const Firmware &firmware, const std::vector<TdvfSection> &sections,
		      const std::string &name)
{
	const auto zeros = std::make_shared<const Contents>(kPageSize);
	TdxLaunch launch;

	for (const TdvfSection &section : sections) {
		for (std::uint64_t at = 0; at < section.range.size && !section.augmented;
		     at += kPageSize) {
			TdxStep step{ TdxStep::Op::Add, section.range.gpa + at, zeros, "zero" };

			if (section.data_size) {
				const std::uint64_t offset = section.data_offset + at;
				const auto page = firmware.bytes().at(offset, kPageSize);

				step.page = std::make_shared<const Contents>(page.begin(),
									     page.end());
				step.source = name + ":" + hex_number(offset);
			}
			add_tdx_page(launch, section, step);
		}
	}
	launch.steps.push_back({ TdxStep::Op::Finalize, 0, nullptr, "" });
	return launch;
}

} /* namespace measure */
