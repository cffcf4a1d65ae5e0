/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fixed set of small numbers that knows how many it holds.
 */
#ifndef GMEM_BITMAP_H
#define GMEM_BITMAP_H

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace gmem
{

template <unsigned Bits> class Bitmap {
	static_assert(Bits % 64 == 0 && Bits < 65536);

    public:
	constexpr bool test(unsigned bit) const { return words_[bit / 64] >> (bit % 64) & 1; }
	constexpr unsigned count() const { return count_; }
	constexpr bool none() const { return count_ == 0; }
	constexpr bool all() const { return count_ == Bits; }

	constexpr void set(unsigned bit)
	{
		if (!test(bit)) {
			count_++;
			words_[bit / 64] |= 1ull << (bit % 64);
		}
	}
	constexpr void reset(unsigned bit)
	{
		if (test(bit)) {
			count_--;
			words_[bit / 64] &= ~(1ull << (bit % 64));
		}
	}
	/* The numbers from @from up to, not including, @to; mostly it is one, or all. */
	constexpr void set_range(unsigned from, unsigned to)
	{
		if (to - from == 1)
			return set(from);
		if (to - from == Bits)
			return set_all();
		for_each_word(from, to, [this](std::uint64_t &word, std::uint64_t mask) {
			count_ += weight(mask & ~word);
			word |= mask;
		});
	}
	constexpr void reset_range(unsigned from, unsigned to)
	{
		if (to - from == 1)
			return reset(from);
		if (to - from == Bits)
			return reset_all();
		for_each_word(from, to, [this](std::uint64_t &word, std::uint64_t mask) {
			count_ -= weight(mask & word);
			word &= ~mask;
		});
	}
	/* Whether all of them are in the set; whether none is. */
	constexpr bool has_all(unsigned from, unsigned to) const
	{
		if (to - from == 1)
			return test(from);
		return all() || next_clear(from) >= to;
	}
	constexpr bool has_none(unsigned from, unsigned to) const
	{
		if (to - from == 1)
			return !test(from);
		return none() || next_set(from) >= to;
	}
	constexpr void set_all()
	{
		words_.fill(~0ull);
		count_ = Bits;
	}
	constexpr void reset_all()
	{
		words_.fill(0);
		count_ = 0;
	}

	/* Those of @other taken out. */
	constexpr Bitmap without(const Bitmap &other) const
	{
		Bitmap rest = *this;

		for (unsigned i = other.next_set(0); i < Bits;) {
			const unsigned end = other.next_clear(i);

			rest.reset_range(i, end);
			i = other.next_set(end);
		}
		return rest;
	}

	/* How many numbers are in both. */
	constexpr unsigned common(const Bitmap &other) const
	{
		unsigned count = 0;

		for (std::size_t i = 0; i < words_.size(); i++)
			count += weight(words_[i] & other.words_[i]);
		return count;
	}

	/* First number at or after @from that is (not) in the set; Bits if none. */
	constexpr unsigned next_set(unsigned from) const { return next(from, 0); }
	constexpr unsigned next_clear(unsigned from) const { return next(from, ~0ull); }

    private:
	/* Calls @fn(word, mask) for each word that has some of the numbers in [from, to). */
	template <class Fn> constexpr void for_each_word(unsigned from, unsigned to, Fn fn)
	{
		while (from < to) {
			const unsigned end = std::min(to, (from / 64 + 1) * 64);

			fn(words_[from / 64], ~0ull >> (64 - (end - from)) << (from % 64));
			from = end;
		}
	}

	/* How many bits are set: std::popcount() is a call of a library that is not there. */
	static constexpr unsigned weight(std::uint64_t word)
	{
		word -= word >> 1 & 0x5555555555555555;
		word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
		word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
		return word * 0x0101010101010101 >> 56;
	}

	constexpr unsigned next(unsigned from, std::uint64_t flip) const
	{
		while (from < Bits) {
			const std::uint64_t rest = (words_[from / 64] ^ flip) >> (from % 64);

			if (rest)
				return from + std::countr_zero(rest);
			from = (from / 64 + 1) * 64;
		}
		return Bits;
	}

	std::array<std::uint64_t, Bits / 64> words_{};
	std::uint16_t count_ = 0;
};

} /* namespace gmem */

#endif /* GMEM_BITMAP_H */
