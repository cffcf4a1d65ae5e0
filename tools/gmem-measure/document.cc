// SPDX-License-Identifier: GPL-2.0-only
/*
 * The document (document.h), out of the events of nlohmann's parser: it reads
 * through an iterator that counts lines.
 */
#include "tools/gmem-measure/document.h"

#include <iterator>

#include <nlohmann/json.hpp>

namespace measure
{

namespace
{

/* Where the parser is; a copy of the iterator counts into the same place. */
class LineCounter {
    public:
	using iterator_category = std::input_iterator_tag;
	using value_type = char;
	using difference_type = std::ptrdiff_t;
	using pointer = const char *;
	using reference = const char &;

	LineCounter(const char *at, unsigned *line) : at_(at), line_(line) {}

	reference operator*() const { return *at_; }
	LineCounter &operator++()
	{
		*line_ += *at_++ == '\n';
		return *this;
	}
	friend bool operator==(const LineCounter &a, const LineCounter &b)
	{
		return a.at_ == b.at_;
	}
	friend bool operator!=(const LineCounter &a, const LineCounter &b) { return !(a == b); }

    private:
	const char *at_;
	unsigned *line_;
};

class Builder : public nlohmann::json_sax<nlohmann::json> {
    public:
	explicit Builder(const unsigned &line) : line_(line) {}

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
		key_line_ = line_;
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

	/* Where the next value goes. A number is seen only when it is over: its key tells. */
	Value &place()
	{
		if (open_.empty()) {
			root_.line = line_;
			return root_;
		}
		if (auto *const object = std::get_if<Value::Object>(&top().value)) {
			object->members.back().value.line = key_line_;
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
		Value &value = place();

		value.value = std::move(content);
		/* Nothing moves what is open: only its own innermost grows. */
		open_.push_back(&value);
		return true;
	}
	bool close()
	{
		open_.pop_back();
		return true;
	}

	const unsigned &line_;
	unsigned key_line_ = 1;
	Value root_;
	std::vector<Value *> open_;
};

} /* namespace */

Value parse_document(const std::string &text)
{
	unsigned line = 1;
	Builder builder{ line };

	nlohmann::json::sax_parse(LineCounter{ text.data(), &line },
				  LineCounter{ text.data() + text.size(), &line }, &builder);
	return builder.take();
}

} /* namespace measure */
