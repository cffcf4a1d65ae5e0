// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two tables of docs/pages.md (page_states.h).
 */
#include "kunit/model/page_states.h"

#include <iterator>

namespace model
{

/* Events: what each requires, and what it does. */
const PageState::Rule &PageState::rule(Event event)
{
	constexpr unsigned kContent = kPrepared | kHasContent;
	constexpr unsigned kNew = kPrepared | kUnsafe | kShared; /* has not, to be populated */
	static constexpr Rule kRules[] = {
		{ "filled", 0, kPresent, kPresent, 0 },
		{ "ready", kPresent, kPrepared | kUnsafe, kPrepared, kStaged },
		{ "fault", kPrepared, kUnsafe, kFaulted, 0 },
		{ "given", kPrepared, kUnsafe, kHasContent, 0 },
		{ "populated", kPresent, kNew, kContent, kStaged },
		{ "stranded", kPresent, kNew, kContent, kStaged },
		{ "reclaimed", kPrepared, kHasContent | kUnsafe | kShared, 0,
		  kPrepared | kFaulted },
		{ "left", kPrepared | kShared, kUnsafe, kStaged, kContent | kFaulted },
		{ "wiped", kPrepared, kUnsafe, 0, kContent | kFaulted },
		{ "struck", kPresent, 0, kLost, 0 },
		{ "out of hand", kPresent, 0, kLost | kUnsafe, 0 },
		{ "made shared", 0, kShared, kShared, 0 },
		{ "made private", kShared, 0, 0, kShared },
		{ "removed", kPresent, 0, 0, kAll & ~kShared },
	};
	static_assert(std::size(kRules) == static_cast<unsigned>(Event::Events));

	return kRules[static_cast<unsigned>(event)];
}

/* Facts: the column "only if". */
bool PageState::consistent(unsigned facts)
{
	static constexpr unsigned kOnlyIf[][2] = {
		{ kPrepared, kPresent }, { kFaulted, kPrepared }, { kHasContent, kPrepared },
		{ kLost, kPresent },	 { kUnsafe, kLost },	  { kStaged, kPresent },
	};

	if (facts & kStaged && facts & kPrepared)
		return false;
	for (const auto &[fact, needs] : kOnlyIf) {
		if (facts & fact && !(facts & needs))
			return false;
	}
	return true;
}

bool PageState::happens(Event event)
{
	const Rule &r = rule(event);
	const unsigned after = (facts_ & ~r.clears) | r.sets;

	if ((facts_ & r.has) != r.has || facts_ & r.has_not || !consistent(after))
		return false;
	facts_ = after;
	return true;
}

const char *PageState::name(Event event)
{
	return rule(event).name;
}

} /* namespace model */
