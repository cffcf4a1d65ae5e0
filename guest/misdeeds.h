/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest of the SNP model can be shown that an honest hypervisor or processor never does, to
 * test the guest's defences (docs/snp-guest.md, "Misdeeds"). Root orders each by debugfs
 * (kapi/misdeeds.c), for all VMs of the model together. Without KVM: entries.cc, vmgexit.cc,
 * events.cc and requests.cc ask whether one is due, and do it.
 */
#ifndef GMEM_GUEST_MISDEEDS_H
#define GMEM_GUEST_MISDEEDS_H

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "gmem/result.h"

namespace gmem
{

enum class Misdeed : std::uint8_t {
	PvalidateSize, /* PVALIDATE of 2 MiB ends as over pages of 4 KiB: FAIL_SIZEMISMATCH */
	PvalidateSame, /* PVALIDATE that has changed something says that it has not: CF */
	PscRefused, /* a page state change is refused, by either protocol */
	PscLies, /* a page state change is said to be done, and user space never asked */
	PscStuck, /* a page state change of the page protocol comes back as it was, without error */
	NoFeatures, /* the hypervisor has no features, not even SNP */
	EventRefused, /* an event of the page protocol is said to be none */
	RequestBusy, /* a message to the firmware is to be sent again */
	RequestRefused, /* the firmware is said to refuse a message, which it has not had */
	AnswerReplayed, /* a message is answered by what the firmware said to one before */
	AnswerTampered, /* a bit of the firmware's answer is another */
};

inline constexpr std::size_t kMisdeeds = 11;

/* Any number of vCPUs and of root's tasks at the same time. */
class Misdeeds {
    public:
	/* What is ordered of one. */
	struct Order {
		std::uint32_t times = 0; /* as often yet */
		std::uint32_t after = 0; /* occasions that are let go before */
		std::uint64_t done = 0; /* as often up to now, whatever was ordered */
	};

	/* An occasion for @what: whether it is to be done. */
	bool due(Misdeed what);
	/* In place of what was ordered of it. -EINVAL: there is no such @name. */
	Status order(std::string_view name, std::uint32_t times, std::uint32_t after);

	Order ordered(Misdeed what) const;
	static const char *name(Misdeed what);

    private:
	struct One {
		/*
		 * Both numbers, so that they change together: times in the upper half. Without
		 * times there are no occasions, either.
		 */
		std::atomic<std::uint64_t> left{ 0 };
		std::atomic<std::uint64_t> done{ 0 };
	};

	std::array<One, kMisdeeds> all_;
};

/* Those of all guests. */
Misdeeds &misdeeds();

} /* namespace gmem */

#endif /* GMEM_GUEST_MISDEEDS_H */
