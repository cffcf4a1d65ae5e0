// SPDX-License-Identifier: GPL-2.0-only
/*
 * MRTD of TDX (tdx_mrtd.h).
 */
#include "arch/x86/tdx_mrtd.h"

#include <algorithm>
#include <string_view>

#include "arch/x86/le.h"

namespace gmem
{

namespace
{

/* What an operation puts in front of its data: its name and the GPA. */
constexpr unsigned kHeaderSize = 128;
constexpr unsigned kHeaderGpa = 16;

std::array<std::uint8_t, kHeaderSize> header(std::string_view name, std::uint64_t gpa)
{
	std::array<std::uint8_t, kHeaderSize> block{};

	std::copy(name.begin(), name.end(), block.begin());
	store_le(&block[kHeaderGpa], gpa, 8);
	return block;
}

} /* namespace */

Result<TdxMrtd> TdxMrtd::create()
{
	TdxMrtd mrtd;
	GMEM_TRY(sha, Sha384::create());

	mrtd.sha_ = std::move(sha);
	return mrtd;
}

Status TdxMrtd::add(std::uint64_t gpa)
{
	return sha_.update(header("MEM.PAGE.ADD", gpa));
}

Status TdxMrtd::extend(std::uint64_t gpa, ConstBytes chunk)
{
	GMEM_CHECK(sha_.update(header("MR.EXTEND", gpa)));
	return sha_.update(chunk);
}

} /* namespace gmem */
