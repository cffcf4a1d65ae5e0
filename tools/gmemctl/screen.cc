// SPDX-License-Identifier: GPL-2.0-only
#include "screen.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace gmemctl
{

namespace
{

struct Drawn {
	char letter;
	const char *colour, *fill, *means;
};

constexpr std::array<Drawn, kKinds> drawn{ {
	{ '.', "2", "#e8e8e8", "absent" },
	{ 'P', "32", "#2a7", "private, huge" },
	{ 'p', "33", "#9c6", "private, small pages" },
	{ 'S', "34", "#37c", "shared, huge" },
	{ 's', "36", "#8bd", "shared, small pages" },
	{ 'm', "35", "#a6c", "private and shared" },
	{ 'X', "31", "#c33", "lost" },
} };

const Drawn &drawn_of(Kind kind)
{
	return drawn[static_cast<unsigned>(kind)];
}

/* The kind that is shown for several runs: the worst of them. */
Kind worst(const gmem_map_run *first, const gmem_map_run *last)
{
	Kind kind = Kind::kAbsent;

	for (; first < last; first++)
		kind = std::max(kind, kind_of(*first));
	return kind;
}

std::string coloured(const std::string &text, const char *colour, const Screen &screen)
{
	return screen.colours ? fmt::format("\033[{}m{}\033[0m", colour, text) : text;
}

/* Bytes that continue a character take no column. */
unsigned columns_of(std::string_view text)
{
	return static_cast<unsigned>(
		std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string cut(std::string text, unsigned width)
{
	while (columns_of(text) > width)
		text.pop_back();
	return text;
}

std::string padded(const std::string &text, unsigned width, bool left)
{
	const std::string space(width - std::min(width, columns_of(text)), ' ');

	return left ? text + space : space + text;
}

/* Of a character of 2 bytes and more. */
char32_t code_point(std::string_view character)
{
	char32_t point = static_cast<unsigned char>(character[0]) &
			 (0xff >> (character.size() + 1));

	for (const char c : character.substr(1))
		point = point << 6 | (c & 0x3f);
	return point;
}

/* A terminal shows it where it stands. */
bool is_drawn(char32_t point, std::size_t length)
{
	struct Range {
		char32_t first, last;
	};
	/* Controls of the second kind, joiners and marks of direction, surrogates, the BOM. */
	static constexpr Range kNot[] = { { 0x80, 0x9f },     { 0x200b, 0x200f },
					  { 0x2028, 0x202e }, { 0x2060, 0x206f },
					  { 0xd800, 0xdfff }, { 0xfeff, 0xfeff } };
	/* Less has a shorter encoding, and this one is none. */
	static constexpr char32_t kLeast[] = { 0, 0, 0x80, 0x800, 0x10000 };

	return point >= kLeast[length] && point <= 0x10ffff &&
	       std::none_of(std::begin(kNot), std::end(kNot), [&](const Range &range) {
		       return point >= range.first && point <= range.last;
	       });
}

/* Length of the character at the front of @text that can be shown; 0: there is none. */
std::size_t character(std::string_view text)
{
	const auto lead = static_cast<unsigned char>(text[0]);
	const std::size_t length = lead < 0x80	 ? 1
				   : lead < 0xc2 ? 0
				   : lead < 0xe0 ? 2
				   : lead < 0xf0 ? 3
				   : lead < 0xf5 ? 4
						 : 0;

	if (length > text.size())
		return 0;
	for (std::size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	return length < 2 || is_drawn(code_point(text.substr(0, length)), length) ? length : 0;
}

} /* namespace */

Screen screen_of_output()
{
	Screen screen;
	winsize size{};
	const char *const columns = std::getenv("COLUMNS");

	if (isatty(STDOUT_FILENO)) {
		screen.colours = !std::getenv("NO_COLOR");
		if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
			screen.width = size.ws_col;
	}
	if (columns && std::atoi(columns) > 0)
		screen.width = static_cast<unsigned>(std::atoi(columns));
	screen.utf8 = std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	return screen;
}

std::string bytes(std::uint64_t bytes)
{
	static constexpr std::string_view kUnits = "KMGTPE";
	double value = static_cast<double>(bytes) / 1024;
	std::size_t unit = 0;

	if (!bytes)
		return "0";
	while (value >= 1023.95 && unit + 1 < kUnits.size()) {
		value /= 1024;
		unit++;
	}
	return value < 10 && value != static_cast<unsigned>(value)
		       ? fmt::format("{:.1f}{}", value, kUnits[unit])
		       : fmt::format("{:.0f}{}", value, kUnits[unit]);
}

std::string age(std::uint64_t seconds)
{
	if (seconds < 60)
		return fmt::format("{}s", seconds);
	if (seconds < 3600)
		return fmt::format("{}m{}s", seconds / 60, seconds % 60);
	if (seconds < 86400)
		return fmt::format("{}h{}m", seconds / 3600, seconds / 60 % 60);
	return fmt::format("{}d{}h", seconds / 86400, seconds / 3600 % 24);
}

std::string printable(std::string_view text, bool utf8)
{
	std::string shown;

	while (!text.empty()) {
		const std::size_t length = character(text);
		const auto lead = static_cast<unsigned char>(text[0]);
		const bool good = length == 1 ? lead >= ' ' && lead != 0x7f : length && utf8;

		if (good)
			shown += text.substr(0, length);
		else
			shown += '?';
		text.remove_prefix(std::max<std::size_t>(1, length));
	}
	return shown;
}

std::string table(const std::vector<Column> &columns, const std::vector<Row> &rows,
		  const Screen &screen)
{
	std::vector<unsigned> widths;
	std::vector<bool> shown(columns.size(), true);
	unsigned total = 0;

	for (std::size_t i = 0; i < columns.size(); i++) {
		widths.push_back(columns_of(columns[i].head));
		for (const Row &row : rows)
			widths[i] = std::max(widths[i], columns_of(row[i]));
		total += widths[i] + 1;
	}
	while (screen.width && total > screen.width + 1) {
		std::size_t least = columns.size();

		for (std::size_t i = 0; i < columns.size(); i++) {
			if (shown[i] &&
			    (least == columns.size() || columns[i].keep < columns[least].keep))
				least = i;
		}
		if (std::count(shown.begin(), shown.end(), true) <= 1)
			break;
		shown[least] = false;
		total -= widths[least] + 1;
	}

	std::string text;
	const auto line = [&](const auto &cell) {
		std::string words;

		for (std::size_t i = 0; i < columns.size(); i++) {
			if (shown[i])
				words += padded(cell(i), widths[i], columns[i].left) + ' ';
		}
		while (!words.empty() && words.back() == ' ')
			words.pop_back();
		text += (screen.width ? cut(words, screen.width) : words) + '\n';
	};

	line([&](std::size_t i) { return columns[i].head; });
	for (const Row &row : rows)
		line([&](std::size_t i) { return row[i]; });
	return text;
}

std::string list(const std::vector<File> &files, std::uint64_t now_ns, const Screen &screen)
{
	static const std::vector<Column> columns{
		{ "PID:FD", false, 14 }, { "COMMAND", true, 11 }, { "TYPE", true, 6 },
		{ "PLATFORM", true, 4 }, { "SIZE", false, 13 },	  { "PRIVATE", false, 12 },
		{ "SHARED", false, 10 }, { "HOLES", false, 8 },	  { "2M%", false, 9 },
		{ "1G%", false, 5 },	 { "NODES", true, 3 },	  { "AGE", false, 7 },
		{ "CGROUP", true, 2 },
	};
	std::vector<Row> rows;

	for (const File &file : files) {
		const std::uint64_t created = file.number("created_ns");

		rows.push_back({ fmt::format("{}:{}", file.pid, file.fd),
				 printable(file.command, screen.utf8), file.type(),
				 file.text("platform"), bytes(file.size()),
				 bytes(file.private_bytes()), bytes(file.shared()),
				 bytes(file.holes()), fmt::format("{}", file.share_2m()),
				 fmt::format("{}", file.share_1g()), file.text("nodes"),
				 age(now_ns > created ? (now_ns - created) / 1000000000 : 0),
				 printable(file.text("cgroup"), screen.utf8) });
	}
	return table(columns, rows, screen);
}

std::string draw(const Map &map, const Screen &screen)
{
	constexpr std::size_t kRows = 32;
	const std::size_t width = std::clamp(screen.width ? screen.width : 80u, 8u, 128u);
	const std::size_t each = (map.size() + width * kRows - 1) / (width * kRows);
	std::string text, line;
	std::size_t column = 0;

	for (std::size_t i = 0; i < map.size(); i += each) {
		const Kind kind = worst(&map[i], &map[0] + std::min(i + each, map.size()));
		const Drawn &as = drawn_of(kind);

		text += coloured(std::string(1, as.letter), as.colour, screen);
		if (++column % width == 0 || i + each >= map.size())
			text += '\n';
	}
	text += fmt::format("one letter: {}\n", bytes(each * kRunPages * kPage));
	for (const Drawn &as : drawn) {
		std::string means = fmt::format(" {}", as.means);

		text += coloured(std::string(1, as.letter), as.colour, screen) +
			(screen.width ? cut(means, screen.width - 1) : means) + '\n';
	}
	return text;
}

std::string svg(const Map &map, const std::string &title)
{
	constexpr std::size_t kWide = 64;
	constexpr unsigned kSide = 10, kTop = 30, kKey = 20;
	const std::size_t rows = (map.size() + kWide - 1) / kWide;
	std::string text =
		fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" "
			    "font-family=\"sans-serif\" font-size=\"12\">\n"
			    "<text x=\"2\" y=\"18\">{}, 2 MiB each</text>\n",
			    kWide * kSide, kTop + rows * kSide + kKey * (kKinds + 1), title);

	for (std::size_t i = 0; i < map.size(); i++) {
		text += fmt::format(
			"<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>\n",
			i % kWide * kSide, kTop + i / kWide * kSide, kSide - 1, kSide - 1,
			drawn_of(kind_of(map[i])).fill);
	}
	for (unsigned i = 0; i < kKinds; i++) {
		const std::size_t y = kTop + rows * kSide + kKey * (i + 1);

		text += fmt::format("<rect x=\"2\" y=\"{}\" width=\"9\" height=\"9\" fill=\"{}\"/>"
				    "<text x=\"18\" y=\"{}\">{}</text>\n",
				    y - 9, drawn[i].fill, y, drawn[i].means);
	}
	return text + "</svg>\n";
}

} /* namespace gmemctl */
