// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page of kernel hashes (kernel_hashes.h): a table of GUID, size (16 bits) and
 * entries, each of which is GUID, size and a SHA-256. QEMU pads it to 16 bytes.
 */
#include "tools/gmem-measure/kernel_hashes.h"

#include <algorithm>
#include <stdexcept>

#include <openssl/evp.h>

#include "tools/gmem-measure/refused.h"

namespace measure
{

namespace
{

/* The most bytes of an image: a guest is told the size in 32 bits. */
constexpr std::uint64_t kImageMost = 4ull << 30;

constexpr Guid kTable = guid("9438d606-4f22-4cc9-b479-a793d411fd21");
constexpr Guid kCmdline = guid("97d02dd8-bd20-4c94-aa78-e7714d36ab2a");
constexpr Guid kInitrd = guid("44baf731-3a2f-4bd7-9af1-41e29169781d");
constexpr Guid kKernel = guid("4de79437-abd2-427f-b835-d5b172d2045b");

constexpr std::uint16_t kHeaderSize = 16 + 2;
constexpr std::uint16_t kEntrySize = kHeaderSize + 32;
constexpr std::uint16_t kTableSize = kHeaderSize + 3 * kEntrySize;
constexpr std::uint64_t kPaddedSize = (kTableSize + 15) & ~15;

Sha256Digest sha256(const Contents &data)
{
	Sha256Digest digest;

	if (EVP_Digest(data.data(), data.size(), digest.data(), nullptr, EVP_sha256(), nullptr) !=
	    1)
		throw std::runtime_error("SHA-256 failed");
	return digest;
}

Contents::iterator put_header(Contents::iterator at, const Guid &guid, std::uint16_t size)
{
	at = std::copy(guid.begin(), guid.end(), at);
	*at++ = static_cast<std::uint8_t>(size);
	*at++ = static_cast<std::uint8_t>(size >> 8);
	return at;
}

} /* namespace */

KernelHashes hash_kernel(const std::string &kernel, const std::optional<std::string> &initrd,
			 const std::string &append)
{
	Contents cmdline(append.begin(), append.end());

	cmdline.push_back(0);
	return { sha256(read_file(kernel, kImageMost)),
		 sha256(initrd ? read_file(*initrd, kImageMost) : Contents{}), sha256(cmdline) };
}

Contents kernel_hashes_page(const KernelHashes &hashes, std::uint64_t offset)
{
	Contents page(kPageSize);

	if (offset > kPageSize - kPaddedSize)
		throw Refused("the firmware's table of kernel hashes, at " + hex_number(offset) +
			      " of its page, does not fit in there");

	auto at = put_header(page.begin() + static_cast<std::ptrdiff_t>(offset), kTable,
			     kTableSize);

	for (const auto &[guid, digest] :
	     { std::pair{ kCmdline, hashes.cmdline }, std::pair{ kInitrd, hashes.initrd },
	       std::pair{ kKernel, hashes.kernel } }) {
		at = put_header(at, guid, kEntrySize);
		at = std::copy(digest.begin(), digest.end(), at);
	}
	return page;
}

} /* namespace measure */
