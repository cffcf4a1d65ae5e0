// SPDX-License-Identifier: GPL-2.0-only
/*
 * What platforms need of the kernel (kapi/platform.c). Frames have bytes of
 * their own here, made when they are first asked for; a page's one number, which
 * the other fakes look at, is not among them.
 */
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>

#include "kunit/fakes/locks.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/platform.h"

namespace fake
{

namespace
{

using Frame = std::array<unsigned char, 4096>;

/* Behind the last of the arena's (pages.cc). */
constexpr kapi_u64 kFrames = 0x440000;
std::array<std::atomic<Frame *>, kFrames> frames;
std::atomic<long> report_lines;
std::atomic<kapi_platform> platform{ KAPI_PLATFORM_NONE };
std::atomic<kapi_snp_guests> snp_guests{ KAPI_SNP_GUESTS_ASKED };
std::atomic<bool> user_gone_for_writing{ false };

} /* namespace */

long reports()
{
	return report_lines.exchange(0);
}

void set_platform(kapi_platform setting)
{
	platform = setting;
}

void set_snp_guests(kapi_snp_guests setting)
{
	snp_guests = setting;
}

void set_user_gone_for_writing(bool gone)
{
	user_gone_for_writing = gone;
}

} /* namespace fake */

static fake::Lock &platforms_lock()
{
	static fake::Lock lock{ fake::Rank::Platforms };

	return lock;
}

void kapi_platforms_lock(void)
{
	platforms_lock().lock();
}

void kapi_platforms_unlock(void)
{
	platforms_lock().unlock();
}

void *kapi_frame(kapi_u64 pfn)
{
	if (pfn >= fake::kFrames)
		fake::bug("pfn %#lx has no bytes", pfn);
	std::atomic<fake::Frame *> &slot = fake::frames[pfn];
	fake::Frame *frame = slot;

	if (!frame) {
		auto made = std::make_unique<fake::Frame>();

		if (slot.compare_exchange_strong(frame, made.get()))
			frame = made.release();
	}
	return frame->data();
}

void fake::clear_frame(std::uint64_t pfn)
{
	/* Frames from kFrames on have no bytes. */
	fake::Frame *const frame = pfn < fake::kFrames ? fake::frames[pfn].load() : nullptr;

	if (frame)
		frame->fill({});
}

void kapi_nap(void)
{
	fake::might_sleep("kapi_nap");
}

int kapi_user_read(void *to, const void *from, size_t size)
{
	if (!from || fake::fail_now())
		return -EFAULT;
	std::memcpy(to, from, size);
	return 0;
}

int kapi_user_write(void *to, const void *from, size_t size)
{
	if (!to || fake::user_gone_for_writing)
		return -EFAULT;
	std::memcpy(to, from, size);
	return 0;
}

void kapi_report(const char *format, ...)
{
	char line[256];
	va_list args;

	/* Formatted, so that a wrong argument is seen; printed nowhere. */
	va_start(args, format);
	std::vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fake::report_lines++;
}

enum kapi_platform kapi_setting_platform(void)
{
	return fake::platform;
}

enum kapi_snp_guests kapi_setting_snp_guests(void)
{
	return fake::snp_guests;
}
