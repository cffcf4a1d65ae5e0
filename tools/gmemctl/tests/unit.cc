// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parsing and rendering, over canned texts.
 */
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "live.h"
#include "output.h"
#include "screen.h"
#include "top.h"

using namespace gmemctl;

namespace
{

constexpr const char *kFdinfo = "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t77\n"
				"gmem_version:\t1\ngmem_size:\t4194304\ngmem_vm:\t12\n"
				"gmem_vm_type:\t1\ngmem_platform:\tnone\ngmem_open:\t1\n"
				"gmem_bound:\t1\ngmem_created_ns:\t1000000000\n"
				"gmem_cgroup:\t/vm.slice\ngmem_nodes:\tN0=512 N1=8 \n"
				"gmem_pages:\t520\ngmem_pages_shared:\t20\ngmem_runs_2m:\t1\n"
				"gmem_fallback_memory:\t8\n";

File sample()
{
	File file = parse(kFdinfo).value();

	file.pid = 12;
	file.fd = 7;
	file.command = "qemu";
	return file;
}

gmem_map_run run_of(unsigned present, unsigned shared, unsigned order, unsigned small,
		    unsigned lost = 0)
{
	return { static_cast<__u16>(present),
		 static_cast<__u16>(shared),
		 static_cast<__u16>(lost),
		 0,
		 static_cast<__u8>(order),
		 static_cast<__u8>(small),
		 {} };
}

TEST(Events, Names)
{
	const std::string tail =
		"-229     [002] .....   103.077234: gmem_punch: ino=444 index=0 ret=0";
	EventLines text{ false, true }, json{ true, true };

	EXPECT_EQ(text.add("  qemu" + tail), "  qemu" + tail + '\n');
	EXPECT_EQ(json.add("  qemu" + tail),
		  "{\"event\":\"gmem_punch\",\"fields\":{\"index\":\"0\",\"ino\":\"444\",\"ret\":"
		  "\"0\"},\"time_s\":103.077234}\n");
	/* A name that has an event, the end of a line, and what a terminal would take for its own. */
	EXPECT_NE(json.add(": gmem_poison:" + tail).find("\"gmem_punch\""), std::string::npos);
	EXPECT_EQ(json.add(" x\x1b]0;P\a"), "");
	EXPECT_NE(json.add("y" + tail).find("\"time_s\":103.07"), std::string::npos);
	EXPECT_EQ(text.add(" x\x1b]0;P\a"), "");
	EXPECT_EQ(text.add("y" + tail), " x?]0;P??y" + tail + '\n');
	EXPECT_EQ(text.add("CPU:1 [LOST 12 EVENTS]"), "CPU:1 [LOST 12 EVENTS]\n");
}

TEST(Printable, WhatATerminalMoves)
{
	EXPECT_EQ(printable("gr\xc3\xbc\xc3\x9f"
			    "e",
			    true),
		  "gr\xc3\xbc\xc3\x9f"
		  "e");
	EXPECT_EQ(printable("x\xe2\x80\xaeumeq", true), "x???umeq");
	EXPECT_EQ(printable("z\xe0\x82\x9b"
			    "31mX",
			    true),
		  "z???31mX");
	EXPECT_EQ(printable("\xed\xa0\x80\xf4\x90\x80\x80", true), "???????");
	EXPECT_EQ(printable("\xc2\x9b"
			    "1",
			    true),
		  "??1");
}

TEST(Parse, Numbers)
{
	const File file = sample();

	EXPECT_EQ(file.ino, 77u);
	EXPECT_EQ(file.size(), 4u << 20);
	EXPECT_EQ(file.private_bytes(), 500 * kPage);
	EXPECT_EQ(file.shared(), 20 * kPage);
	EXPECT_EQ(file.holes(), 504 * kPage);
	EXPECT_EQ(file.share_2m(), 98u);
	EXPECT_EQ(file.text("nodes"), "N0=512 N1=8");
	EXPECT_STREQ(file.type(), "sw-protected");
	EXPECT_TRUE(file.known());
}

TEST(Parse, OthersAndOlder)
{
	EXPECT_FALSE(parse("pos:\t0\nino:\t3\n"));
	EXPECT_FALSE(parse(""));
	EXPECT_FALSE(parse("gmem_pages"));
	const std::optional<File> older = parse("gmem_pages:\t5\n");

	ASSERT_TRUE(older);
	EXPECT_FALSE(older->known());
	EXPECT_EQ(older->size(), 0u);
	EXPECT_EQ(older->private_bytes(), 5 * kPage);
	EXPECT_EQ(older->holes(), 0u);
}

TEST(Parse, Nonsense)
{
	const std::optional<File> file =
		parse("gmem_pages:\tmany\ngmem_size:\t-1\ngmem_vm_type:\t99\nino:\t\n:\t\n\t:\n");

	ASSERT_TRUE(file);
	EXPECT_EQ(file->pages(), 0u);
	EXPECT_EQ(file->size(), 0u);
	EXPECT_EQ(file->share_2m(), 0u);
	EXPECT_STREQ(file->type(), "unknown");
}

TEST(Json, HasEachField)
{
	const nlohmann::json json = to_json(sample(), 61000000000);

	EXPECT_EQ(json["age_s"], 60);
	EXPECT_EQ(json["nodes"]["1"], 8 * kPage);
	EXPECT_EQ(json["small_pages"]["memory"], 8);
	EXPECT_EQ(json["vm_type"], "sw-protected");
	EXPECT_EQ(json["bound"], true);
}

TEST(Json, WhatIsNoUtf8)
{
	File file = sample();

	file.command = "\xff\xfe";
	EXPECT_NE(text_of(to_json(file, 0)).find("\\ufffd"), std::string::npos);
}

TEST(Screen, Sizes)
{
	EXPECT_EQ(bytes(0), "0");
	EXPECT_EQ(bytes(4096), "4K");
	EXPECT_EQ(bytes(1536 * 1024), "1.5M");
	EXPECT_EQ(bytes(~0ull), "16E");
	EXPECT_EQ(bytes(1ull << 30), "1G");
	EXPECT_EQ(age(59), "59s");
	EXPECT_EQ(age(3600), "1h0m");
	EXPECT_EQ(age(90000), "1d1h");
}

TEST(Screen, NothingChangesTheTerminal)
{
	EXPECT_EQ(printable("a\033[31mb\n", true), "a?[31mb?");
	EXPECT_EQ(printable("gr\xc3\xbc\xc3\x9f", true), "gr\xc3\xbc\xc3\x9f");
	EXPECT_EQ(printable("gr\xc3\xbc", false), "gr?");
	EXPECT_EQ(printable("\xc2\x9b", true), "??");
	EXPECT_EQ(printable("\xc3", true), "?");
}

TEST(Screen, FitsEachWidth)
{
	for (unsigned width = 1; width < 140; width++) {
		const std::string text = list({ sample(), sample() }, 0, { .width = width });
		std::istringstream lines{ text };
		std::string line;

		while (std::getline(lines, line))
			EXPECT_LE(line.size(), width);
	}
	EXPECT_EQ(list({ sample() }, 0, { .width = 20 }), "PID:FD SIZE PRIVATE\n"
							  "  12:7   4M    2.0M\n");
}

TEST(Screen, EmptyList)
{
	EXPECT_NE(list({}, 0, {}).find("PID:FD"), std::string::npos);
}

TEST(Map, Kinds)
{
	EXPECT_EQ(kind_of(run_of(0, 0, 0, 0)), Kind::kAbsent);
	EXPECT_EQ(kind_of(run_of(512, 0, 9, 0)), Kind::kPrivateHuge);
	EXPECT_EQ(kind_of(run_of(3, 0, 0, 1)), Kind::kPrivateSmall);
	EXPECT_EQ(kind_of(run_of(512, 512, 9, 0)), Kind::kSharedHuge);
	EXPECT_EQ(kind_of(run_of(9, 9, 0, 4)), Kind::kSharedSmall);
	EXPECT_EQ(kind_of(run_of(9, 3, 0, 3)), Kind::kMixed);
	EXPECT_EQ(kind_of(run_of(9, 3, 0, 5, 1)), Kind::kLost);
}

TEST(Map, SmallPagesByReason)
{
	const auto pages = small_pages({ run_of(512, 0, 9, 0), run_of(3, 0, 0, 1),
					 run_of(4, 0, 0, 1), run_of(9, 0, 0, 200) });

	EXPECT_EQ(pages[GMEM_SMALL_MEMORY], 7u);
	EXPECT_EQ(pages[GMEM_SMALL_NOT], 512u);
	EXPECT_STREQ(reason(200).name, "unknown");
}

TEST(Map, Drawn)
{
	const Map map{ run_of(512, 0, 9, 0), run_of(0, 0, 0, 0), run_of(9, 3, 0, 3),
		       run_of(1, 0, 0, 5, 1) };

	EXPECT_EQ(draw(map, { .width = 80 }).substr(0, 5), "P.mX\n");
	EXPECT_EQ(draw(map, { .width = 80 }).find('\033'), std::string::npos);
	EXPECT_NE(draw(map, { .width = 80, .colours = true }).find("\033[31mX"), std::string::npos);
	EXPECT_NE(draw({}, {}).find("absent"), std::string::npos);
}

/* Of several runs the worst is shown; no more letters than fit. */
TEST(Map, DrawnLarge)
{
	Map map(100000, run_of(512, 0, 9, 0));

	map[77777] = run_of(1, 0, 0, 5, 1);
	const std::string text = draw(map, { .width = 80 });
	const std::string picture = text.substr(0, text.find("one letter"));

	EXPECT_LE(picture.size(), 81u * 32);
	EXPECT_EQ(std::count(picture.begin(), picture.end(), 'X'), 1);
}

TEST(Map, Svg)
{
	const std::string text = svg({ run_of(512, 0, 9, 0), run_of(0, 0, 0, 0) }, "a title");

	EXPECT_TRUE(text.starts_with("<svg"));
	EXPECT_TRUE(text.ends_with("</svg>\n"));
	EXPECT_NE(text.find("a title"), std::string::npos);
}

TEST(Top, Rates)
{
	const File before = sample();
	File now = sample();

	now.lines["pages"] = "720";
	now.lines["fallback_memory"] = "108";
	now.lines["fallback_policy"] = "10";
	now.lines["faults"] = "50";
	now.lines["conversions"] = "2";
	now.lines["punches"] = "4";
	now.lines["splits"] = "6";
	now.lines["promotions"] = "8";
	now.lines["refused_busy"] = "10";
	now.lines["refused_other"] = "2";
	now.lines["leaked"] = "12";

	const std::vector<Delta> changes = deltas({ before }, { now }, 2);

	ASSERT_EQ(changes.size(), 1u);
	EXPECT_EQ(changes[0]['p'], 100);
	EXPECT_EQ(changes[0]['s'], 55);
	EXPECT_EQ(changes[0].small[GMEM_SMALL_POLICY], 5);
	EXPECT_EQ(changes[0]['f'], 25);
	EXPECT_EQ(changes[0]['c'], 1);
	EXPECT_EQ(changes[0]['h'], 2);
	EXPECT_EQ(changes[0]['x'], 3);
	EXPECT_EQ(changes[0]['m'], 4);
	EXPECT_EQ(changes[0]['r'], 6);
	EXPECT_EQ(changes[0].refused[1], 5);
	EXPECT_EQ(changes[0]['l'], 6);
	/* Another file with the same descriptor has no past. */
	now.ino = 78;
	EXPECT_EQ(deltas({ before }, { now }, 2)[0]['p'], 0);
	EXPECT_EQ(deltas({ before }, {}, 2).size(), 0u);
}

/* A busy file and a shrinking one. */
std::vector<Delta> two_changes()
{
	File busy = sample(), shrinks = sample();

	busy.ino = 1;
	busy.fd = 1;
	shrinks.ino = 2;
	shrinks.fd = 2;

	const std::vector<File> before{ busy, shrinks };

	busy.lines["faults"] = "9";
	busy.lines["refused_busy"] = "7";
	shrinks.lines["pages"] = "20";
	return deltas(before, { busy, shrinks }, 1);
}

TEST(Top, EachKeySorts)
{
	std::vector<Delta> changes = two_changes();

	EXPECT_EQ(changes[0].file.fd, 1);
	sort_by(changes, { .key = 'p' });
	EXPECT_EQ(changes[0].file.fd, 2);
	sort_by(changes, { .key = 'p', .reverse = true });
	EXPECT_EQ(changes[0].file.fd, 1);
	sort_by(changes, { .key = 'r' });
	EXPECT_EQ(changes[0].file.fd, 1);
}

TEST(Top, FitsEachWidth)
{
	for (unsigned width = 1; width < 160; width++) {
		std::istringstream lines{ top_text(two_changes(), { .width = width }, {}) };
		std::string line;

		while (std::getline(lines, line))
			EXPECT_LE(line.size(), width);
	}
}

TEST(Top, ReasonsAndTheColumnThatSorts)
{
	const std::string text = top_text(two_changes(), { .width = 60 }, { .key = 'l' });

	EXPECT_NE(text.find("refused/s: state 0 busy 7 lost 0"), std::string::npos);
	EXPECT_NE(text.find("small/s: memory 0 place 0"), std::string::npos);
	EXPECT_NE(text.find("LEAK/s"), std::string::npos);
	EXPECT_EQ(text.find("PUNCH/s"), std::string::npos);
	EXPECT_TRUE(text.starts_with("2 files, by LEAK/s\n"));
}

/* What several descriptors show is counted once; no more lines than fit. */
TEST(Top, OneFileTwice)
{
	std::vector<Delta> changes = two_changes();

	changes.push_back(changes[0]);
	EXPECT_NE(top_text(changes, {}, {}).find("busy 7 "), std::string::npos);

	const std::string text = top_text(changes, {}, {}, 1);

	EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
}

} /* namespace */
