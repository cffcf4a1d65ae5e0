// SPDX-License-Identifier: GPL-2.0-only
/*
 * The launch (launch.h): what each field must be, and the steps in their order.
 */
#include "tools/gmem-measure/launch.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <map>
#include <string_view>

#include "arch/x86/snp_digest.h"
#include "arch/x86/tdx_mrtd.h"

namespace measure
{

namespace
{

constexpr std::size_t kPageSize = 4096;
/* What a PAGE_INFO and a TDX operand can hold. */
constexpr std::uint64_t kGpaEnd = 1ull << 52;

using Page = std::array<std::uint8_t, kPageSize>;

template <class T> T worked(gmem::Result<T> result)
{
	if (!result.ok())
		throw std::runtime_error("SHA-384 failed");
	return std::move(result).value();
}

void worked(gmem::Status status)
{
	if (!status.ok())
		throw std::runtime_error("SHA-384 failed");
}

/* An object of the document; complaints name the field and its line. */
class Fields {
    public:
	Fields(const Value &value, const std::string &name)
		: object_(std::get_if<Value::Object>(&value.value)), line_(value.line)
	{
		if (!object_)
			throw BadInput(value.line, name + " is not an object");
	}

	unsigned line() const { return line_; }

	const Value *find(std::string_view name) const
	{
		for (const Member &member : object_->members) {
			if (member.name == name)
				return &member.value;
		}
		return nullptr;
	}

	const Value &get(const std::string &name) const
	{
		const Value *const value = find(name);

		if (!value)
			throw BadInput(line_, "field \"" + name + "\" is missing");
		return *value;
	}

	const std::string &text(const std::string &name) const
	{
		const Value &value = get(name);
		const auto *const string = std::get_if<std::string>(&value.value);

		if (!string)
			throw BadInput(value.line, "field \"" + name + "\" is not a string");
		return *string;
	}

	[[noreturn]] void refuse(const std::string &name, const std::string &why) const
	{
		throw BadInput(get(name).line, "field \"" + name + "\": " + why);
	}

	void only(std::initializer_list<std::string_view> known) const
	{
		for (const Member &member : object_->members) {
			if (std::find(known.begin(), known.end(), member.name) == known.end())
				throw BadInput(member.value.line,
					       "field \"" + member.name +
						       "\" does not belong here");
		}
	}

    private:
	const Value::Object *object_;
	unsigned line_;
};

bool parse_number(std::string_view text, std::uint64_t &number)
{
	int base = 10;

	if (text.starts_with("0x") || text.starts_with("0X")) {
		text.remove_prefix(2);
		base = 16;
	}
	const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number,
						    base);

