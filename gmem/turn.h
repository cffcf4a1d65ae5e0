/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Turns with the inode lock. A call that may have much to do holds the lock for a turn
 * at a time and lets other calls have it in between, so that no user of a file waits
 * for all of another's terabyte. A call that gets the lock back looks again at
 * everything that the lock protects.
 */
#ifndef GMEM_TURN_H
#define GMEM_TURN_H

#include <cstdint>

#include "gmem/result.h"
#include "kapi/kapi.h"

namespace gmem
{

class Turn {
    public:
	/* Looked at between runs or stretches of pages, which take a few milliseconds at most. */
	bool over() const { return kapi_clock_ms() - since_ >= kMs; }

    private:
	static constexpr std::uint64_t kMs = 30;

	std::uint64_t since_ = kapi_clock_ms();
};

/* The inode lock, held exclusively, or let go of for a while. */
class ExclusiveTurns {
    public:
	explicit ExclusiveTurns(struct inode *inode) : inode_(inode) {}
	~ExclusiveTurns() { drop(); }
	ExclusiveTurns(const ExclusiveTurns &) = delete;
	ExclusiveTurns &operator=(const ExclusiveTurns &) = delete;

	/* Each begins a turn unless it is held. -EINTR: killed, and not held. */
	Status take_killable()
	{
		if (!held_) {
			GMEM_CHECK(Status{ kapi_inode_lock_killable(inode_) });
			begin();
		}
		return Status{};
	}
	void take()
	{
		if (!held_) {
			kapi_inode_lock(inode_);
			begin();
		}
	}
	void drop()
	{
		if (held_)
			kapi_inode_unlock(inode_);
		held_ = false;
	}
	/* Others get it, if the turn is over; then another begins. */
	void pass_on()
	{
		if (turn_.over()) {
			drop();
			take();
		}
	}
	const Turn &turn() const { return turn_; }

    private:
	void begin()
	{
		held_ = true;
		turn_ = Turn{};
	}

	struct inode *const inode_;
	bool held_ = false;
	Turn turn_;
};

} /* namespace gmem */

#endif /* GMEM_TURN_H */
