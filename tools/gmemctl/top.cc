// SPDX-License-Identifier: GPL-2.0-only
#include "top.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <set>
#include <thread>

/* Functions, not macros: they have the names of strings'. */
#define NCURSES_NOMACROS
#include <curses.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "live.h"
#include "output.h"

namespace gmemctl
{

namespace
{

using Clock = std::chrono::steady_clock;

/* Lines of the screen that are not files. */
constexpr std::size_t kOtherLines = 6;
/* fdinfo that has all of the counters. */
constexpr std::uint64_t kVersion = 2;

double seconds_since(Clock::time_point then)
{
	return std::chrono::duration<double>(Clock::now() - then).count();
}

/* Of a file that was there before. */
Delta change_of(const File &before, const File &now, double seconds)
{
	const auto rate = [&](std::string_view counter) {
		return (static_cast<double>(now.number(counter)) -
			static_cast<double>(before.number(counter))) /
		       seconds;
	};
	Delta delta{ .file = now };
	double small = 0, refused = 0;

	for (unsigned i = 1; i < kReasons; i++)
		small += delta.small[i] = rate(reasons[i].counter);
	for (std::size_t i = 0; i < kRefusals.size(); i++)
		refused += delta.refused[i] = rate(fmt::format("refused_{}", kRefusals[i]));
	delta.rates = { rate("faults"), rate("pages"),	 small,		 rate("conversions"),
			refused,	rate("punches"), rate("splits"), rate("promotions"),
			rate("leaked") };
	return delta;
}

nlohmann::json to_json(const std::vector<Delta> &deltas)
{
	nlohmann::json all = nlohmann::json::array();

	for (const Delta &delta : deltas) {
		nlohmann::json one = { { "pid", delta.file.pid },
				       { "fd", delta.file.fd },
				       { "ino", delta.file.ino } };

		for (std::size_t i = 0; i < kRates.size(); i++)
			one[kRates[i].json] = delta.rates[i];
		for (unsigned i = 1; i < kReasons; i++)
			one["small_by_reason_s"][reasons[i].name] = delta.small[i];
		for (std::size_t i = 0; i < kRefusals.size(); i++)
			one["refused_by_reason_s"][kRefusals[i]] = delta.refused[i];
		all.push_back(std::move(one));
	}
	return all;
}

/* "title: name N, name N", of files that several descriptors may show. */
template <class Names, class Values>
std::string sums(const char *title, const std::vector<Delta> &deltas, unsigned first,
		 const Names &name, Values values)
{
	std::string text = title;
	std::set<std::uint64_t> seen;
	std::vector<double> sum;

	for (const Delta &delta : deltas) {
		sum.resize((delta.*values).size());
		if (!seen.insert(delta.file.ino).second)
			continue;
		for (std::size_t i = 0; i < sum.size(); i++)
			sum[i] += (delta.*values)[i];
	}
	for (std::size_t i = first; i < sum.size(); i++)
		text += fmt::format(" {} {:.0f}", name(i), sum[i]);
	return text;
}

std::string line(std::string text, const Screen &screen)
{
	if (screen.width && text.size() > screen.width)
		text.resize(screen.width);
	return text + '\n';
}

/* The terminal as a screen, for as long as this is there. */
class Curses {
    public:
	Curses()
	{
		initscr();
		cbreak();
		noecho();
		curs_set(0);
	}
	~Curses() { endwin(); }
	Curses(const Curses &) = delete;
	Curses &operator=(const Curses &) = delete;

	std::size_t rows() const { return static_cast<std::size_t>(std::max(1, getmaxy(stdscr))); }
	void show(const std::string &text) const
	{
		erase();
		mvaddnstr(0, 0, text.c_str(), -1);
		refresh();
	}
	/* A key, or ERR after @seconds. */
	int key(double seconds) const
	{
		timeout(static_cast<int>(std::max(0.0, seconds) * 1000));
		return getch();
	}
};

/* What a terminal shows until it is time to look again, or @order is asked for in vain. */
class Watch {
    public:
	explicit Watch(double interval) : interval_(interval) {}

	/* Whether to go on. */
	bool wait(std::vector<Delta> &shown)
	{
		const Clock::time_point began = Clock::now();

		for (;;) {
			draw(shown);

			const double left = interval_ - seconds_since(began);
			const int key = left > 0 ? curses_.key(left) : ERR;

			if (key == 'q' || interrupted())
				return false;
			if (left <= 0 || key == ' ')
				return true;
			obey(key);
		}
	}

