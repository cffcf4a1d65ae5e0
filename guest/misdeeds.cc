// SPDX-License-Identifier: GPL-2.0-only
/*
 * Misdeeds (misdeeds.h), and what debugfs asks of them.
 */
#include "guest/misdeeds.h"

#include <algorithm>

#include "kapi/kapi.h"
#include "kapi/misdeeds.h"

namespace gmem
{

namespace
{

constexpr std::array<const char *, kMisdeeds> kNames{
	"pvalidate-size",  "pvalidate-same",  "psc-refused",	 "psc-lies",
	"psc-stuck",	   "no-features",     "event-refused",	 "request-busy",
	"request-refused", "answer-replayed", "answer-tampered",
};

constexpr unsigned kTimesShift = 32;

constinit Misdeeds all_misdeeds;

} /* namespace */

bool Misdeeds::due(Misdeed what)
{
	One &one = all_[static_cast<std::size_t>(what)];
	std::uint64_t left = one.left.load(std::memory_order_relaxed);
	bool waits;

	do {
		if (!left)
			return false;
		waits = static_cast<std::uint32_t>(left) != 0;
	} while (!one.left.compare_exchange_weak(
		left, left - (waits ? 1 : std::uint64_t{ 1 } << kTimesShift)));
	if (!waits)
		one.done.fetch_add(1);
	return !waits;
}

Status Misdeeds::order(std::string_view name, std::uint32_t times, std::uint32_t after)
{
	const auto at = std::find(kNames.begin(), kNames.end(), name);

	if (at == kNames.end())
		return error(EINVAL);
	all_[static_cast<std::size_t>(at - kNames.begin())].left.store(
		std::uint64_t{ times } << kTimesShift | (times ? after : 0));
	return Status{};
}

Misdeeds::Order Misdeeds::ordered(Misdeed what) const
{
	const One &one = all_[static_cast<std::size_t>(what)];
	const std::uint64_t left = one.left.load();

	return { static_cast<std::uint32_t>(left >> kTimesShift), static_cast<std::uint32_t>(left),
		 one.done.load() };
}

const char *Misdeeds::name(Misdeed what)
{
	return kNames[static_cast<std::size_t>(what)];
}

Misdeeds &misdeeds()
{
	return all_misdeeds;
}

} /* namespace gmem */

int gmem_misdeed_order(const char *name, unsigned int times, unsigned int after)
{
	return gmem::misdeeds().order(name, times, after).code();
}

void gmem_misdeeds_show(void *seq)
{
	using namespace gmem;

	for (std::size_t nr = 0; nr < kMisdeeds; nr++) {
		const Misdeed what = static_cast<Misdeed>(nr);
		const Misdeeds::Order order = misdeeds().ordered(what);
		const unsigned long long done = order.done;

		kapi_seq_print(seq, "%s %u %u %llu\n", Misdeeds::name(what), order.times,
			       order.after, done);
	}
}
