// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fuzzer of guests' messages to the SNP firmware (`make fuzz-messages`): libFuzzer's bytes are
 * first how the message is sent, then the page; most are encrypted, so that they come through. An
 * answer is the firmware's own and next in sequence, or there is none and nothing has changed.
 */
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>

#include "arch/x86/snp_chip.h"
#include "arch/x86/snp_model.h"

namespace
{

using namespace gmem;

using PageBytes = std::array<std::uint8_t, kPageSize>;

constexpr Pfn kGctx{ 0x40000 };

void require(bool holds)
{
	if (!holds)
		std::abort();
}

/* A guest that runs. */
struct World {
	World()
	{
		require(chip.make().ok() && rmp.cover(kGctx, 1).ok() &&
			rmp.update(kGctx, { 0, true, RmpSize::k4K, true, 0 }) == RmpCode::Ok &&
			firmware.gctx_create(guest, kGctx) == SnpStatus::Success &&
			firmware.launch_start(guest) == SnpStatus::Success &&
			firmware.activate(guest, 1) == SnpStatus::Success &&
			firmware.launch_finish(guest) == SnpStatus::Success);
	}

	SnpChip chip;
	Rmp rmp;
	SnpFirmware firmware{ rmp, &chip };
	SnpGuest guest;
};

/* The reverse map table's. There is one, which goes with the program. */
std::map<kapi_u64, void *> &entries = *new std::map<kapi_u64, void *>;

/* As the guest with the input's key would, whatever the header says; its number, too. */
void send(const SnpGuest &guest, std::uint8_t how, PageBytes &page)
{
	const unsigned key = page[0x3c] % kSnpKeys;
	SnpMessage message{ page };

	if (how & 1)
		return;
	page[0x30] = page[0x31] = 1;
	page[0x32] = 0x60;
	page[0x33] = 0;
	page[0x3c] = static_cast<std::uint8_t>(key);
	if (how & 2) {
		const std::uint64_t next = guest.messages.counts[key] + 1;

		std::memcpy(&page[0x20], &next, sizeof(next));
	}
	if (how & 4) {
		page[0x34] = how & 8 ? 5 : 3;
		page[0x35] = 1;
		page[0x36] = how & 16 ? 0x60 : 0x20;
		page[0x37] = 0;
	}
	if (message.header_is_good())
		(void)message.encrypt(guest.messages.keys[key]);
}

} /* namespace */

/* ---- what the firmware's model takes of the boundary, on one thread --------------------- */

void kapi_mutex_init(struct kapi_mutex *, enum kapi_lock_class) {}
void kapi_mutex_lock(struct kapi_mutex *) {}
int kapi_mutex_lock_killable(struct kapi_mutex *)
{
	return 0;
}

void kapi_mutex_unlock(struct kapi_mutex *) {}
void kapi_platforms_lock(void) {}
void kapi_platforms_unlock(void) {}
void kapi_stat_add(enum kapi_stat, long) {}
void kapi_seq_print(void *, const char *, ...) {}

void *kapi_alloc(size_t size)
{
	return std::calloc(1, size);
}

void *kapi_alloc_many(size_t size)
{
	return kapi_alloc(size);
}

void kapi_free(const void *p)
{
	std::free(const_cast<void *>(p));
}

void kapi_report(const char *, ...)
{
	std::abort();
}

void kapi_warn_once(const char *)
{
	std::abort();
}

void kapi_xa_init(struct kapi_xarray *) {}
void kapi_xa_destroy(struct kapi_xarray *) {}

void *kapi_xa_load(struct kapi_xarray *, kapi_u64 index)
{
	const auto at = entries.find(index);

	return at == entries.end() ? nullptr : at->second;
}

void *kapi_xa_find(struct kapi_xarray *, kapi_u64 *index, kapi_u64 max)
{
	const auto at = entries.lower_bound(*index);

	if (at == entries.end() || at->first > max)
		return nullptr;
	*index = at->first;
	return at->second;
}

int kapi_xa_insert(struct kapi_xarray *, kapi_u64 index, void *entry, void **present)
{
	*present = entries.emplace(index, entry).first->second;
	return *present == entry ? 0 : -EBUSY;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	static World &world = *new World; /* for all inputs, to the end */
	PageBytes page{}, untouched{}, answer;

	if (!size)
		return 0;
	std::memcpy(page.data(), data + 1, std::min(size - 1, page.size()));
	send(world.guest, data[0], page);
	untouched.fill(0xaa);
	answer = untouched;

	const auto before = world.guest.messages.counts;
	const Result<SnpStatus> status =
		world.firmware.guest_request(world.guest, SnpMessage{ page }, SnpMessage{ answer });

	require(status.ok());
	if (status.value() != SnpStatus::Success) {
		require(world.guest.messages.counts == before && answer == untouched);
		return 0;
	}

	const unsigned key = page[0x3c];
	SnpMessage said{ answer };

	require(said.header_is_good() && said.key() == key && said.number() == before[key] + 2 &&
		world.guest.messages.counts[key] == before[key] + 2 &&
		said.decrypt(world.guest.messages.keys[key]).ok());
	return 0;
}
