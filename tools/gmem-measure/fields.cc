// SPDX-License-Identifier: GPL-2.0-only
/*
 * An object of a document (fields.h).
 */
#include "tools/gmem-measure/fields.h"

#include <algorithm>

#include "tools/gmem-measure/launch.h"
#include "tools/gmem-measure/text.h"

namespace measure
{

Fields::Fields(const Value &value, const std::string &name)
	: object_(std::get_if<Value::Object>(&value.value)), line_(value.line)
{
	if (!object_)
		throw BadInput(value.line, name + " is not an object");
}

const Value *Fields::find(std::string_view name) const
{
	for (const Member &member : object_->members) {
		if (member.name == name)
			return &member.value;
	}
	return nullptr;
}

const Value &Fields::get(const std::string &name) const
{
	const Value *const value = find(name);

	if (!value)
		throw BadInput(line_, "field \"" + name + "\" is missing");
	return *value;
}

const std::string &Fields::text(const std::string &name) const
{
	const Value &value = get(name);
	const auto *const string = std::get_if<std::string>(&value.value);

	if (!string)
		throw BadInput(value.line, "field \"" + name + "\" is not a string");
	return *string;
}

std::uint64_t Fields::gpa(std::uint64_t alignment) const
{
	const auto gpa = parse_number(text("gpa"));

	if (!gpa)
		refuse("gpa", "not a number like \"0xfffff000\"");
	if (*gpa % alignment)
		refuse("gpa", "not a multiple of " + std::to_string(alignment));
	if (*gpa >= kGpaEnd)
		refuse("gpa", "past the 52 bits of a physical address");
	return *gpa;
}

void Fields::refuse(const std::string &name, const std::string &why) const
{
	throw BadInput(get(name).line, "field \"" + name + "\": " + why);
}

void Fields::only(std::initializer_list<std::string_view> known) const
{
	for (const Member &member : object_->members) {
		if (std::find(known.begin(), known.end(), member.name) == known.end())
			throw BadInput(member.value.line,
				       "field \"" + member.name + "\" does not belong here");
	}
}

} /* namespace measure */
