/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The launch that a document describes, carried out on the digests alone.
 */
#ifndef GMEM_MEASURE_LAUNCH_H
#define GMEM_MEASURE_LAUNCH_H

#include "arch/x86/sha384.h"
#include "tools/gmem-measure/document.h"

namespace measure
{

/*
 * The digest of a launch. Throws BadInput, and std::runtime_error where hashing
 * itself fails. Relative names of page files are relative to @folder.
 */
gmem::Sha384Digest measure_launch(const Value &document, const std::string &folder);

} /* namespace measure */

#endif /* GMEM_MEASURE_LAUNCH_H */
