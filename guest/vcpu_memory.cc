// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's memory at linear addresses (vcpu_memory.h).
 */
#include "guest/vcpu_memory.h"

#include <algorithm>

namespace gmem
{

/* @touch(gfn, offset, piece) of all that lies in one page; not 0: no memory is there. */
template <class Bytes, class Fn>
Touched VcpuMemory::pieces(std::uint64_t addr, Bytes bytes, std::uint64_t access, Fn touch)
{
	while (!bytes.empty()) {
		const Translation at = translate(addr, access);
		const std::uint64_t offset = at.gpa % kPageSize;
		const std::size_t size = std::min<std::size_t>(bytes.size(), kPageSize - offset);

		if (!at.found)
			return { .end = Touched::End::PageFault,
				 .addr = addr,
				 .error_code = at.error_code };
		if (touch(Gfn{ at.gpa >> kPageShift }, static_cast<unsigned>(offset),
			  bytes.first(size)))
			return nowhere(at.gpa);
		addr += size;
		bytes = bytes.subspan(size);
	}
	return {};
}

Touched VcpuMemory::read(std::uint64_t addr, std::span<std::byte> to, std::uint64_t access)
{
	return pieces(addr, to, access, [&](Gfn gfn, unsigned offset, auto piece) {
		return gmem_kvm_read_page(slot_of(gfn), gfn.value, piece.data(),
					  static_cast<int>(offset), static_cast<int>(piece.size()));
	});
}

/* Each page is read before any is written to: what faults does it there. */
Touched VcpuMemory::write(std::uint64_t addr, std::span<const std::byte> from, std::uint64_t access)
{
	const Touched there = pieces(addr, from, access, [&](Gfn gfn, unsigned offset, auto) {
		std::byte any;

		return gmem_kvm_read_page(slot_of(gfn), gfn.value, &any, static_cast<int>(offset),
					  1);
	});

	if (there.end != Touched::End::Done)
		return there;
	return pieces(addr, from, access, [&](Gfn gfn, unsigned offset, auto piece) {
		return gmem_kvm_write_page(kvm_, slot_of(gfn), gfn.value, piece.data(),
					   static_cast<int>(offset),
					   static_cast<int>(piece.size()));
	});
}

} /* namespace gmem */
