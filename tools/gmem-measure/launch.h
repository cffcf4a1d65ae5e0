/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A launch as the steps that are measured, and what they come to. Where steps come
 * from is for others to say: a document (steps.h), or firmware (predict.h).
 */
#ifndef GMEM_MEASURE_LAUNCH_H
#define GMEM_MEASURE_LAUNCH_H

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arch/x86/snp_digest.h"
#include "arch/x86/tdx_mrtd.h"
#include "tools/gmem-measure/file.h"

namespace measure
{

/* Past what a PAGE_INFO and a TDX operand can hold. */
inline constexpr std::uint64_t kGpaEnd = 1ull << 52;

struct SnpStep {
	gmem::SnpPageType type;
	std::uint64_t gpa;
	gmem::Sha384Digest contents; /* zeros where content is not measured */
};

struct SnpLaunch {
	/* The digest before the first step, where that is not the beginning. */
	std::optional<gmem::Sha384Digest> start;
	std::vector<SnpStep> steps;
};

struct TdxStep {
	enum class Op { Add, Extend, Finalize };

	Op op;
	std::uint64_t gpa;
	/* Of the step that added it, and of those that extend with it. */
	std::shared_ptr<const Contents> page;
	/* "file:offset" or "zero", as far as it is known. */
	std::string source;
};

struct TdxLaunch {
	std::vector<TdxStep> steps;
};

/* CONTENTS of a step that adds @page. */
gmem::Sha384Digest contents_of(gmem::SnpPageType type, gmem::ConstBytes page);
gmem::Sha384Digest sha384(gmem::ConstBytes data);

/* MEASUREMENT and MRTD; std::runtime_error where hashing itself fails. */
gmem::Sha384Digest digest_of(const SnpLaunch &launch);
gmem::Sha384Digest digest_of(const TdxLaunch &launch);

} /* namespace measure */

#endif /* GMEM_MEASURE_LAUNCH_H */
