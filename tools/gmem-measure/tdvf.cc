// SPDX-License-Identifier: GPL-2.0-only
/*
 * TDVF metadata (tdvf.h). A section says where its data is and how much (32 bits each),
 * where its memory is and how much (64 bits each), its type and attributes.
 */
#include "tools/gmem-measure/tdvf.h"

#include <array>

namespace measure
{

namespace
{

constexpr MetadataFormat kFormat{ guid("e47a6535-984a-4798-865e-4685a7bf8ec2"), "TDVF metadata",
				  "TDVF", 32 };
constexpr std::uint32_t kExtended = 1, kAugmented = 2;

TdvfSection parse(const Bytes &section)
{
	const std::uint32_t attributes = section.u32(28);

	if (attributes & ~(kExtended | kAugmented))
		throw Refused("a TDVF section has attributes " + hex_number(attributes) +
			      ", known are 1 and 2");
	return { { section.u64(8), section.u64(16) },
		 section.u32(0),
		 section.u32(4),
		 static_cast<TdvfSectionType>(section.u32(24)),
		 (attributes & kExtended) != 0,
		 (attributes & kAugmented) != 0 };
}

bool is_volume(TdvfSectionType type)
{
	return type == TdvfSectionType::FirmwareVolume ||
	       type == TdvfSectionType::ConfigurationVolume;
}

std::string name_of(const TdvfSection &section)
{
	return "TDVF section " + name_of(section.type) + " at " + hex_number(section.range.gpa);
}

/* What VMMs ask of one section. Its memory is checked with that of all others, later. */
void check_section(const Firmware &firmware, const TdvfSection &section)
{
	const std::string name = name_of(section);

	if (section.type > TdvfSectionType::PermanentMemory)
		throw Refused(name + ": what is in one of this type is not the firmware's to say");
	if (is_volume(section.type) != (section.data_size != 0))
		throw Refused(name + " has type " + name_of(section.type) + " and " +
			      hex_number(section.data_size) + " bytes of data");
	if (section.data_size && section.data_size != section.range.size)
		throw Refused(name + " has " + hex_number(section.data_size) +
			      " bytes of data for " + hex_number(section.range.size) +
			      " of memory");
	if (section.data_offset + section.data_size > firmware.size())
		throw Refused(name + " has data up to " +
			      hex_number(section.data_offset + section.data_size) +
			      ", but the firmware ends at " + hex_number(firmware.size()) +
			      ": is it one part of two?");
	if (section.extended && section.augmented)
		throw Refused(name + " is to be measured, and to come later");
}

} /* namespace */

std::string name_of(TdvfSectionType type)
{
	static constexpr std::array<const char *, 5> kNames{ "bfv", "cfv", "td-hob", "temp-mem",
							     "perm-mem" };
	const auto number = static_cast<std::uint32_t>(type);

	return number < kNames.size() ? kNames[number] : std::to_string(number);
}

std::vector<TdvfSection> read_tdvf(const Firmware &firmware)
{
	std::vector<TdvfSection> sections;
	std::vector<NamedRange> ranges;

	for (const Bytes &bytes : read_metadata(firmware, kFormat)) {
		const TdvfSection section = parse(bytes);

		check_section(firmware, section);
		sections.push_back(section);
		ranges.push_back({ name_of(section), section.range });
	}
	check_ranges(ranges);
	return sections;
}

} /* namespace measure */
