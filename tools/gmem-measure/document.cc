// SPDX-License-Identifier: GPL-2.0-only
/*
 * The document (document.h), out of the events of nlohmann's parser: it reads
 * through an iterator that counts lines.
 */
#include "tools/gmem-measure/document.h"

#include <algorithm>
#include <iterator>

#include <nlohmann/json.hpp>

namespace measure
{

namespace
{

/*
 * Where the parser is: the line of the last character of a token. The parser reads
 * white space behind a number before it says that there was one.
 */
struct Place {
	unsigned token = 1;
	unsigned line = 1;

	void pass(char c)
	{
		if (c == '\n')
			line++;
		else if (c != ' ' && c != '\t' && c != '\r')
			token = line;
	}
};

/* A copy of the iterator counts into the same place. */
class LineCounter {
    public:
	using iterator_category = std::input_iterator_tag;
	using value_type = char;
	using difference_type = std::ptrdiff_t;
	using pointer = const char *;
	using reference = const char &;

	LineCounter(const char *at, Place *place) : at_(at), place_(place) {}

	reference operator*() const { return *at_; }
	LineCounter &operator++()
	{
		place_->pass(*at_++);
		return *this;
	}
	friend bool operator==(const LineCounter &a, const LineCounter &b)
	{
		return a.at_ == b.at_;
	}
	friend bool operator!=(const LineCounter &a, const LineCounter &b) { return !(a == b); }

    private:
	const char *at_;
	Place *place_;
};

class Builder : public nlohmann::json_sax<nlohmann::json> {
    public:
	explicit Builder(const Place &place) : line_(place.token) {}

	Value take() { return std::move(root_); }

	bool null() override { return put(Value::Other{}); }
	bool boolean(bool) override { return put(Value::Other{}); }
	bool number_integer(number_integer_t) override { return put(Value::Other{}); }
	bool number_unsigned(number_unsigned_t n) override { return put(std::uint64_t{ n }); }
	bool number_float(number_float_t, const string_t &) override { return put(Value::Other{}); }
	bool string(string_t &s) override { return put(std::move(s)); }
	bool binary(binary_t &) override { return false; }
	bool start_object(std::size_t) override { return open(Value::Object{}); }
	bool start_array(std::size_t) override { return open(Value::Array{}); }
	bool end_object() override { return close(); }
	bool end_array() override { return close(); }

	bool key(string_t &name) override
	{
		for (const Member &member : std::get<Value::Object>(top().value).members) {
			if (member.name == name)
				throw BadInput(line_, "field \"" + name + "\" twice");
		}
		std::get<Value::Object>(top().value)
			.members.push_back({ std::move(name), Value{ line_, Value::Other{} } });
		return true;
	}

	bool parse_error(std::size_t, const std::string &,
			 const nlohmann::json::exception &e) override
	{
		const std::string what = e.what();
		const std::size_t text = what.find(": ");

		throw BadInput(line_,
			       "not JSON: " +
				       (text == std::string::npos ? what : what.substr(text + 2)));
	}

    private:
	using Content = decltype(Value::value);

	Value &top() { return *open_.back(); }

	/* Where the next value goes. */
	Value &place()
	{
		if (open_.empty()) {
			root_.line = line_;
			return root_;
		}
		if (auto *const object = std::get_if<Value::Object>(&top().value)) {
			object->members.back().value.line = line_;
			return object->members.back().value;
		}
		auto &values = std::get<Value::Array>(top().value).values;

		values.push_back(Value{ line_, Value::Other{} });
		return values.back();
	}

	bool put(Content content)
	{
		place().value = std::move(content);
		return true;
	}
	bool open(Content content)
	{
		if (open_.size() == kDeepest)
			throw BadInput(line_, "more than " + std::to_string(kDeepest) +
						      " brackets inside each other");

		Value &value = place();

		value.value = std::move(content);
		/* No open value moves: only the innermost one grows. */
		open_.push_back(&value);
		return true;
	}
	bool close()
	{
		open_.pop_back();
		return true;
	}

	const unsigned &line_;
	Value root_;
	std::vector<Value *> open_;
};

/* To the parser a NUL is the end. */
void check_no_nul(const std::string &text)
{
	const std::size_t at = text.find('\0');

	if (at == std::string::npos)
		return;

	const auto lines = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at),
				      '\n');

	throw BadInput(static_cast<unsigned>(lines + 1), "not JSON: a NUL");
}

} /* namespace */

Value parse_document(const std::string &text)
{
	Place place;
	Builder builder{ place };

	check_no_nul(text);
	nlohmann::json::sax_parse(LineCounter{ text.data(), &place },
				  LineCounter{ text.data() + text.size(), &place }, &builder);
	return builder.take();
}

} /* namespace measure */
