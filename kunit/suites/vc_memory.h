/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites of deliver_vc() give it: a guest's memory, which counts accesses and has one of
 * them fail, descriptors and segments. Where a guest has its tables and stacks is each suite's own.
 */
#ifndef GMEM_KUNIT_VC_MEMORY_H
#define GMEM_KUNIT_VC_MEMORY_H

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "guest/vc.h"
#include "kapi/constants.h"

namespace gmem_test
{

using namespace gmem;

/* The error code that is delivered, and that of a fault at the gate of #VC. */
inline constexpr std::uint32_t kCode = 0x80000072;
inline constexpr unsigned kGateCode = 29 * 8 + 2;
/* Gates, without where they lead: present, for 32 or 64 bits. */
inline constexpr unsigned kInterruptGate = 0x8e, kTrapGate = 0x8f;
/* Of descriptors, bits 40 to 55: what a segment is to be. */
inline constexpr std::uint64_t kCode64 = 0xa9b, kUserCode64 = 0xafb, kData = 0xc93,
			       kUserData = 0xcf3, kCode32 = 0xc9b;

/* Of EFLAGS. */
inline constexpr std::uint64_t kFixed = 1 << 1, kTrap = 1 << 8, kInterrupts = 1 << 9,
			       kNested = 1 << 14, kResume = 1 << 16, kVm = 1 << 17, kAc = 1 << 18;

/* How memory is accessed. */
inline constexpr std::uint64_t kImplicit = KAPI_PFERR_IMPLICIT, kWrites = KAPI_PFERR_WRITE,
			       kUsers = KAPI_PFERR_USER;

class EventMemory final : public GuestMemory {
    public:
	~EventMemory() = default;
	explicit EventMemory(std::uint64_t base) : base_(base) {}

	unsigned address_bits() const override { return bits; }
	Touched read(std::uint64_t addr, std::span<std::byte> to, std::uint64_t access) override
	{
		const Touched how = touch(addr, to.size(), access);

		if (how.end == Touched::End::Done)
			std::memcpy(to.data(), at(addr), to.size());
		return how;
	}
	Touched write(std::uint64_t addr, std::span<const std::byte> from,
		      std::uint64_t access) override
	{
		const Touched how = touch(addr, from.size(), access);

		if (how.end == Touched::End::Done)
			std::memcpy(at(addr), from.data(), from.size());
		return how;
	}

	template <class T> void put(std::uint64_t addr, T value)
	{
		std::memcpy(at(addr), &value, sizeof(value));
	}
	template <class T> T get(std::uint64_t addr)
	{
		T value;

		std::memcpy(&value, at(addr), sizeof(value));
		return value;
	}

	unsigned bits = 48;
	unsigned touched = 0;
	std::uint64_t last_access = 0;
	/* The access with this number ends so, if it is not 0. */
	unsigned fails = 0;
	Touched failure{};

    private:
	static constexpr std::size_t kSize = 0x580;

	unsigned char *at(std::uint64_t addr) { return &bytes_[addr - base_]; }
	Touched touch(std::uint64_t addr, std::size_t size, std::uint64_t access)
	{
		touched++;
		last_access = access;
		if (touched == fails)
			return failure;
		if (addr < base_ || addr - base_ + size > kSize)
			return { Touched::End::PageFault, addr, 0x1f };
		return {};
	}

	const std::uint64_t base_;
	std::array<unsigned char, kSize> bytes_{};
};

constexpr std::uint64_t descriptor(std::uint64_t rights, std::uint64_t base = 0,
				   std::uint64_t limit = 0xfffff)
{
	return (limit & 0xffff) | (base & 0xffffff) << 16 | (rights & 0xff) << 40 |
	       (limit >> 16 & 0xf) << 48 | (rights >> 8 & 0xf) << 52 | (base >> 24 & 0xff) << 56;
}

constexpr kapi_segment segment(unsigned selector, std::uint64_t rights, std::uint64_t base = 0,
			       unsigned limit = 0xffffffff)
{
	return { base, limit, static_cast<unsigned short>(selector),
		 static_cast<unsigned short>(rights) };
}

} /* namespace gmem_test */

#endif /* GMEM_KUNIT_VC_MEMORY_H */
