/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What changes, a second: rates of counters, which column they are sorted by, the screen.
 */
#ifndef GMEMCTL_TOP_H
#define GMEMCTL_TOP_H

#include "screen.h"
#include "system.h"

namespace gmemctl
{

/* Why something was refused: the counters refused_NAME. */
inline constexpr std::array kRefusals{ "state", "busy", "lost", "memory", "other" };

/* What a column counts, and the key that sorts by it. */
struct Rate {
	char key;
	const char *head, *json;
	unsigned keep; /* as Column's */
};

inline constexpr std::array<Rate, 9> kRates{ {
	{ 'f', "FAULT/s", "faults_s", 10 },
	{ 'p', "PAGES/s", "pages_s", 9 },
	{ 's', "SMALL/s", "small_s", 8 },
	{ 'c', "CONV/s", "conversions_s", 7 },
	{ 'r', "REFUS/s", "refused_s", 6 },
	{ 'h', "PUNCH/s", "punches_s", 5 },
	{ 'x', "SPLIT/s", "splits_s", 4 },
	{ 'm', "PROMO/s", "promotions_s", 3 },
	{ 'l', "LEAK/s", "leaked_s", 2 },
} };

/* What has changed between two looks at the same file, a second. */
struct Delta {
	File file;
	std::array<double, kRates.size()> rates{};
	std::array<double, kReasons> small{}; /* by reason */
	std::array<double, kRefusals.size()> refused{};

	double operator[](char key) const;
};

/* Which comes first. */
struct Order {
	char key = 'f';
	bool reverse = false;
};

std::vector<Delta> deltas(const std::vector<File> &before, const std::vector<File> &now,
			  double seconds);
/* Busiest first by @order. */
void sort_by(std::vector<Delta> &deltas, const Order &order);
/* At most @rows files; 0: all. */
std::string top_text(const std::vector<Delta> &deltas, const Screen &screen, const Order &order,
		     std::size_t rows = 0);

/*
 * Shows them each @interval seconds, @count times (0: for ever). On a terminal it is a
 * screen with keys (gmemctl(1)); else, or with @json, text.
 */
void top(const System &system, double interval, unsigned count, bool json);

} /* namespace gmemctl */

#endif /* GMEMCTL_TOP_H */
