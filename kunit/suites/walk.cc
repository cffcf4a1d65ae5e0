// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks through page tables (mmu/walk.h) of each kind, over a few entries in memory: where
 * they lead, with which error code they end, and which bits they leave behind.
 *
 * Tests: mmu/walk.cc.
 */
#include "mmu/walk.h"

#include <array>

#include "kapi/constants.h"
#include "kunit/suite.h"

using namespace gmem;

namespace
{

constexpr std::uint64_t kP = 1, kW = 2, kU = 4, kA = 1 << 5, kD = 1 << 6, kLarge = 1 << 7;
constexpr std::uint64_t kNx = 1ull << 63;
constexpr std::uint64_t kAll = kP | kW | kU;
constexpr std::uint64_t kRead = 0, kWrite = KAPI_PFERR_WRITE, kFetch = KAPI_PFERR_FETCH,
			kUserRead = KAPI_PFERR_USER;

/* Entries by address; the rest of memory is zeros, and beyond 1 << 40 there is none. */
class Memory final : public GuestTables {
    public:
	Memory() = default;
	~Memory() = default;

	void set(std::uint64_t gpa, std::uint64_t value)
	{
		std::uint64_t *const at = find(gpa);

		if (at)
			*at = value;
		else
			entries_[count_++] = { gpa, value };
	}
	std::uint64_t get(std::uint64_t gpa)
	{
		const std::uint64_t *const at = find(gpa);

		return at ? *at : 0;
	}

	Result<std::uint64_t> read(std::uint64_t gpa, unsigned size) override
	{
		if (gpa >> 40)
			return error(EFAULT);
		return size == 4 ? get(gpa) & 0xffffffff : get(gpa);
	}
	Status replace(const TableEntry &entry, std::uint64_t wanted) override
	{
		replaced++;
		if (busy) {
			busy--;
			return error(EAGAIN);
		}
		set(entry.gpa, wanted);
		return Status{};
	}

	int busy = 0, replaced = 0;

    private:
	struct Entry {
		std::uint64_t gpa, value;
	};

	std::uint64_t *find(std::uint64_t gpa)
	{
		for (unsigned i = 0; i < count_; i++) {
			if (entries_[i].gpa == gpa)
				return &entries_[i].value;
		}
		return nullptr;
	}

	std::array<Entry, 16> entries_{};
	unsigned count_ = 0;
};

kapi_paging paging_of(std::uint64_t root, unsigned levels, std::uint64_t reserved)
{
	kapi_paging paging{};

	paging.root = root;
	paging.levels = levels;
	paging.reserved = reserved;
	return paging;
}

/* Four levels from 0x1000 on, with one page at @addr. */
struct Long {
	static constexpr std::uint64_t kAddr = 0xffff800012345678;
	static constexpr std::uint64_t kLeaf = 0x4000 + (kAddr >> 12 & 511) * 8;

	kapi_paging paging = paging_of(0x1000, 4, ~0ull << 48);
	Memory memory;

	explicit Long(std::uint64_t leaf = 0x7000 | kAll)
	{
		paging.write_protect = true;
		paging.no_execute = true;
		memory.set(0x1000 + (kAddr >> 39 & 511) * 8, 0x2000 | kAll);
		memory.set(0x2000 + (kAddr >> 30 & 511) * 8, 0x3000 | kAll);
		memory.set(0x3000 + (kAddr >> 21 & 511) * 8, 0x4000 | kAll);
		memory.set(kLeaf, leaf);
	}

