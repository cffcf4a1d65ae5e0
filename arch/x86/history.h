/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last few things that happened to a frame, kept by the models so that a
 * report of a broken rule can say how it came to that.
 */
#ifndef GMEM_ARCH_X86_HISTORY_H
#define GMEM_ARCH_X86_HISTORY_H

#include <array>
#include <cstdint>

#include "gmem/types.h"
#include "kapi/kapi.h"

namespace gmem
{

/* The frame's lock protects it. */
class FrameHistory {
    public:
	static constexpr unsigned kDepth = 4;

	/* @operation, @before and @after are the model's own numbers. */
	void record(std::uint8_t operation, std::uint16_t code, std::uint8_t before,
		    std::uint8_t after)
	{
		events_[count_++ % kDepth] = { operation, before, after, 0, code };
	}

	std::uint32_t count() const { return count_; }

	/*
	 * Writes it to the log, oldest first. @operations and @states are the names
	 * behind the numbers.
	 */
	void report(Pfn pfn, const char *const *operations, const char *const *states) const
	{
		for (std::uint32_t i = count_ > kDepth ? count_ - kDepth : 0; i < count_; i++) {
			const Event &event = events_[i % kDepth];

			kapi_report("  frame %#llx, event %u: %s, code %#x: %s -> %s",
				    static_cast<unsigned long long>(pfn.value), i,
				    operations[event.operation], event.code, states[event.before],
				    states[event.after]);
		}
	}

    private:
	struct Event {
		std::uint8_t operation, before, after, unused;
		std::uint16_t code;
	};

	std::array<Event, kDepth> events_{};
	std::uint32_t count_ = 0;
};

/* A failure of one operation that a test orders: so many calls say @code. */
template <class Code> class Injection {
    public:
	static constexpr unsigned kForever = ~0u;

	/* After @after calls that are left alone. */
	void order(Code code, unsigned calls, unsigned after = 0)
	{
		code_ = code;
		left_ = calls;
		after_ = after;
		struck_ = false;
	}
	/* Whether any call has been one of them. */
	bool struck() const { return struck_; }
	/* Whether this call is one of them; then @code is what it says. */
	bool strikes(Code &code)
	{
		if (!left_ || (after_ && after_--))
			return false;
		if (left_ != kForever)
			left_--;
		code = code_;
		struck_ = true;
		return true;
	}

    private:
	Code code_{};
	unsigned left_ = 0, after_ = 0;
	bool struck_ = false;
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_HISTORY_H */
