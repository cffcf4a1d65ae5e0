// SPDX-License-Identifier: GPL-2.0-only
/*
 * SEV metadata (sev_metadata.h). A section is address, size and type, 32 bits each.
 */
#include "tools/gmem-measure/sev_metadata.h"

#include <algorithm>

namespace measure
{

namespace
{

constexpr MetadataFormat kFormat{ guid("dc886566-984a-4798-a75e-5585a7bf67cc"), "SEV metadata",
				  "ASEV", 12 };
constexpr Guid kInfoBlock = guid("00f771de-1a7e-4fcb-890e-68c77e2fb44e");
constexpr Guid kHashTable = guid("7255371f-3a3b-4b04-927b-1da6efa8d454");

/* Pages that the SNP firmware fills itself come alone. */
void check_single(const std::vector<SevSection> &sections, SevSectionType type)
{
	const auto of_type = [=](const SevSection &section) { return section.type == type; };
	const auto found = std::find_if(sections.begin(), sections.end(), of_type);

	if (std::count_if(sections.begin(), sections.end(), of_type) > 1)
		throw Refused("the SEV metadata has more than one section of type " +
			      name_of(type));
	if (found != sections.end() && found->range.size != kPageSize)
		throw Refused("the SEV metadata's section of type " + name_of(type) + " has " +
			      hex_number(found->range.size) + " bytes, not a page");
}

void check_sections(const Firmware &firmware, const std::vector<SevSection> &sections)
{
	std::vector<NamedRange> ranges{ { "the firmware", { firmware.gpa(), firmware.size() } } };

	for (const SevSection &section : sections)
		ranges.push_back({ "SEV section " + name_of(section.type) + " at " +
					   hex_number(section.range.gpa) + " of " +
					   hex_number(section.range.size) + " bytes",
				   section.range });
	check_ranges(ranges);
	check_single(sections, SevSectionType::Secrets);
	check_single(sections, SevSectionType::Cpuid);
	check_single(sections, SevSectionType::KernelHashes);
}

std::uint32_t number_of(const Firmware &firmware, const Guid &guid)
{
	const auto entry = firmware.entry(guid, "an entry of the firmware's table");

	return entry ? entry->u32(0) : 0;
}

} /* namespace */

std::string name_of(SevSectionType type)
{
	switch (type) {
	case SevSectionType::SecMemory:
		return "sec-mem";
	case SevSectionType::Secrets:
		return "secrets";
	case SevSectionType::Cpuid:
		return "cpuid";
	case SevSectionType::SvsmCaa:
		return "svsm-caa";
	case SevSectionType::KernelHashes:
		return "kernel-hashes";
	}
	return hex_number(static_cast<std::uint32_t>(type));
}

const SevSection *SevMetadata::find(SevSectionType type) const
{
	const auto found = std::find_if(sections.begin(), sections.end(),
					[=](const SevSection &s) { return s.type == type; });

	return found == sections.end() ? nullptr : &*found;
}

SevMetadata read_sev_metadata(const Firmware &firmware)
{
	SevMetadata result;

	for (const Bytes &section : read_metadata(firmware, kFormat))
		result.sections.push_back({ { section.u32(0), section.u32(4) },
					    static_cast<SevSectionType>(section.u32(8)) });
	check_sections(firmware, result.sections);
	result.reset_eip = number_of(firmware, kInfoBlock);
	result.hashes_gpa = number_of(firmware, kHashTable);
	return result;
}

} /* namespace measure */