	Translation at(std::uint64_t access) { return translate(memory, paging, kAddr, access); }
	bool leads(std::uint64_t access = kRead) { return at(access).found; }
	unsigned code(std::uint64_t access)
	{
		const Translation result = at(access);

		return result.found ? ~0u : result.error_code;
	}
};

void four_levels()
{
	Long walk;
	const Translation result = walk.at(kRead);

	REQUIRE(result.found);
	EXPECT_EQ(result.gpa, 0x7678u);
	EXPECT_EQ(walk.memory.get(Long::kLeaf), 0x7000 | kAll | kA);
	EXPECT_EQ(walk.memory.get(0x3000 + (Long::kAddr >> 21 & 511) * 8), 0x4000 | kAll | kA);
	EXPECT(walk.leads(kWrite));
	EXPECT_EQ(walk.memory.get(Long::kLeaf), 0x7000 | kAll | kA | kD);
	/* Only where there is something to change. */
	EXPECT_EQ(walk.memory.replaced, 5);
	EXPECT(walk.leads(kWrite));
	EXPECT_EQ(walk.memory.replaced, 5);
}

void large_pages()
{
	constexpr std::uint64_t kTwo = 0x3000 + (Long::kAddr >> 21 & 511) * 8;
	constexpr std::uint64_t kOne = 0x2000 + (Long::kAddr >> 30 & 511) * 8;
	Long walk;

	walk.memory.set(kTwo, 0x40000000 | kAll | kLarge);
	EXPECT_EQ(walk.at(kRead).gpa, 0x40000000 + (Long::kAddr & 0x1fffff));
	/* The attribute bit of a large page is no address; the bits behind it are reserved. */
	walk.memory.set(kTwo, 0x40001000 | kAll | kLarge);
	EXPECT_EQ(walk.at(kRead).gpa, 0x40000000 + (Long::kAddr & 0x1fffff));
	walk.memory.set(kTwo, 0x40002000 | kAll | kLarge);
	EXPECT_EQ(walk.code(kRead), KAPI_PFERR_PRESENT | KAPI_PFERR_RSVD);
	walk.memory.set(kOne, 0x80000000 | kAll | kLarge);
	EXPECT_EQ(walk.at(kRead).gpa, 0x80000000 + (Long::kAddr & 0x3fffffff));
	/* There are none larger. */
	walk.memory.set(0x1000 + (Long::kAddr >> 39 & 511) * 8, 0x2000 | kAll | kLarge);
	EXPECT_EQ(walk.code(kRead), KAPI_PFERR_PRESENT | KAPI_PFERR_RSVD);
}

void nothing_there()
{
	Long walk{ 0x7000 };

	EXPECT_EQ(walk.code(kRead), 0u);
	EXPECT_EQ(walk.code(kWrite), KAPI_PFERR_WRITE);
	EXPECT_EQ(walk.code(kUserRead | kWrite), KAPI_PFERR_USER | KAPI_PFERR_WRITE);
	EXPECT_EQ(walk.code(kFetch), KAPI_PFERR_FETCH);
	walk.paging.no_execute = false;
	EXPECT_EQ(walk.code(kFetch), 0u);
	walk.paging.smep = true;
	EXPECT_EQ(walk.code(kFetch), KAPI_PFERR_FETCH);
	/* A table where there is no memory. */
	walk.paging.root = 1ull << 41;
	EXPECT_EQ(walk.code(kRead), 0u);
}

void writing()
{
	Long walk{ 0x7000 | kP | kU };

	EXPECT(walk.leads(kRead));
	EXPECT_EQ(walk.code(kWrite), KAPI_PFERR_PRESENT | KAPI_PFERR_WRITE);
	EXPECT_EQ(walk.memory.get(Long::kLeaf) & kD, 0u);
	walk.paging.write_protect = false;
	EXPECT(walk.leads(kWrite));
	EXPECT_EQ(walk.code(kUserRead | kWrite),
		  KAPI_PFERR_PRESENT | KAPI_PFERR_WRITE | KAPI_PFERR_USER);
	/* Whichever level forbids it. */
	Long above;

	above.memory.set(0x2000 + (Long::kAddr >> 30 & 511) * 8, 0x3000 | kP | kU);
	EXPECT_EQ(above.code(kWrite), KAPI_PFERR_PRESENT | KAPI_PFERR_WRITE);
}

void users()
{
	Long supervisors{ 0x7000 | kP | kW }, walk;

	EXPECT(supervisors.leads(kRead));
	EXPECT_EQ(supervisors.code(kUserRead), KAPI_PFERR_PRESENT | KAPI_PFERR_USER);
	EXPECT(walk.leads(kFetch));
	walk.paging.smep = true;
	EXPECT_EQ(walk.code(kFetch), KAPI_PFERR_PRESENT | KAPI_PFERR_FETCH);
	EXPECT(walk.leads(kFetch | kUserRead));
	EXPECT(walk.leads(kRead));
	walk.paging.smap = true;
	EXPECT_EQ(walk.code(kRead), KAPI_PFERR_PRESENT);
	EXPECT(walk.leads(kUserRead));
	walk.paging.access_flag = true;
	EXPECT(walk.leads(kRead));
	EXPECT_EQ(walk.code(kRead | KAPI_PFERR_IMPLICIT), KAPI_PFERR_PRESENT);
}

void executing()
{
	Long walk{ 0x7000 | kAll | kNx };

	EXPECT(walk.leads(kRead));
	EXPECT_EQ(walk.code(kFetch), KAPI_PFERR_PRESENT | KAPI_PFERR_FETCH);
	/* Reserved where there is no such bit. */
	walk.paging.no_execute = false;
	EXPECT_EQ(walk.code(kRead), KAPI_PFERR_PRESENT | KAPI_PFERR_RSVD);
}

void addresses_too_high()
{
	Long walk{ 1ull << 50 | 0x7000 | kAll };

	EXPECT_EQ(walk.code(kWrite), KAPI_PFERR_PRESENT | KAPI_PFERR_RSVD | KAPI_PFERR_WRITE);
}

void somebody_changes_an_entry()
{
	Long walk;

	walk.memory.busy = 3;
	EXPECT(walk.leads());
	/* Not for ever. */
	walk.memory.set(Long::kLeaf, 0x7000 | kAll);
	walk.memory.busy = 1000;
	EXPECT(!walk.leads());
}

void five_levels()
{
	constexpr std::uint64_t kAddr = 0x00ab800012345678;
	Memory memory;
	const kapi_paging paging = paging_of(0x9000, 5, ~0ull << 52);

	memory.set(0x9000 + (kAddr >> 48 & 511) * 8, 0x1000 | kAll);
	memory.set(0x1000 + (kAddr >> 39 & 511) * 8, 0x2000 | kAll);
	memory.set(0x2000 + (kAddr >> 30 & 511) * 8, 0x80000000 | kAll | kLarge);

	const Translation result = translate(memory, paging, kAddr, kRead);

	REQUIRE(result.found);
	EXPECT_EQ(result.gpa, 0x80000000 + (kAddr & 0x3fffffff));
}

/* The four entries at the top have no rights and are not marked. */
void three_levels()
{
	constexpr std::uint64_t kAddr = 0xc0345678;
	Memory memory;
	const kapi_paging paging = paging_of(0x5020, 3, ~0ull << 40);

	memory.set(0x5020 + 3 * 8, 0x6000 | kP);
	memory.set(0x6000 + (kAddr >> 21 & 511) * 8, 0x8000 | kAll);
	memory.set(0x8000 + (kAddr >> 12 & 511) * 8, 0x123456000 | kAll);

	const Translation result = translate(memory, paging, kAddr, kUserRead | kWrite);

	REQUIRE(result.found);
	EXPECT_EQ(result.gpa, 0x123456678u);
	EXPECT_EQ(memory.get(0x5020 + 3 * 8), 0x6000 | kP);
}

void two_levels()
{
	constexpr std::uint64_t kAddr = 0xc0345678;
	Memory memory;
	const kapi_paging paging = paging_of(0x5000, 2, 0);

	memory.set(0x5000 + (kAddr >> 22) * 4, 0x6000 | kAll);
	memory.set(0x6000 + (kAddr >> 12 & 1023) * 4, 0xfff07000 | kAll);
	EXPECT_EQ(translate(memory, paging, kAddr, kWrite).gpa, 0xfff07678u);
	EXPECT_EQ(memory.get(0x6000 + (kAddr >> 12 & 1023) * 4), 0xfff07000 | kAll | kA | kD);
	/* 4 MiB, with bits 32 and on of its address among the low ones. */
	memory.set(0x5000 + (kAddr >> 22) * 4, 0x00c06000 | kAll | kLarge);
	EXPECT_EQ(translate(memory, paging, kAddr, kRead).gpa, 0x300c00000 + (kAddr & 0x3fffff));
}

/* Nothing is asked for, and nothing is left behind. */
void without_paging()
{
	Memory memory;
	const Translation result = translate(memory, paging_of(0x1000, 0, 0), 0xfff0, kFetch);

	REQUIRE(result.found);
	EXPECT_EQ(result.gpa, 0xfff0u);
	EXPECT_EQ(memory.replaced, 0);
}

} /* namespace */

GMEM_SUITE(walk, CASE(four_levels), CASE(large_pages), CASE(nothing_there), CASE(writing),
	   CASE(users), CASE(executing), CASE(addresses_too_high), CASE(somebody_changes_an_entry),
	   CASE(five_levels), CASE(three_levels), CASE(two_levels), CASE(without_paging));
