// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages to and from the SNP firmware (snp_message.h).
 */
#include "arch/x86/snp_message.h"

#include <algorithm>

#include "arch/x86/le.h"

namespace gmem
{

namespace
{

/* Of the page. The tag comes first, and what it covers besides the payload begins at kAlgorithm. */
constexpr unsigned kNumber = 0x20, kAlgorithm = 0x30, kHeaderVersion = 0x31, kHeaderSize = 0x32,
		   kType = 0x34, kVersion = 0x35, kSize = 0x36, kKey = 0x3c, kPayload = 0x60;

constexpr unsigned kAes256Gcm = 1, kHeaderVersionOne = 1, kMessageVersion = 1;
/* Sizes of payloads are multiples of it. */
constexpr unsigned kBlock = 16;

} /* namespace */

std::uint64_t SnpMessage::number() const
{
	return load_le(&page_[kNumber], 8);
}

SnpMessageType SnpMessage::type() const
{
	return SnpMessageType{ page_[kType] };
}

unsigned SnpMessage::version() const
{
	return page_[kVersion];
}

unsigned SnpMessage::key() const
{
	return page_[kKey];
}

unsigned SnpMessage::size() const
{
	return static_cast<unsigned>(load_le(&page_[kSize], 2));
}

bool SnpMessage::header_is_good() const
{
	return page_[kHeaderVersion] == kHeaderVersionOne &&
	       load_le(&page_[kHeaderSize], 2) == kPayload && page_[kAlgorithm] == kAes256Gcm &&
	       size() != 0 && size() % kBlock == 0 && size() <= kPageSize - kPayload;
}

std::span<std::uint8_t> SnpMessage::payload() const
{
	return page_.subspan(kPayload, size());
}

void SnpMessage::begin(SnpMessageType type, unsigned size, unsigned key, std::uint64_t number)
{
	std::fill(page_.begin(), page_.end(), 0);
	store_le(&page_[kNumber], number, 8);
	page_[kAlgorithm] = kAes256Gcm;
	page_[kHeaderVersion] = kHeaderVersionOne;
	store_le(&page_[kHeaderSize], kPayload, 2);
	page_[kType] = static_cast<std::uint8_t>(type);
	page_[kVersion] = kMessageVersion;
	store_le(&page_[kSize], size, 2);
	page_[kKey] = static_cast<std::uint8_t>(key);
}

Status SnpMessage::crypt(const SnpKey &key, int (*by)(const kapi_gcm *))
{
	std::array<std::uint8_t, KAPI_GCM_IV_SIZE> iv{};

	store_le(iv.data(), number(), 8);

	const kapi_gcm message{
		.key = key.data(),
		.iv = iv.data(),
		.aad = &page_[kAlgorithm],
		.aad_size = kPayload - kAlgorithm,
		.text = &page_[kPayload],
		.size = size(),
		.tag = page_.data(),
	};

	return Status{ by(&message) };
}

Status SnpMessage::decrypt(const SnpKey &key)
{
	return crypt(key, kapi_gcm_decrypt);
}

Status SnpMessage::encrypt(const SnpKey &key)
{
	return crypt(key, kapi_gcm_encrypt);
}

} /* namespace gmem */
