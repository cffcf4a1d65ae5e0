/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What may be known of a page, and what may happen to one: the tables of
 * docs/pages.md as values. Run (gmem/run.h) keeps the facts and carries out the events.
 */
#ifndef GMEM_FACTS_H
#define GMEM_FACTS_H

#include <initializer_list>

namespace gmem
{

enum class Fact : unsigned {
	kPresent, /* the page cache has a page here */
	kPrepared, /* ... that is zeroed or populated, and the platform's if it is private */
	kFaulted, /* ... that guests asked for by itself, as private: has content if one has run */
	kHasContent, /* ... that was populated, or given to a holder that may have written */
	kLost, /* no mapping of its whole run takes it in */
	kUnsafe, /* ... and a holder may still use it: never given out, never freed */
	kShared, /* user space may see it; pages that are absent have a state, too */
	kStaged, /* not prepared, and has what user space left in it: to be populated in place */
};

inline constexpr unsigned kFacts = 8;

/* A set of them. */
class Facts {
    public:
	constexpr Facts(std::initializer_list<Fact> facts)
	{
		for (const Fact fact : facts)
			mask |= 1u << static_cast<unsigned>(fact);
	}
	constexpr bool has(Fact fact) const { return mask >> static_cast<unsigned>(fact) & 1; }
	constexpr bool empty() const { return mask == 0; }

	unsigned mask = 0; /* public: an Event is a template's argument */
};

/* Happens to pages that have and lack certain facts, and changes some. */
struct Event {
	Facts has, lacks, sets, clears;

	/* The page is mapped nowhere when this happens. */
	constexpr bool of_unmapped() const { return !clears.empty() || sets.has(Fact::kShared); }
	/* A mapping of the whole run is out of the question then. */
	constexpr bool ends_huge() const { return of_unmapped() || sets.has(Fact::kLost); }
};

namespace event
{

using enum Fact;

inline constexpr Event kFilled{ {}, { kPresent }, { kPresent }, {} };
/* Zeroed, and made the platform's if it is private. */
inline constexpr Event kReady{ { kPresent }, { kPrepared, kUnsafe }, { kPrepared }, { kStaged } };
/* Fault: handed to a guest, as private. Given: to another holder, or as shared. */
inline constexpr Event kFault{ { kPrepared }, { kUnsafe }, { kFaulted }, {} };
inline constexpr Event kGiven{ { kPrepared }, { kUnsafe }, { kHasContent }, {} };
/* It got its first content. */
inline constexpr Event kPopulated{
	{ kPresent }, { kPrepared, kUnsafe, kShared }, { kPrepared, kHasContent }, { kStaged }
};
/* The platform failed half way: the page is neither the guest's nor the host's. */
inline constexpr Event kStranded = kPopulated;
/* It had no content, and is the host's again, to be populated. */
inline constexpr Event kReclaimed{
	{ kPrepared }, { kHasContent, kUnsafe, kShared }, {}, { kPrepared, kFaulted }
};
/* It is about to be private, and its content is still in it. */
inline constexpr Event kLeft{
	{ kPrepared, kShared }, { kUnsafe }, { kStaged }, { kPrepared, kFaulted, kHasContent }
};
/* Its content is gone, and it is the host's, to be shared. */
inline constexpr Event kWiped{
	{ kPrepared }, { kUnsafe }, {}, { kPrepared, kFaulted, kHasContent }
};
/* Memory failure. */
inline constexpr Event kStruck{ { kPresent }, {}, { kLost }, {} };
/* A holder could not unmap it, or the platform kept it. */
inline constexpr Event kOutOfHand{ { kPresent }, {}, { kLost, kUnsafe }, {} };
inline constexpr Event kMadeShared{ {}, { kShared }, { kShared }, {} };
inline constexpr Event kMadePrivate{ { kShared }, {}, {}, { kShared } };
/* It left the page cache. */
inline constexpr Facts kOfThePage{ kPresent, kPrepared, kFaulted, kHasContent,
				   kLost,    kUnsafe,	kStaged };
inline constexpr Event kRemoved{ { kPresent }, {}, {}, kOfThePage };

} /* namespace event */

} /* namespace gmem */

#endif /* GMEM_FACTS_H */
