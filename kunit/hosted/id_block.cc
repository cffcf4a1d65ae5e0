// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ID block of SNP's launch (arch/x86/id_block.h): a good one, and each thing that is
 * wrong with another, in the firmware's order. The kernel's own ECDSA is tested by
 * selftests/snp_launch_test.c.
 *
 * Tests: arch/x86/id_block.cc.
 */
#include "arch/x86/id_block.h"

#include <algorithm>

#include "arch/x86/le.h"
#include "gmem/memory.h"
#include "kunit/suite.h"
#include "kunit/hosted/id_vector.h"

#ifndef EKEYREJECTED
#define EKEYREJECTED 129
#endif

using namespace gmem;

namespace
{

constexpr std::uint64_t kPolicy = 0x30000;

/* The vector, and what the launch measured to. */
struct Block {
	Own<IdBlock> id;
	Sha384Digest measurement{};

	static Block make()
	{
		Block block;
		Result<Own<IdBlock>> id = gmem::make<IdBlock>();

		if (!id.ok())
			return block;
		block.id = std::move(id).value();
		std::copy_n(id_vector_block, kIdBlockSize, block.id->block.begin());
		id_vector_auth(block.id->auth.data());
		block.id->author = true;
		std::copy_n(id_vector_block, block.measurement.size(), block.measurement.begin());
		return block;
	}

	int check(std::uint64_t policy = kPolicy) const
	{
		return check_id_block(*id, measurement, policy).status().code();
	}
};

void a_good_one_names_its_keys()
{
	const Block block = Block::make();

	REQUIRE(block.id);

	const Result<IdKeys> keys = check_id_block(*block.id, block.measurement, kPolicy);

	REQUIRE(keys.ok());
	EXPECT(std::equal(keys.value().id.begin(), keys.value().id.end(), id_vector_id_digest));
	EXPECT(std::equal(keys.value().author.begin(), keys.value().author.end(),
			  id_vector_author_digest));
	EXPECT(keys.value().is_given && keys.value().has_author);
	EXPECT(std::equal(keys.value().family_id.begin(), keys.value().family_id.end(),
			  &block.id->block[0x30]));
	EXPECT(std::equal(keys.value().image_id.begin(), keys.value().image_id.end(),
			  &block.id->block[0x40]));
	EXPECT_EQ(keys.value().guest_svn, load_le(&block.id->block[0x54], 4));
}

void without_author_his_part_does_not_count()
{
	const Block block = Block::make();

	REQUIRE(block.id);
	block.id->author = false;
	block.id->auth[0x04] = 9;
	block.id->auth[0x680]++;
	block.id->auth[0x884]++;

	const Result<IdKeys> keys = check_id_block(*block.id, block.measurement, kPolicy);

	REQUIRE(keys.ok());
	EXPECT(keys.value().author == Sha384Digest{});
	EXPECT(keys.value().is_given && !keys.value().has_author);
}

void another_launch()
{
	Block block = Block::make();

	REQUIRE(block.id);
	block.measurement[47]++;
	EXPECT_EQ(block.check(), -EBADMSG);
	/* Before anything else that is wrong. */
	EXPECT_EQ(block.check(kPolicy + 1), -EBADMSG);
	block.measurement[47]--;
	EXPECT_EQ(block.check(kPolicy + 1), -EACCES);
	EXPECT_EQ(block.check(kPolicy | 1ull << 63), -EACCES);
}

void algorithms()
{
	const Block block = Block::make();

	REQUIRE(block.id);
	for (const unsigned at : { 0u, 3u, 4u, 7u }) {
		block.id->auth[at] ^= 0x82;
		EXPECT_EQ(block.check(), -EINVAL);
		block.id->auth[at] ^= 0x82;
	}
	EXPECT_EQ(block.check(), 0);
}

/* One bit is wrong: of each number, of its padding, of the curve, of the signed fields. */
void what_is_signed_and_by_whom()
{
	const Block block = Block::make();

	REQUIRE(block.id);
	for (const unsigned at :
	     { 0x40u, 0x6fu, 0x70u, 0x87u, 0x88u, 0xb7u, 0xcfu, 0x240u, 0x244u, 0x273u, 0x274u,
	       0x28cu, 0x2d3u, 0x640u, 0x680u, 0x6c8u, 0x880u, 0x884u, 0x8ccu }) {
		block.id->auth[at] ^= 1;
		EXPECT_EQ(block.check(), -EKEYREJECTED);
		block.id->auth[at] ^= 1;
	}
	for (const unsigned at : { 48u, 64u, 80u, 84u }) {
		block.id->block[at] ^= 1;
		EXPECT_EQ(block.check(), -EKEYREJECTED);
		block.id->block[at] ^= 1;
	}
	EXPECT_EQ(block.check(), 0);
}

/* No number of a signature is zero, nor are both of a key. */
void zeros()
{
	const Block block = Block::make();

	REQUIRE(block.id);
	for (const unsigned at : { 0x40u, 0x88u, 0x244u }) {
		const auto from = block.id->auth.begin() + at;
		const std::size_t size = at == 0x244 ? 144 : 72;
		std::array<std::uint8_t, 144> kept;

		std::copy_n(from, size, kept.begin());
		std::fill_n(from, size, std::uint8_t{ 0 });
		EXPECT_EQ(block.check(), -EKEYREJECTED);
		std::copy_n(kept.begin(), size, from);
	}
	EXPECT_EQ(block.check(), 0);
}

} /* namespace */

GMEM_SUITE(id_block, CASE(a_good_one_names_its_keys), CASE(without_author_his_part_does_not_count),
	   CASE(another_launch), CASE(algorithms), CASE(what_is_signed_and_by_whom), CASE(zeros));
