// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the steps of a launch come to (launch.h).
 */
#include "tools/gmem-measure/launch.h"

#include <stdexcept>

namespace measure
{

namespace
{

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

} /* namespace */

gmem::Sha384Digest contents_of(gmem::SnpPageType type, gmem::ConstBytes page)
{
	return worked(worked(gmem::SnpDigest::create()).contents(type, page));
}

gmem::Sha384Digest sha384(gmem::ConstBytes data)
{
	auto sha = worked(gmem::Sha384::create());

	worked(sha.update(data));
	return worked(sha.finish());
}

gmem::Sha384Digest digest_of(const SnpLaunch &launch)
{
	auto digest = worked(gmem::SnpDigest::create(launch.start.value_or(gmem::Sha384Digest{})));

	for (const SnpStep &step : launch.steps)
		worked(digest.add_contents(step.type, step.gpa, step.contents));
	return digest.value();
}

gmem::Sha384Digest digest_of(const TdxLaunch &launch)
{
	auto mrtd = worked(gmem::TdxMrtd::create());

	for (const TdxStep &step : launch.steps) {
		if (step.op == TdxStep::Op::Add)
			worked(mrtd.add(step.gpa));
		else if (step.op == TdxStep::Op::Extend)
			worked(mrtd.extend(step.gpa,
					   gmem::ConstBytes{ *step.page }.subspan(
						   step.gpa % kPageSize, gmem::kTdxChunkSize)));
	}
	/* A launch is measured when it ends: a list without its end has it there. */
	return worked(mrtd.finalize());
}

} /* namespace measure */
