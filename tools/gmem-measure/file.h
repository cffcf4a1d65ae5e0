/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that are given by name. But for read_text(), only plain files are read, so no
 * read waits. /dev/null counts as an empty one; all others are refused. Errors are
 * Refused and name the file.
 */
#ifndef GMEM_MEASURE_FILE_H
#define GMEM_MEASURE_FILE_H

#include <cstdint>
#include <string>
#include <vector>

namespace measure
{

using Contents = std::vector<std::uint8_t>;

inline constexpr std::size_t kPageSize = 4096;

/* All of it; more than @most bytes are refused. */
Contents read_file(const std::string &name, std::uint64_t most);
/* A page of it at byte @offset; refused where it has no whole page there. */
Contents read_page(const std::string &name, std::uint64_t offset);
/* Of any kind of file, or "-" for standard input: this one may wait. */
std::string read_text(const std::string &name, std::uint64_t most);

/* Made anew, or overwritten. */
void write_file(const std::string &name, const Contents &contents);

} /* namespace measure */

#endif /* GMEM_MEASURE_FILE_H */
