/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations on guest memory as data: a sequence is a string of bytes, which a
 * generator, a fuzzer and a shrinker can all make and cut.
 */
#ifndef GMEM_MODEL_OPS_H
#define GMEM_MODEL_OPS_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace model
{

enum class Kind : std::uint8_t {
	Fault,
	Sweep, /* faults of a whole run, one by one */
	Write,
	Punch,
	Allocate,
	Populate,
	Bind,
	Unbind,
	Attributes,
	Create,
	Close,
	MakeVm,
	DropVm,
	Poison,
	Hold, /* the kernel takes a reference of a page */
	Drop,
	Work, /* a worker comes by */
	Scarce, /* no free blocks from now on, or again */
	Fail, /* the nth failable import of the next operation fails */
	Touch, /* user space reads or writes a page that it has mapped */
	Pin, /* the same, and has it pinned for I/O */
	Convert, /* a part of a file */
	ConvertGfns, /* a part of a VM */
	Consumer, /* a consumer in the kernel binds a part of a file, or unbinds it */
	Lend, /* ... and asks for a page of it */
	Link, /* a file's memory becomes another VM's */
	Stale, /* the view that it came from is used, or closed */
	Mark, /* the hardware marks a page, and the core is not told */
	VcpuMap, /* KVM maps a guest's page for itself */
	GetPfn, /* ... or gets it otherwise, outside of faults */
	Keep, /* a populate's callback fails half way, and the platform has the page */
	Launch, /* populate by the ioctl, of a VM that has no launch */
	Kinds,
};

/* What an operation does with its arguments is Machine's to say (machine.h). */
struct Op {
	Kind kind;
	std::uint8_t a, b, c;
	std::uint16_t x, y;
};

inline constexpr std::size_t kOpBytes = 8;

using Sequence = std::vector<Op>;

Sequence decode(const std::uint8_t *data, std::size_t size);
std::vector<std::uint8_t> encode(const Sequence &ops);
std::string describe(const Op &op);

/* Kinds, a bit each; of their names with commas between, NULL: none. */
using Kinds = std::uint64_t;
Kinds kinds_of(const char *names);
/* @count operations of the generator that @seed starts, none of them of @without. */
Sequence generate(std::uint64_t seed, std::size_t count, Kinds without);

} /* namespace model */

#endif /* GMEM_MODEL_OPS_H */
