// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sequences to and from bytes, and the generator.
 */
#include "kunit/model/ops.h"

#include <cstdio>
#include <iterator>
#include <numeric>

namespace model
{

namespace
{

const char *const names[] = {
	"fault",    "sweep",	    "write",	"punch",  "allocate", "populate", "bind",
	"unbind",   "attributes",   "create",	"close",  "make-vm",  "drop-vm",  "poison",
	"hold",	    "drop",	    "work",	"scarce", "fail",     "touch",	  "pin",
	"convert",  "convert-gfns", "consumer", "lend",	  "link",     "stale",	  "mark",
	"vcpu-map", "get-pfn",	    "keep",	"launch",
};
static_assert(std::size(names) == static_cast<std::size_t>(Kind::Kinds));

/* How often each comes, of 256; in the order of Kind. */
constexpr unsigned char weights[] = { 50, 2, 18, 20, 9, 15, 17, 5, 6, 10, 2, 6, 1, 2, 3, 9,
				      8,  3, 6,	 15, 3, 13, 8,	4, 3, 4,  2, 2, 4, 3, 2, 1 };
static_assert(std::size(weights) == static_cast<std::size_t>(Kind::Kinds));
static_assert(std::accumulate(std::begin(weights), std::end(weights), 0u) == 256);

class Random {
    public:
	explicit Random(std::uint64_t seed) : state_(seed * 2654435769u + 88172645463325252u) {}

	std::uint64_t next()
	{
		state_ ^= state_ << 13;
		state_ ^= state_ >> 7;
		state_ ^= state_ << 17;
		return state_ * 0x2545f4914f6cdd1d;
	}

    private:
	std::uint64_t state_;
};

} /* namespace */

Sequence decode(const std::uint8_t *data, std::size_t size)
{
	Sequence ops;

	for (; size >= kOpBytes; data += kOpBytes, size -= kOpBytes) {
		const auto kind = static_cast<Kind>(data[0] % static_cast<unsigned>(Kind::Kinds));

		ops.push_back({ kind, data[1], data[2], data[3],
				static_cast<std::uint16_t>(data[4] | data[5] << 8),
				static_cast<std::uint16_t>(data[6] | data[7] << 8) });
	}
	return ops;
}

std::vector<std::uint8_t> encode(const Sequence &ops)
{
	std::vector<std::uint8_t> bytes;

	for (const Op &op : ops) {
		const unsigned fields[] = { static_cast<unsigned>(op.kind), op.a, op.b, op.c };

		for (unsigned byte : fields)
			bytes.push_back(static_cast<std::uint8_t>(byte));
		for (unsigned word : { op.x, op.y }) {
			bytes.push_back(static_cast<std::uint8_t>(word));
			bytes.push_back(static_cast<std::uint8_t>(word >> 8));
		}
	}
	return bytes;
}

std::string describe(const Op &op)
{
	char line[80];

	std::snprintf(line, sizeof(line), "%s %u %u %u %u %u",
		      names[static_cast<unsigned>(op.kind)], op.a, op.b, op.c, op.x, op.y);
	return line;
}

Kinds kinds_of(const char *list)
{
	const std::string all = list ? "," + std::string{ list } + "," : "";
	Kinds kinds = 0;

	for (std::size_t i = 0; i < std::size(names); i++) {
		if (all.find("," + std::string{ names[i] } + ",") != std::string::npos)
			kinds |= Kinds{ 1 } << i;
	}
	return kinds;
}

Sequence generate(std::uint64_t seed, std::size_t count, Kinds without)
{
	Random random{ seed };
	Sequence ops;

	ops.reserve(count);
	while (ops.size() < count) {
		const std::uint64_t r = random.next(), s = random.next();
		unsigned pick = (r >> 8) % 256, kind = 0;

		while (pick >= weights[kind]) {
			pick -= weights[kind];
			kind = (kind + 1) % std::size(weights);
		}
		/* The state of the world comes first. */
		if (ops.empty())
			kind = static_cast<unsigned>(Kind::MakeVm);
		else if (ops.size() <= 2)
			kind = static_cast<unsigned>(Kind::Create);
		else if (ops.size() <= 5)
			kind = static_cast<unsigned>(Kind::Bind);
		if (without >> kind & 1)
			continue;
		ops.push_back({ static_cast<Kind>(kind), static_cast<std::uint8_t>(r >> 16),
				static_cast<std::uint8_t>(r >> 24),
				static_cast<std::uint8_t>(r >> 32),
				static_cast<std::uint16_t>(s >> 8),
				static_cast<std::uint16_t>(s >> 32) });
	}
	return ops;
}

} /* namespace model */
