/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A firmware image that ends at 4 GiB, and the table of GUIDed entries near its end
 * by which OVMF tells a VMM where things are. What the entries say is the business
 * of sev_metadata.h and tdvf.h.
 */
#ifndef GMEM_MEASURE_FIRMWARE_H
#define GMEM_MEASURE_FIRMWARE_H

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "tools/gmem-measure/bytes.h"
#include "tools/gmem-measure/file.h"

namespace measure
{

/* The file that a VMM maps below 4 GiB: more than this no machine has room for. */
inline constexpr std::uint64_t kFirmwareMost = 64 << 20;
inline constexpr std::uint64_t kFirmwareEnd = 1ull << 32;

/* A stretch of guest-physical memory that firmware speaks of. */
struct GuestRange {
	std::uint64_t gpa = 0;
	std::uint64_t size = 0;

	std::uint64_t end() const { return gpa + size; }
};

/* Firmware has no bytes of its own: the contents that it is made of must outlive it. */
class Firmware {
    public:
	/* Refused where the size is none that can be mapped, or the table is broken. */
	explicit Firmware(gmem::ConstBytes contents);

	Bytes bytes() const { return { contents_, "the firmware" }; }
	std::uint64_t size() const { return contents_.size(); }
	std::uint64_t gpa() const { return kFirmwareEnd - size(); }

	/* Data of an entry; nothing where there is none of that GUID. */
	std::optional<Bytes> entry(const Guid &guid, const char *what) const;

    private:
	void read_table();

	gmem::ConstBytes contents_;
	std::map<Guid, gmem::ConstBytes> table_;
};

/*
 * A list of sections that the table points to, by the distance from the file's end:
 * signature, size of all, version, number of sections (32 bits each), the sections.
 */
struct MetadataFormat {
	Guid pointer;
	const char *what; /* in messages */
	std::string_view signature;
	std::uint64_t section_size;
};

/* Each section's bytes. Refused where the firmware has no such list, or a broken one. */
std::vector<Bytes> read_metadata(const Firmware &firmware, const MetadataFormat &format);

struct NamedRange {
	std::string name;
	GuestRange range;
};

/*
 * Refused unless each is of whole pages and ends at 4 GiB at the latest, and no two
 * overlap.
 */
void check_ranges(const std::vector<NamedRange> &ranges);

} /* namespace measure */

#endif /* GMEM_MEASURE_FIRMWARE_H */
