// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two step lists beside each other (compare.h): steps that are alike at both ends are
 * left out. The longest common subsequence tells which of the others are alike.
 */
#include "tools/gmem-measure/compare.h"

#include <algorithm>
#include <array>

#include "tools/gmem-measure/refused.h"
#include "tools/gmem-measure/text.h"

namespace measure
{

namespace
{

using Lines = std::vector<std::string>;

/* The table of the subsequence has as many entries; past that, steps go by number. */
constexpr std::size_t kTableMost = 32 << 20;

std::string line_of(const SnpStep &step)
{
	static constexpr std::array<const char *, 7> kTypes{ "",     "normal",	   "vmsa",
							     "zero", "unmeasured", "secrets",
							     "cpuid" };
	std::string line = std::string(kTypes[static_cast<unsigned>(step.type)]) + " " +
			   hex_number(step.gpa);

	if (gmem::snp_page_type_hashed(step.type))
		line += " " + hex(step.contents);
	return line;
}

std::string line_of(const TdxStep &step)
{
	switch (step.op) {
	case TdxStep::Op::Add:
		return "add " + hex_number(step.gpa) + " " + hex(sha384(*step.page));
	case TdxStep::Op::Extend:
		return "extend " + hex_number(step.gpa);
	case TdxStep::Op::Finalize:
		break;
	}
	return "finalize";
}

Lines lines_of(const SnpLaunch &launch)
{
	Lines lines;

	/* The digest before the first step counts as a step, number 0. */
	lines.push_back("start " + hex(launch.start.value_or(gmem::Sha384Digest{})));
	for (const SnpStep &step : launch.steps)
		lines.push_back(line_of(step));
	return lines;
}

Lines lines_of(const TdxLaunch &launch)
{
	Lines lines{ "start" };

	for (const TdxStep &step : launch.steps)
		lines.push_back(line_of(step));
	/* Without it a list ends there all the same. */
	if (launch.steps.empty() || launch.steps.back().op != TdxStep::Op::Finalize)
		lines.push_back("finalize");
	return lines;
}

class Comparison {
    public:
	Comparison(std::ostream &out, const Lines &first, const Lines &second)
		: out_(out), first_(first), second_(second)
	{
	}

	bool run()
	{
		while (start_ < std::min(first_.size(), second_.size()) &&
		       first_[start_] == second_[start_])
			start_++;
		while (tail_ < std::min(first_.size(), second_.size()) - start_ &&
		       first_[first_.size() - 1 - tail_] == second_[second_.size() - 1 - tail_])
			tail_++;
		rows_ = first_.size() - start_ - tail_;
		columns_ = second_.size() - start_ - tail_;
		if (rows_ + columns_ == 0)
			return true;
		if ((rows_ + 1) * (columns_ + 1) <= kTableMost)
			write_by_subsequence();
		else
			write_by_number();
		return false;
	}

    private:
	bool alike(std::size_t row, std::size_t column) const
	{
		return first_[start_ + row] == second_[start_ + column];
	}
	void drop(std::size_t row) const { write('-', start_ + row, first_); }
	void add(std::size_t column) const { write('+', start_ + column, second_); }
	void write(char sign, std::size_t number, const Lines &lines) const
	{
		out_ << sign << " step " << number << ": " << lines[number] << "\n";
	}

	/* Of the lines from there on, how many can be paired. */
	std::uint32_t &common(std::size_t row, std::size_t column)
	{
		return table_[row * (columns_ + 1) + column];
	}

	void fill_table()
	{
		table_.assign((rows_ + 1) * (columns_ + 1), 0);
		for (std::size_t row = rows_; row-- > 0;) {
			for (std::size_t column = columns_; column-- > 0;)
				common(row, column) = alike(row, column)
							      ? common(row + 1, column + 1) + 1
							      : std::max(common(row + 1, column),
									 common(row, column + 1));
		}
	}

	void write_by_subsequence()
	{
		std::size_t row = 0, column = 0;

		fill_table();
		while (row < rows_ && column < columns_) {
			if (alike(row, column)) {
				row++;
				column++;
			} else if (common(row + 1, column) >= common(row, column + 1)) {
				drop(row++);
			} else {
				add(column++);
			}
		}
		while (row < rows_)
			drop(row++);
		while (column < columns_)
			add(column++);
	}

	void write_by_number() const
	{
		for (std::size_t i = 0; i < std::max(rows_, columns_); i++) {
			if (i < rows_ && i < columns_ && alike(i, i))
				continue;
			if (i < rows_)
				drop(i);
			if (i < columns_)
				add(i);
		}
	}

	std::ostream &out_;
	const Lines &first_, &second_;
	/* How many lines are alike at the start and at the end; how many are between. */
	std::size_t start_ = 0, tail_ = 0;
	std::size_t rows_ = 0, columns_ = 0;
	std::vector<std::uint32_t> table_;
};

Lines lines_of_any(const Launch &launch)
{
	return std::visit([](const auto &of_kind) { return lines_of(of_kind); }, launch);
}

} /* namespace */

bool compare(std::ostream &out, const Launch &first, const Launch &second)
{
	if (first.index() != second.index())
		throw Refused("one of the step lists is for SNP, the other for TDX");
	return Comparison(out, lines_of_any(first), lines_of_any(second)).run();
}

} /* namespace measure */