    private:
	void obey(int key)
	{
		const auto rate = std::find_if(kRates.begin(), kRates.end(),
					       [&](const Rate &one) { return one.key == key; });

		if (rate != kRates.end())
			order_ = { .key = rate->key, .reverse = false };
		else if (key == 'R')
			order_.reverse = !order_.reverse;
	}
	void draw(std::vector<Delta> &shown) const
	{
		const Screen screen = screen_of_output();
		const std::size_t rows = curses_.rows();

		sort_by(shown, order_);
		curses_.show(top_text(shown, screen, order_,
				      rows > kOtherLines ? rows - kOtherLines : 1) +
			     line("q quit, space now, R reverse; f fault p pages s small c conv r "
				  "refus h punch x split "
				  "m promo l leak",
				  screen));
	}

	const double interval_;
	const Curses curses_;
	Order order_;
};

std::vector<File> look(const System &system)
{
	std::vector<File> files = system.scan().files;

	if (std::any_of(files.begin(), files.end(),
			[](const File &file) { return file.number("version") < kVersion; }))
		throw Failure(Exit::kVersion, "this gmem.ko is older than gmemctl");
	return files;
}

} /* namespace */

double Delta::operator[](char key) const
{
	for (std::size_t i = 0; i < kRates.size(); i++) {
		if (kRates[i].key == key)
			return rates[i];
	}
	return 0;
}

std::vector<Delta> deltas(const std::vector<File> &before, const std::vector<File> &now,
			  double seconds)
{
	std::vector<Delta> deltas;

	for (const File &file : now) {
		const auto old = std::find_if(before.begin(), before.end(), [&](const File &other) {
			return other.pid == file.pid && other.fd == file.fd &&
			       other.ino == file.ino;
		});

		/* One that was not there before has no past. */
		deltas.push_back(change_of(old == before.end() ? file : *old, file, seconds));
	}
	sort_by(deltas, {});
	return deltas;
}

void sort_by(std::vector<Delta> &deltas, const Order &order)
{
	std::stable_sort(deltas.begin(), deltas.end(), [&](const Delta &a, const Delta &b) {
		const double first = std::abs(a[order.key]), second = std::abs(b[order.key]);

		return order.reverse ? first < second : first > second;
	});
}

std::string top_text(const std::vector<Delta> &deltas, const Screen &screen, const Order &order,
		     std::size_t rows)
{
	std::vector<Column> columns{ { "PID:FD", false, 14 },
				     { "COMMAND", true, 13 },
				     { "SIZE", false, 11 },
				     { "PRESENT", false, 12 },
				     { "2M%", false, 11 } };
	std::vector<Row> lines;
	const auto by = std::find_if(kRates.begin(), kRates.end(),
				     [&](const Rate &rate) { return rate.key == order.key; });

	for (const Rate &rate : kRates)
		columns.push_back({ rate.head, false, rate.key == order.key ? 13 : rate.keep });
	for (const Delta &delta : deltas) {
		Row row{ fmt::format("{}:{}", delta.file.pid, delta.file.fd),
			 printable(delta.file.command, screen.utf8), bytes(delta.file.size()),
			 bytes(delta.file.present()), fmt::format("{}", delta.file.share_2m()) };

		if (rows && lines.size() == rows)
			break;
		for (std::size_t i = 0; i < kRates.size(); i++)
			row.push_back(kRates[i].key == 'p' ? fmt::format("{:+.0f}", delta.rates[i])
							   : fmt::format("{:.0f}", delta.rates[i]));
		lines.push_back(std::move(row));
	}
	return line(fmt::format("{} files, by {}{}", deltas.size(),
				by == kRates.end() ? "" : by->head,
				order.reverse ? ", least first" : ""),
		    screen) +
	       line(sums(
			    "small/s:", deltas, 1, [](auto i) { return reasons[i].name; },
			    &Delta::small),
		    screen) +
	       line(sums(
			    "refused/s:", deltas, 0, [](auto i) { return kRefusals[i]; },
			    &Delta::refused),
		    screen) +
	       table(columns, lines, screen);
}

void top(const System &system, double interval, unsigned count, bool json)
{
	const bool terminal = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) && !json && !count;
	std::vector<File> before = look(system);
	Clock::time_point then = Clock::now();
	std::vector<Delta> changes = deltas(before, before, interval);
	std::unique_ptr<Watch> watch;

	end_by_signals();
	if (terminal)
		watch = std::make_unique<Watch>(interval);
	for (unsigned n = 0; !count || n < count; n++) {
		if (watch && !watch->wait(changes))
			break;
		if (!watch)
			std::this_thread::sleep_for(std::chrono::duration<double>(interval));
		if (interrupted())
			break;

		std::vector<File> now = look(system);

		changes = deltas(before, now, seconds_since(then));
		then = Clock::now();
		before = std::move(now);
		if (json)
			put(text_of(to_json(changes)));
		else if (!watch)
			put(top_text(changes, screen_of_output(), {}));
	}
}

} /* namespace gmemctl */
