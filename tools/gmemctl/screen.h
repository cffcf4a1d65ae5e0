/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text for people: sizes, ages, tables that fit the terminal, maps drawn in letters or as
 * SVG. Nothing here reads the machine.
 */
#ifndef GMEMCTL_SCREEN_H
#define GMEMCTL_SCREEN_H

#include "file.h"

namespace gmemctl
{

/* Where the text goes to. */
struct Screen {
	unsigned width = 0; /* columns; 0: as many as it takes */
	bool colours = false;
	bool utf8 = false;
};

/* Of standard output, its locale and COLUMNS. */
Screen screen_of_output();

std::string bytes(std::uint64_t bytes); /* "1.5G", at most 6 columns */
std::string age(std::uint64_t seconds); /* "3d4h", likewise */
/* @text without what would change the terminal or what it cannot show. */
std::string printable(std::string_view text, bool utf8);

struct Column {
	std::string head;
	bool left; /* how it is aligned */
	unsigned keep; /* those with the lowest go first where the terminal is narrow */
};

using Row = std::vector<std::string>;

std::string table(const std::vector<Column> &columns, const std::vector<Row> &rows,
		  const Screen &screen);

std::string list(const std::vector<File> &files, std::uint64_t now_ns, const Screen &screen);
/* A letter for each run, or so many runs as fit; with what the letters mean. */
std::string draw(const Map &map, const Screen &screen);
std::string svg(const Map &map, const std::string &title);

} /* namespace gmemctl */

#endif /* GMEMCTL_SCREEN_H */
