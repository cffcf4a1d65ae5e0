/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file of gmem.ko as it is seen from outside: what fdinfo and GMEM_GET_MAP say of it
 * (docs/architecture.md, "Statistics"). Reading them is in system.h.
 */
#ifndef GMEMCTL_FILE_H
#define GMEMCTL_FILE_H

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include <uapi/gmem.h>

namespace gmemctl
{

inline constexpr std::uint64_t kPage = 4096, kRunPages = 512;

/* The numbers are enum gmem_small's; @help: what would make such pages huge. */
struct Reason {
	const char *name, *counter, *because, *help;
};

inline constexpr unsigned kReasons = 8;
extern const std::array<Reason, kReasons> reasons;

/* The reason of @number; if it is unknown, one that says that this program is too old. */
const Reason &reason(unsigned number);

struct File {
	int pid = 0, fd = 0;
	std::string command;
	std::uint64_t ino = 0;
	/* Lines of fdinfo that begin with gmem_, without that. */
	std::map<std::string, std::string, std::less<>> lines;

	bool known() const { return lines.contains("version"); }
	std::uint64_t number(std::string_view name) const;
	std::string text(std::string_view name) const;

	std::uint64_t size() const { return number("size"); }
	std::uint64_t pages() const { return number("pages"); }
	std::uint64_t shared() const { return number("pages_shared") * kPage; }
	std::uint64_t present() const { return pages() * kPage; }
	std::uint64_t private_bytes() const { return present() - std::min(present(), shared()); }
	std::uint64_t holes() const { return size() - std::min(size(), present()); }
	/* Runs of 2 MiB, and of 1 GiB, in percent of the present pages. */
	unsigned share_2m() const;
	unsigned share_1g() const;
	const char *type() const;
};

/* What a text of fdinfo has; nothing if it is of no file of gmem.ko's. */
std::optional<File> parse(std::string_view fdinfo);

nlohmann::json to_json(const File &file, std::uint64_t now_ns);

using Map = std::vector<gmem_map_run>;

/* What most of a run is. */
enum class Kind {
	kAbsent,
	kPrivateHuge,
	kPrivateSmall,
	kSharedHuge,
	kSharedSmall,
	kMixed,
	kLost,
};

inline constexpr unsigned kKinds = 7;

Kind kind_of(const gmem_map_run &run);
/* Pages that are small now, by reason. */
std::array<std::uint64_t, kReasons> small_pages(const Map &map);

nlohmann::json to_json(const Map &map);

} /* namespace gmemctl */

#endif /* GMEMCTL_FILE_H */
