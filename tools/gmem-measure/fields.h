/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An object of a document, by its fields; complaints name the field and its line.
 */
#ifndef GMEM_MEASURE_FIELDS_H
#define GMEM_MEASURE_FIELDS_H

#include <initializer_list>
#include <string>
#include <string_view>

#include "tools/gmem-measure/document.h"

namespace measure
{

/* Every function here throws BadInput where the document is not as it is wanted. */
class Fields {
    public:
	/* @name is the object's in messages. @value must outlive this. */
	Fields(const Value &value, const std::string &name);

	/* nullptr where it is not there. */
	const Value *find(std::string_view name) const;
	const Value &get(const std::string &name) const;
	const std::string &text(const std::string &name) const;

	/* A number as text, "0xfffff000", that is a multiple of @alignment and an address. */
	std::uint64_t gpa(std::uint64_t alignment) const;

	[[noreturn]] void refuse(const std::string &name, const std::string &why) const;
	/* There may be no others. */
	void only(std::initializer_list<std::string_view> known) const;

    private:
	const Value::Object *object_;
	unsigned line_;
};

} /* namespace measure */

#endif /* GMEM_MEASURE_FIELDS_H */
