// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a populate on the SNP model takes beside SHA-384 alone of the same
 * bytes: 64 MiB, which is what the fakes have frames for, some rounds of it. No
 * test. An emulated machine copies memory a word at a time, this one does not.
 */
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include <uapi/gmem.h>

#include "arch/x86/sha384.h"
#include "kunit/fakes/platform.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

void gmem_case_failed(const char *file, int line, const char *what)
{
	std::fprintf(stderr, "%s:%d: %s\n", file, line, what);
}

void gmem_case_differs(const char *file, int line, const char *what, long long, long long)
{
	gmem_case_failed(file, line, what);
}

namespace
{

constexpr std::uint64_t kPages = 16384, kRounds = 8, kHeader = 112;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

double hash_alone(const std::vector<std::uint8_t> &source)
{
	gmem::Sha384 sha = std::move(gmem::Sha384::create()).value();
	std::array<std::uint8_t, kHeader> header{};
	const Clock::time_point from = Clock::now();

	for (std::uint64_t i = 0; i < kPages; i++) {
		(void)sha.update({ source.data() + i * kPageSize, kPageSize }).ok();
		const gmem::Sha384Digest digest = sha.finish().value();

		std::memcpy(header.data(), digest.data(), digest.size());
		(void)sha.update(header).ok();
		(void)sha.finish().ok();
	}
	return Milliseconds{ Clock::now() - from }.count();
}

double populate(const std::vector<std::uint8_t> &source, unsigned type)
{
	double took;
	{
		const Guest guest{ kPages };
		struct file *const file = kapi_file_from_fd(guest.file.fd);
		gmem_launch_populate args{};

		args.source = reinterpret_cast<std::uint64_t>(source.data()) + kPageSize - 1;
		args.source -= args.source % kPageSize;
		args.npages = kPages;
		args.type = type;
		const Clock::time_point from = Clock::now();
		const long done = gmem_file_populate(file, guest.file.core(), &args);

		took = Milliseconds{ Clock::now() - from }.count();
		if (done != kPages)
			std::printf("populated %ld pages only\n", done);
		kapi_file_put(file);
	}
	world_check_clean();
	return took;
}

} /* namespace */

int main()
{
	std::vector<std::uint8_t> source((kPages + 1) * kPageSize);
	double hash = 1e9, all = 1e9, rest = 1e9;

	for (std::size_t i = 0; i < source.size(); i++)
		source[i] = static_cast<std::uint8_t>(i * 7 + (i >> 12));
	world_set_platform(KAPI_PLATFORM_SNP_MODEL);
	for (unsigned round = 0; round < kRounds; round++) {
		hash = std::min(hash, hash_alone(source));
		all = std::min(all, populate(source, GMEM_PAGE_NORMAL));
		rest = std::min(rest, populate(source, GMEM_PAGE_UNMEASURED));
	}
	std::printf("64 MiB: measured in %.1f ms, unmeasured in %.1f ms, SHA-384 alone %.1f ms: "
		    "%.2f\n",
		    all, rest, hash, all / hash);
	return 0;
}
