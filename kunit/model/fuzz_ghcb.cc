// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fuzzer of what guests write into a GHCB (`make fuzz-ghcb`): libFuzzer's bytes are the page,
 * and then what user space answers to its page state changes. Each comes to its end, in so many
 * steps as there is room for entries, and touches nothing but the page.
 */
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "guest/ghcb.h"
#include "guest/ghcb_msr.h"
#include "guest/psc.h"

namespace
{

using namespace gmem;

constexpr std::uint64_t kGpa = 0x123456000;
constexpr unsigned kEntries = (kGhcbBufferEnd - kGhcbBuffer - Psc::kHeaderSize) / Psc::kEntrySize;

void require(bool holds)
{
	if (!holds)
		std::abort();
}

void go_through(std::span<std::uint8_t> buffer)
{
	std::uint16_t first = 0, count = 0;
	unsigned steps = 0;

	for (;;) {
		const PscStep step = Psc{ buffer, first, count }.next();

		if (!step.asks)
			break;
		require(++steps <= kEntries && step.pages >= 1 &&
			step.pages <= kEntries * kRunPages && first + count <= kEntries);
		require(!step.huge || (step.gpa >> kPageShift) % kRunPages == 0);
		Psc{ buffer, first, count }.converted();
	}
	require(first == 0 && count == 0);
	require((Psc{ buffer, first, count }.changed()) <= buffer.size());
}

} /* namespace */

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	std::array<std::uint8_t, kPageSize> page{};
	std::uint64_t msr = 0;

	std::memcpy(page.data(), data, std::min(size, page.size()));
	std::memcpy(&msr, data, std::min(size, sizeof(msr)));

	Ghcb ghcb{ page };
	const GhcbError error = ghcb.check();
	const kapi_ghcb_registers registers = ghcb.registers();
	const auto scratch = ghcb.scratch(kGpa, Psc::kHeaderSize);

	require(scratch.empty() ||
		(scratch.data() >= page.data() + kGhcbBuffer &&
		 scratch.data() + scratch.size() == page.data() + kGhcbBufferEnd));
	if (!scratch.empty())
		go_through(scratch);
	ghcb.answer(static_cast<std::uint64_t>(error), 0, registers);
	require(ghcb.has(GhcbField::Info1) && !ghcb.has(GhcbField::Scratch));
	(void)ghcb_request(msr);
	require(ghcb_conversion(msr).gpa % kPageSize == 0);
	return 0;
}

/* A whole page, of which one part changes; most have a scratch area in the buffer. */
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t *data, std::size_t size, std::size_t max);
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t *data, std::size_t size,
					       std::size_t max, unsigned seed)
{
	constexpr std::size_t kScratch = 0x3a8, kScratchBit = 0x3f0 + kScratch / 64;
	constexpr struct {
		std::size_t at, size;
	} kParts[] = {
		{ 0x390, 0x70 }, { 0x1f8, 8 },	  { kGhcbBuffer, 8 },
		{ 0x808, 0x40 }, { 0x800, 2032 }, { kGhcbVersion, 6 },
	};
	const auto &part = kParts[seed % std::size(kParts)];

	if (max < kPageSize)
		return LLVMFuzzerMutate(data, size, max);
	if (size < kPageSize)
		std::memset(data + size, 0, kPageSize - size);

	const std::size_t used = LLVMFuzzerMutate(data + part.at, part.size, part.size);

	std::memset(data + part.at + used, 0, part.size - used);
	if (seed / 8 % 4) {
		const std::uint64_t at = kGpa + kGhcbBuffer +
					 (seed / 32 % 4 ? 0 : seed / 128 % 2040);

		std::memcpy(data + kScratch, &at, sizeof(at));
		data[kScratchBit] |= 1u << kScratch / 8 % 8;
		/* Of the last entry's number mostly the lower byte counts. */
		if (seed / 2048 % 4)
			data[kGhcbBuffer + 3] = 0;
	}
	return kPageSize;
}
