/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The states of a page as docs/pages.md has them, and not as gmem/run.h does: each
 * page of the reference is driven through it, event by event.
 */
#ifndef GMEM_MODEL_PAGE_STATES_H
#define GMEM_MODEL_PAGE_STATES_H

namespace model
{

/* In the order of the table. */
enum class Event {
	Filled,
	Ready,
	Fault,
	Given,
	Populated,
	Stranded,
	Reclaimed,
	Left,
	Wiped,
	Struck,
	OutOfHand,
	MadeShared,
	MadePrivate,
	Removed,
	Events,
};

class PageState {
    public:
	bool present() const { return facts_ & kPresent; }
	bool prepared() const { return facts_ & kPrepared; }
	bool faulted() const { return facts_ & kFaulted; }
	bool has_content() const { return facts_ & kHasContent; }
	bool lost() const { return facts_ & kLost; }
	bool unsafe() const { return facts_ & kUnsafe; }
	bool shared() const { return facts_ & kShared; }

	/* False: it cannot happen to a page in this state, which stays as it is. */
	bool happens(Event event);

	static const char *name(Event event);

    private:
	enum Fact : unsigned {
		kPresent = 1,
		kPrepared = 2,
		kFaulted = 4,
		kHasContent = 8,
		kLost = 16,
		kUnsafe = 32,
		kShared = 64,
		kStaged = 128,
		kAll = 255,
	};
	struct Rule {
		const char *name;
		unsigned has, has_not, sets, clears;
	};
	static const Rule &rule(Event event);
	static bool consistent(unsigned facts);

	unsigned facts_ = 0;
};

} /* namespace model */

#endif /* GMEM_MODEL_PAGE_STATES_H */
