// SPDX-License-Identifier: GPL-2.0-only
/*
 * Step lists (steps.h), read: what each field must be. They are written in
 * steps_write.cc.
 */
#include "tools/gmem-measure/steps.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "tools/gmem-measure/fields.h"
#include "tools/gmem-measure/text.h"

namespace measure
{

namespace
{

constexpr std::uint64_t kTextMost = 1 << 30;

/* The most functions that the SNP firmware takes in a CPUID page, behind a count. */
constexpr std::uint8_t kCpuidMost = 64;

struct Page {
	Contents contents;
	std::string source;
};

gmem::Sha384Digest digest_field(const Fields &fields, const std::string &name)
{
	const auto digest = parse_digest(fields.text(name));

	if (!digest)
		fields.refuse(name, "not the hex digits of 48 bytes");
	return *digest;
}

Contents hex_page(const Fields &step, const std::string &text)
{
	auto contents = parse_hex(text);

	if (!contents)
		step.refuse("page", "neither zero, ones, hex digits nor file:offset");
	if (contents->size() != kPageSize)
		step.refuse("page",
			    "not the hex digits of " + std::to_string(kPageSize) + " bytes");
	return std::move(*contents);
}

Page file_page(const Fields &step, const std::string &text, const std::string &folder)
{
	const std::size_t colon = text.rfind(':');
	const std::string path = std::filesystem::path(folder) / text.substr(0, colon);
	const auto offset = parse_number(std::string_view(text).substr(colon + 1));

	if (!offset)
		step.refuse("page", "the offset after the colon is not a number");
	try {
		return { read_page(path, *offset), path + ":" + hex_number(*offset) };
	} catch (const Refused &e) {
		step.refuse("page", e.what());
	}
}

/* "zero", "ones", 8192 hex digits, or "file:offset". */
Page parse_page(const Fields &step, const std::string &folder)
{
	const std::string &text = step.text("page");

	if (text == "zero" || text == "ones")
		return { Contents(kPageSize, text == "zero" ? 0x00 : 0xff), text };
	if (text.find(':') == std::string::npos)
		return { hex_page(step, text), "" };
	return file_page(step, text, folder);
}

gmem::SnpPageType parse_type(const Fields &step)
{
	const auto *const number = std::get_if<std::uint64_t>(&step.get("type").value);

	if (!number || *number > 255 || !gmem::snp_page_type_known(static_cast<unsigned>(*number)))
		step.refuse("type", "not a page type, 1 to 6");
	return static_cast<gmem::SnpPageType>(*number);
}

/* Other pages than the firmware would take have no digest. */
void check_cpuid(const Fields &step, const Contents &page)
{
	const auto nonzero = [](std::uint8_t byte) { return byte != 0; };

	if (page[0] > kCpuidMost || std::any_of(page.begin() + 1, page.begin() + 16, nonzero))
		step.refuse("page", "no CPUID page: it begins with a count, " +
					    std::to_string(kCpuidMost) +
					    " at the most, and 12 reserved bytes");
}

gmem::Sha384Digest parse_contents(const Fields &step, gmem::SnpPageType type,
				  const std::string &folder)
{
	const bool hashed = gmem::snp_page_type_hashed(type);

	if (step.find("contents")) {
		const auto contents = digest_field(step, "contents");

		if (step.find("page"))
			step.refuse("contents", "there is \"page\" already");
		if (!hashed && contents != gmem::Sha384Digest{})
			step.refuse("contents", "pages of this type have zeros");
		return contents;
	}
	/* Where content does not count, there need not be any. */
	if (!hashed && !step.find("page"))
		return {};

	const Contents page = parse_page(step, folder).contents;

	if (type == gmem::SnpPageType::Cpuid)
		check_cpuid(step, page);
	return contents_of(type, page);
}

SnpLaunch read_snp(const Fields &top, const std::vector<Value> &steps, const std::string &folder)
{
	SnpLaunch launch;

	top.only({ "kind", "start", "digest", "steps" });
	if (top.find("start"))
		launch.start = digest_field(top, "start");
	for (const Value &value : steps) {
		const Fields step(value, "a step");

		step.only({ "type", "gpa", "page", "contents" });

		const auto type = parse_type(step);
		const std::uint64_t gpa = step.gpa(kPageSize);

		launch.steps.push_back({ type, gpa, parse_contents(step, type, folder) });
	}
	return launch;
}

class TdxReader {
    public:
	explicit TdxReader(const std::string &folder) : folder_(folder) {}

