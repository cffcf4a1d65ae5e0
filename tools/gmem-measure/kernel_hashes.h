/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page in which QEMU tells measured firmware which kernel, initrd and command
 * line it is going to be given.
 */
#ifndef GMEM_MEASURE_KERNEL_HASHES_H
#define GMEM_MEASURE_KERNEL_HASHES_H

#include <optional>
#include <string>

#include "tools/gmem-measure/file.h"
#include "tools/gmem-measure/text.h"

namespace measure
{

using Sha256Digest = std::array<std::uint8_t, 32>;

struct KernelHashes {
	Sha256Digest kernel, initrd, cmdline;
};

/* Names of files; no initrd is an empty one. Refused where one cannot be read. */
KernelHashes hash_kernel(const std::string &kernel, const std::optional<std::string> &initrd,
			 const std::string &append);

/* The page with its table at @offset; refused where it does not fit in there. */
Contents kernel_hashes_page(const KernelHashes &hashes, std::uint64_t offset);

} /* namespace measure */

#endif /* GMEM_MEASURE_KERNEL_HASHES_H */
