// SPDX-License-Identifier: GPL-2.0-only
/*
 * A firmware image and its table (firmware.h). The table is read from its end: each
 * entry is its data, its size (16 bits, with these 18 bytes) and its GUID; the last
 * one is the table's own.
 */
#include "tools/gmem-measure/firmware.h"

#include <algorithm>

namespace measure
{

namespace
{

constexpr Guid kFooter = guid("96b582de-1fb2-45f7-baea-a366c55a082d");
/* The reset vector is behind it. */
constexpr std::uint64_t kAfterTable = 32;
constexpr std::uint64_t kEntryTail = 18;
constexpr std::uint64_t kGuidSize = 16;

struct Entry {
	Guid guid;
	std::uint64_t size;
};

/* The entry that ends at @end of @bytes; no part of it is before @start. */
Entry entry_before(const Bytes &bytes, std::uint64_t start, std::uint64_t end)
{
	if (end - start < kEntryTail)
		throw Refused("the firmware's table has " + std::to_string(end - start) +
			      " bytes left, less than an entry");

	const Entry entry{ bytes.guid(end - kGuidSize), bytes.u16(end - kEntryTail) };

	if (entry.size < kEntryTail || entry.size > end - start)
		throw Refused("entry " + guid_text(entry.guid) +
			      " of the firmware's table has size " + std::to_string(entry.size) +
			      ", of " + std::to_string(end - start) + " that are left");
	return entry;
}

} /* namespace */

Firmware::Firmware(gmem::ConstBytes contents) : contents_(contents)
{
	if (size() == 0 || size() % kPageSize || size() > kFirmwareMost)
		throw Refused("no firmware: " + std::to_string(size()) +
			      " bytes are not whole pages, 1 to " +
			      std::to_string(kFirmwareMost / kPageSize));
	read_table();
}

void Firmware::read_table()
{
	const Bytes all = bytes();
	const std::uint64_t end = all.size() - kAfterTable;

	if (all.guid(end - kGuidSize) != kFooter)
		return;

	const std::uint64_t start = end - entry_before(all, 0, end).size;

	for (std::uint64_t at = end - kEntryTail; at > start;) {
		const Entry entry = entry_before(all, start, at);
		const auto data = all.at(at - entry.size, entry.size - kEntryTail);

		if (!table_.emplace(entry.guid, data).second)
			throw Refused("entry " + guid_text(entry.guid) +
				      " is in the firmware's table twice");
		at -= entry.size;
	}
}

std::optional<Bytes> Firmware::entry(const Guid &guid, const char *what) const
{
	const auto found = table_.find(guid);

	if (found == table_.end())
		return std::nullopt;
	return Bytes{ found->second, what };
}

namespace
{

/* From where @format's pointer says, to the end. */
Bytes pointed_to(const Firmware &firmware, const MetadataFormat &format)
{
	const auto pointer = firmware.entry(format.pointer, "the pointer to metadata");

	if (!pointer)
		throw Refused("the firmware has no " + std::string(format.what));

	const std::uint64_t back = pointer->u32(0);

	if (back > firmware.size())
		throw Refused("the " + std::string(format.what) + " is said to be " +
			      hex_number(back) + " before the end of the firmware, which has " +
			      hex_number(firmware.size()));
	return firmware.bytes().part(firmware.size() - back, back, format.what);
}

constexpr std::uint64_t kHeaderSize = 16;

std::uint32_t check_header(const Bytes &metadata, const MetadataFormat &format)
{
	const auto signature = metadata.at(0, format.signature.size());
	const std::uint32_t size = metadata.u32(4), version = metadata.u32(8),
			    number = metadata.u32(12);
	const std::string what = "the " + std::string(format.what);

	if (!std::equal(signature.begin(), signature.end(), format.signature.begin()))
		throw Refused(what + " does not begin with " + std::string(format.signature));
	if (version != 1)
		throw Refused(what + " has version " + std::to_string(version) + ", known is 1");
	if (size != kHeaderSize + format.section_size * number)
		throw Refused(what + " has " + std::to_string(size) + " bytes, but " +
			      std::to_string(number) + " sections");
	return number;
}

void check_range(const NamedRange &named)
{
	const GuestRange &range = named.range;

	if (range.gpa % kPageSize || range.size % kPageSize || !range.size)
		throw Refused(named.name + " is not of whole pages");
	if (range.gpa > kFirmwareEnd || range.size > kFirmwareEnd - range.gpa)
		throw Refused(named.name + " ends past 4 GiB");
}

} /* namespace */

std::vector<Bytes> read_metadata(const Firmware &firmware, const MetadataFormat &format)
{
	const Bytes metadata = pointed_to(firmware, format);
	const std::uint32_t number = check_header(metadata, format);
	std::vector<Bytes> sections;

	/* All of them at once: a number that is too large allocates nothing. */
	metadata.at(kHeaderSize, format.section_size * number);
	for (std::uint32_t i = 0; i < number; i++)
		sections.push_back(metadata.part(kHeaderSize + format.section_size * i,
						 format.section_size, "a section"));
	return sections;
}

void check_ranges(const std::vector<NamedRange> &ranges)
{
	std::vector<const NamedRange *> order;

	for (const NamedRange &range : ranges) {
		check_range(range);
		order.push_back(&range);
	}
	std::sort(order.begin(), order.end(), [](const NamedRange *a, const NamedRange *b) {
		return a->range.gpa < b->range.gpa;
	});
	for (std::size_t i = 1; i < order.size(); i++) {
		if (order[i - 1]->range.end() > order[i]->range.gpa)
			throw Refused(order[i - 1]->name + " overlaps " + order[i]->name);
	}
}

} /* namespace measure */
