/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model's table of frames, in regions of an aligned 2 MiB. Sparse: a region
 * exists once cover() was asked for it. What is in one is the model's, and so is
 * the lock that protects it.
 */
#ifndef GMEM_ARCH_X86_REGIONS_H
#define GMEM_ARCH_X86_REGIONS_H

#include "gmem/memory.h"
#include "gmem/types.h"
#include "gmem/xarray.h"

namespace gmem
{

template <class Region> class Regions {
    public:
	/* Regions for the frames [first, first + count); -ENOMEM. Sleeps. */
	Status cover(Pfn first, std::uint64_t count)
	{
		const std::uint64_t last = number_of(first + (count - 1));

		for (std::uint64_t number = number_of(first); number <= last; number++) {
			if (regions_.load(number))
				continue;

			GMEM_TRY(region, make<Region>());
			Region *present = nullptr;
			const Status status = regions_.insert(number, region.get(), present);

			if (status.ok())
				region.release();
			else if (!present)
				return status;
		}
		return Status{};
	}

	/* The one that @pfn is in, or NULL. It stays until clear(). */
	Region *of(Pfn pfn) const { return regions_.load(number_of(pfn)); }

	/*
	 * Frees them all, before the table goes. Calls leftover(const Region &, Pfn)
	 * for the frames of each until one is, of which there is a report then.
	 */
	template <class Fn> void clear(Fn leftover)
	{
		std::uint64_t number = 0;

		for (; Region *const region = regions_.find(number, ~0ull); number++) {
			Pfn pfn{ number << kRunOrder };

			while (!leftover(*region, pfn) && pfn.value % kRunPages != kRunPages - 1)
				pfn = pfn + 1;
			Destroy{}(region);
		}
	}

    private:
	static std::uint64_t number_of(Pfn pfn) { return pfn.value >> kRunOrder; }

	XArray<Region> regions_; /* by frame number / 512 */
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_REGIONS_H */