	return failure == std::errc{} && end == text.data() + text.size();
}

std::uint64_t parse_gpa(const Fields &step, std::uint64_t alignment)
{
	std::uint64_t gpa = 0;

	if (!parse_number(step.text("gpa"), gpa))
		step.refuse("gpa", "not a number like \"0xfffff000\"");
	if (gpa % alignment)
		step.refuse("gpa", "not a multiple of " + std::to_string(alignment));
	if (gpa >= kGpaEnd)
		step.refuse("gpa", "past the 52 bits of a physical address");
	return gpa;
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

template <std::size_t Size>
std::array<std::uint8_t, Size> parse_hex(const Fields &step, const std::string &name)
{
	const std::string &text = step.text(name);
	std::array<std::uint8_t, Size> bytes;

	if (text.size() != 2 * Size)
		step.refuse(name, "not the hex digits of " + std::to_string(Size) + " bytes");
	for (std::size_t i = 0; i < Size; i++) {
		const int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			step.refuse(name, "no hex digit at position " + std::to_string(2 * i));
		/* cppcheck does not see that refuse() never returns. */
		// cppcheck-suppress shiftNegativeLHS
		bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
	}
	return bytes;
}

bool all_hex(const std::string &text)
{
	return std::all_of(text.begin(), text.end(), [](char c) { return hex_digit(c) >= 0; });
}

/* "zero", "ones", 8192 hex digits, or "file:offset". */
Page parse_page(const Fields &step, const std::string &folder)
{
	const std::string &text = step.text("page");
	const std::size_t colon = text.rfind(':');
	Page page;

	if (text == "zero" || text == "ones") {
		page.fill(text == "zero" ? 0x00 : 0xff);
		return page;
	}
	if (colon == std::string::npos) {
		if (!all_hex(text))
			step.refuse("page", "neither zero, ones, hex digits nor file:offset");
		return parse_hex<kPageSize>(step, "page");
	}

	const std::filesystem::path path = std::filesystem::path(folder) / text.substr(0, colon);
	std::uint64_t offset = 0;

	if (!parse_number(std::string_view(text).substr(colon + 1), offset) || offset >> 62)
		step.refuse("page", "the offset after the colon is not a number");

	std::ifstream file(path, std::ios::binary);

	if (!file)
		step.refuse("page", "cannot open " + path.string());
	file.seekg(static_cast<std::streamoff>(offset));
	file.read(reinterpret_cast<char *>(page.data()), page.size());
	if (!file)
		step.refuse("page",
			    path.string() + " has no whole page at " + std::to_string(offset));
	return page;
}

gmem::Sha384Digest measure_snp(const std::vector<Value> &steps, const std::string &folder)
{
	auto digest = worked(gmem::SnpDigest::create());

	for (const Value &value : steps) {
		const Fields step(value, "a step");

		step.only({ "type", "gpa", "page", "contents" });

		const auto *const number = std::get_if<std::uint64_t>(&step.get("type").value);

		if (!number || *number > 255 ||
		    !gmem::snp_page_type_known(static_cast<unsigned>(*number)))
			step.refuse("type", "not a page type, 1 to 6");

		const auto type = static_cast<gmem::SnpPageType>(*number);
		const std::uint64_t gpa = parse_gpa(step, kPageSize);

		if (step.find("page") && step.find("contents"))
			step.refuse("contents", "there is \"page\" already");
		if (step.find("contents")) {
			const auto contents = parse_hex<KAPI_SHA384_SIZE>(step, "contents");

			if (!gmem::snp_page_type_hashed(type))
				step.refuse("contents", "pages of this type have none that counts");
			worked(digest.add_contents(type, gpa, contents));
		} else {
			Page page{};

			/* Where content does not count, there need not be any. */
			if (gmem::snp_page_type_hashed(type) || step.find("page"))
				page = parse_page(step, folder);
			worked(digest.add_page(type, gpa, page));
		}
	}
	return digest.value();
}

gmem::Sha384Digest measure_tdx(const std::vector<Value> &steps, const std::string &folder)
{
	auto mrtd = worked(gmem::TdxMrtd::create());
	std::map<std::uint64_t, Page> pages;
	bool finalized = false;

	for (const Value &value : steps) {
		const Fields step(value, "a step");
		const std::string &op = step.text("op");

		if (finalized)
			step.refuse("op", "nothing comes after finalize");
		if (op == "add") {
			step.only({ "op", "gpa", "page" });

			const std::uint64_t gpa = parse_gpa(step, kPageSize);

			if (!pages.emplace(gpa, parse_page(step, folder)).second)
				step.refuse("gpa", "a page was added there before");
			worked(mrtd.add(gpa));
		} else if (op == "extend") {
			step.only({ "op", "gpa" });

			const std::uint64_t gpa = parse_gpa(step, gmem::kTdxChunkSize);
			const auto page = pages.find(gpa / kPageSize * kPageSize);

			if (page == pages.end())
				step.refuse("gpa", "no page was added there");
			worked(mrtd.extend(gpa, gmem::ConstBytes{ page->second }.subspan(
							gpa % kPageSize, gmem::kTdxChunkSize)));
		} else if (op == "finalize") {
			step.only({ "op" });
			finalized = true;
		} else {
			step.refuse("op", "neither add, extend nor finalize");
		}
	}
	/* A launch is measured when it ends: a list without its end has it there. */
	return worked(mrtd.finalize());
}

} /* namespace */

gmem::Sha384Digest measure_launch(const Value &document, const std::string &folder)
{
	const Fields top(document, "the document");

	top.only({ "kind", "steps" });

	const std::string &kind = top.text("kind");
	const auto *const steps = std::get_if<Value::Array>(&top.get("steps").value);

	if (!steps)
		top.refuse("steps", "not an array");
	if (kind == "snp")
		return measure_snp(steps->values, folder);
	if (kind == "tdx")
		// cppcheck-suppress missingReturn
		return measure_tdx(steps->values, folder);
	top.refuse("kind", "neither snp nor tdx");
}

} /* namespace measure */
