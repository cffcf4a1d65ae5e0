/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A JSON document that remembers on which line each of its values is, so that a
 * complaint can name it.
 */
#ifndef GMEM_MEASURE_DOCUMENT_H
#define GMEM_MEASURE_DOCUMENT_H

#include <cstdint>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace measure
{

/* A bad input file; what() has "line N: ..." and the field at fault. */
class BadInput : public std::runtime_error {
    public:
	BadInput(unsigned line, const std::string &what)
		: std::runtime_error("line " + std::to_string(line) + ": " + what)
	{
	}
};

struct Member;

struct Value {
	struct Object {
		std::vector<Member> members;
	};
	struct Array {
		std::vector<Value> values;
	};
	/* null, true, false, and numbers that are not whole and positive. */
	struct Other {};

	unsigned line = 0;
	std::variant<Other, std::uint64_t, std::string, Array, Object> value;
};

struct Member {
	std::string name;
	Value value;
};

/* Throws BadInput. Lines count from 1. */
Value parse_document(const std::string &text);

} /* namespace measure */

#endif /* GMEM_MEASURE_DOCUMENT_H */
