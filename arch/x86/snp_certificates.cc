// SPDX-License-Identifier: GPL-2.0-only
/*
 * The certificates of the SNP model's guests (snp_certificates.h).
 */
#include "arch/x86/snp_certificates.h"

#include <algorithm>

#include "arch/x86/le.h"
#include "gmem/guard.h"
#include "kapi/kapi.h"

namespace gmem
{

namespace
{

/* Of an entry; the GUID is first. */
constexpr unsigned kOffset = 16, kLength = 20;

/* Under the lock of the list of VMs, which nobody holds for long. */
constinit CertificateBytes the_table{};
constinit std::size_t the_size;

using TableGuard = OnlyGuard<kapi_platforms_lock, kapi_platforms_unlock>;

} /* namespace */

bool certificates_are_good(ConstBytes table)
{
	if (table.size() > kCertificatesMost)
		return false;
	for (std::size_t at = 0; table.size() - at >= kCertificateEntrySize;
	     at += kCertificateEntrySize) {
		const ConstBytes entry = table.subspan(at, kCertificateEntrySize);
		const std::uint64_t offset = load_le(&entry[kOffset], 4);
		const std::uint64_t length = load_le(&entry[kLength], 4);

		if (std::all_of(entry.begin(), entry.end(), [](std::uint8_t b) { return b == 0; }))
			return true;
		if (offset > table.size() || length > table.size() - offset)
			return false;
	}
	return false;
}

std::size_t copy_certificates(CertificateBytes &to)
{
	TableGuard guard;

	std::copy_n(the_table.begin(), the_size, to.begin());
	return the_size;
}

} /* namespace gmem */

int gmem_snp_certificates_store(const void *table, size_t size)
{
	using namespace gmem;
	const ConstBytes bytes{ static_cast<const std::uint8_t *>(table), size };

	if (!certificates_are_good(bytes))
		return -EINVAL;

	TableGuard guard;

	std::copy(bytes.begin(), bytes.end(), the_table.begin());
	the_size = size;
	return 0;
}