	TdxLaunch take() { return std::move(launch_); }

	void read(const Fields &step)
	{
		const std::string &op = step.text("op");

		if (!launch_.steps.empty() && launch_.steps.back().op == TdxStep::Op::Finalize)
			step.refuse("op", "nothing comes after finalize");
		if (op == "add")
			add(step);
		else if (op == "extend")
			extend(step);
		else if (op == "finalize")
			finalize(step);
		else
			step.refuse("op", "neither add, extend nor finalize");
	}

    private:
	void add(const Fields &step)
	{
		step.only({ "op", "gpa", "page" });

		const std::uint64_t gpa = step.gpa(kPageSize);
		Page page = parse_page(step, folder_);
		auto contents = std::make_shared<const Contents>(std::move(page.contents));

		if (!pages_.emplace(gpa, contents).second)
			step.refuse("gpa", "a page was added there before");
		launch_.steps.push_back(
			{ TdxStep::Op::Add, gpa, std::move(contents), std::move(page.source) });
	}

	void extend(const Fields &step)
	{
		step.only({ "op", "gpa" });

		const std::uint64_t gpa = step.gpa(gmem::kTdxChunkSize);
		const auto page = pages_.find(gpa / kPageSize * kPageSize);

		if (page == pages_.end())
			step.refuse("gpa", "no page was added there");
		launch_.steps.push_back({ TdxStep::Op::Extend, gpa, page->second, "" });
	}

	void finalize(const Fields &step)
	{
		step.only({ "op" });
		launch_.steps.push_back({ TdxStep::Op::Finalize, 0, nullptr, "" });
	}

	const std::string &folder_;
	std::map<std::uint64_t, std::shared_ptr<const Contents>> pages_;
	TdxLaunch launch_;
};

TdxLaunch read_tdx(const Fields &top, const std::vector<Value> &steps, const std::string &folder)
{
	TdxReader reader(folder);

	top.only({ "kind", "digest", "steps" });
	for (const Value &step : steps)
		reader.read(Fields(step, "a step"));
	return reader.take();
}

} /* namespace */

gmem::Sha384Digest digest_of(const Launch &launch)
{
	return std::visit([](const auto &of_kind) { return digest_of(of_kind); }, launch);
}

Launch read_steps(const Value &document, const std::string &folder)
{
	const Fields top(document, "the document");
	const std::string &kind = top.text("kind");
	const auto *const steps = std::get_if<Value::Array>(&top.get("steps").value);

	if (!steps)
		top.refuse("steps", "not an array");
	if (steps->values.size() > kStepsMost)
		top.refuse("steps", "more than " + std::to_string(kStepsMost));
	if (kind != "snp" && kind != "tdx")
		top.refuse("kind", "neither snp nor tdx");

	Launch launch = kind == "snp" ? Launch{ read_snp(top, steps->values, folder) }
				      : Launch{ read_tdx(top, steps->values, folder) };

	if (top.find("digest") && digest_field(top, "digest") != digest_of(launch))
		top.refuse("digest", "the steps come to " + hex(digest_of(launch)));
	return launch;
}

Launch read_steps_file(const std::string &name)
{
	const auto folder = std::filesystem::path(name == "-" ? "" : name).parent_path();
	const std::string text = read_text(name, kTextMost);

	return about(name, [&] { return read_steps(parse_document(text), folder.string()); });
}

} /* namespace measure */
