// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem-measure FILE.json: what a launch will measure, before it is launched.
 * Exit status 0 and the digest in hex; 2 and a message with line and field when
 * the file is bad; 1 when the host fails.
 */
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include <CLI/CLI.hpp>

#include "tools/gmem-measure/launch.h"

namespace
{

constexpr int kHostFails = 1, kBadInput = 2;

int run(const std::string &name)
{
	std::ifstream file;
	std::stringstream text;

	if (name != "-") {
		file.open(name);
		if (!file) {
			std::fprintf(stderr, "%s: cannot be opened\n", name.c_str());
			return kBadInput;
		}
	}
	text << (name == "-" ? std::cin : file).rdbuf();

	const auto folder = std::filesystem::path(name == "-" ? "" : name).parent_path();

	try {
		const auto digest = measure::measure_launch(measure::parse_document(text.str()),
							    folder.string());

		for (const std::uint8_t byte : digest)
			std::printf("%02x", byte);
		std::puts("");
	} catch (const measure::BadInput &e) {
		std::fprintf(stderr, "%s: %s\n", name.c_str(), e.what());
		return kBadInput;
	}
	return 0;
}

} /* namespace */

int main(int argc, char **argv)
{
	CLI::App app{ "Tells the launch digest (SNP) or MRTD (TDX) of the steps in a JSON file" };
	std::string file;

	app.add_option("file", file, "the steps, or - for standard input")->required();
	try {
		app.parse(argc, argv);
		return run(file);
	} catch (const CLI::ParseError &e) {
		return app.exit(e) == 0 ? 0 : kBadInput;
	} catch (const std::exception &e) {
		std::fprintf(stderr, "%s\n", e.what());
		return kHostFails;
	}
}
