/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A JSON document that remembers on which line each of its values is, so that a
 * complaint can name it.
 */
#ifndef GMEM_MEASURE_DOCUMENT_H
#define GMEM_MEASURE_DOCUMENT_H

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "tools/gmem-measure/refused.h"

namespace measure
{

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

/* No document of ours has more brackets open at once. */
inline constexpr unsigned kDeepest = 16;

/* Throws BadInput. Lines count from 1; a value is on the line it begins on. */
Value parse_document(const std::string &text);

} /* namespace measure */

#endif /* GMEM_MEASURE_DOCUMENT_H */
