/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages as a guest makes them, good and bad: written from the layout, without the code that
 * reads them, but for the cipher.
 */
#ifndef GMEM_KUNIT_SNP_GUEST_MESSAGE_H
#define GMEM_KUNIT_SNP_GUEST_MESSAGE_H

#include <algorithm>
#include <cstring>

#include "arch/x86/snp_message.h"
#include "kunit/suites/patterns.h"

namespace gmem::test
{

struct MessageHeader {
	std::uint64_t number = 1;
	unsigned algorithm = 1, header_version = 1, header_size = 0x60;
	unsigned type = 5, version = 1, key = 0;
	unsigned size = ~0u; /* the payload's own */
};

/* @payload, and zeros if the header says more; encrypted if there is room for that. */
inline PageBytes message_of(const MessageHeader &header, ConstBytes payload, const SnpKey &key)
{
	const auto size = static_cast<unsigned>(header.size == ~0u ? payload.size() : header.size);
	unsigned char iv[KAPI_GCM_IV_SIZE] = {};
	PageBytes page{};

	std::memcpy(&page[0x20], &header.number, 8);
	std::memcpy(iv, &header.number, 8);
	page[0x30] = static_cast<std::uint8_t>(header.algorithm);
	page[0x31] = static_cast<std::uint8_t>(header.header_version);
	std::memcpy(&page[0x32], &header.header_size, 2);
	page[0x34] = static_cast<std::uint8_t>(header.type);
	page[0x35] = static_cast<std::uint8_t>(header.version);
	std::memcpy(&page[0x36], &size, 2);
	page[0x3c] = static_cast<std::uint8_t>(header.key);
	std::copy_n(payload.begin(), std::min<std::size_t>(size, payload.size()), &page[0x60]);

	const kapi_gcm message{
		.key = key.data(),
		.iv = iv,
		.aad = &page[0x30],
		.aad_size = 0x30,
		.text = &page[0x60],
		.size = std::min<std::size_t>(size, page.size() - 0x60),
		.tag = page.data(),
	};

	if (kapi_gcm_encrypt(&message) != 0)
		page = {};
	return page;
}

using ReportRequestBytes = std::array<std::uint8_t, 0x60>;

/* MSG_REPORT_REQ. */
inline ReportRequestBytes report_request(std::uint32_t vmpl = 0, std::uint8_t data = 0x11)
{
	ReportRequestBytes request{};

	std::fill_n(request.begin(), 64, data);
	std::memcpy(&request[0x40], &vmpl, sizeof(vmpl));
	return request;
}

using KeyRequestBytes = std::array<std::uint8_t, 0x20>;

struct KeyRequest {
	std::uint32_t select = 0, reserved = 0;
	std::uint64_t fields = 0;
	std::uint32_t vmpl = 0, guest_svn = 0;
	std::uint64_t tcb = 0;
};
static_assert(sizeof(KeyRequest) == sizeof(KeyRequestBytes));

/* MSG_KEY_REQ, which has these fields one after the other. */
inline KeyRequestBytes key_request(const KeyRequest &fields)
{
	KeyRequestBytes request;

	std::memcpy(request.data(), &fields, sizeof(fields));
	return request;
}

} /* namespace gmem::test */

#endif /* GMEM_KUNIT_SNP_GUEST_MESSAGE_H */
