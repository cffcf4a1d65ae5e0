// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs on the models of confidential platforms (machine.h): which page they take
 * for which gfn, what a launch measures to, and the owner of each frame.
 */
#include "kunit/model/machine.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "arch/x86/snp_platform.h"
#include "arch/x86/tdx_platform.h"
#include "gmem/file.h"
#include "kunit/fakes/files.h"

namespace model
{

namespace
{

using gmem::Gfn;
using gmem::Pfn;

gmem::ConstBytes frame(std::uint64_t pfn)
{
	return { static_cast<const std::uint8_t *>(kapi_frame(pfn)), gmem::kPageSize };
}

gmem::Platform &platform_behind(int fd)
{
	return gmem::File::of(fake::file_at(fd))->inode().platform();
}

} /* namespace */

void Machine::begin_launch(struct kvm *vm, kapi_platform platform)
{
	Launch &launch = launches_[vm];

	launch.platform = platform;
	launch.finished = false;
	launch.snp = std::move(gmem::SnpDigest::create()).value();
	launch.tdx = std::move(gmem::TdxMrtd::create()).value();
}

void Machine::end_launch(struct kvm *vm)
{
	const bool others = std::any_of(files_.begin(), files_.end(), [&](const File &file) {
		return file.open && file.vm == vm;
	});

	if (!others && launches_.count(vm))
		begin_launch(vm, platform_of(vm));
}

kapi_platform Machine::platform_of(struct kvm *vm) const
{
	const auto it = launches_.find(vm);

	return it == launches_.end() ? KAPI_PLATFORM_NONE : it->second.platform;
}

/* A TD's S-EPT has one page at a gfn; to SNP that is the guest's own business. */
bool Machine::occupied(struct kvm *vm, std::uint64_t gfn) const
{
	if (platform_of(vm) != KAPI_PLATFORM_TDX_MODEL)
		return false;
	return std::any_of(files_.begin(), files_.end(), [&](const File &file) {
		return file.open && file.vm == vm &&
		       std::any_of(file.pages.begin(), file.pages.end(), [&](const Page &page) {
			       const bool is_private =
				       !file.pages[&page - file.pages.data()].shared();

			       return page.prepared() && is_private && page.gfn == gfn;
		       });
	});
}

int Machine::launch_page(struct kvm *vm, std::uint64_t gfn, std::uint64_t pfn)
{
	const kapi_platform kind = platform_of(vm);
	const RealSlot *const slot = slot_at(vm, gfn);

	if (kind == KAPI_PLATFORM_NONE)
		return 0;
	Launch &launch = launches_.at(vm);
	gmem::PageContent content{ .type = 1, .pages = 1, .measure = true };
	const std::uint64_t gpa = gfn << gmem::kPageShift;

	std::memset(kapi_frame(pfn), static_cast<int>(gfn * 7 + next_content_) & 0xff,
		    gmem::kPageSize);
	const gmem::Status status = platform_behind(real_[slot->expected.file].fd)
					    .populate(Gfn{ gfn }, Pfn{ pfn }, content);

	if (!status.ok())
		return status.code();
	if (kind == KAPI_PLATFORM_SNP_MODEL) {
		expect(launch.snp.add_page(gmem::SnpPageType::Normal, gpa, frame(pfn)).ok(),
		       "hash");
		return 0;
	}
	expect(launch.tdx.add(gpa).ok(), "hash");
	for (std::uint64_t at = 0; at < gmem::kPageSize; at += gmem::kTdxChunkSize)
		expect(launch.tdx.extend(gpa + at, frame(pfn).subspan(at, gmem::kTdxChunkSize))
			       .ok(),
		       "hash");
	return 0;
}

/* Once, and the digest is that of the pages populated until then. */
void Machine::finish(struct kvm *vm)
{
	const kapi_platform kind = platform_of(vm);
	std::uint64_t error = 0;
	gmem::Measurement digest{};

	for (int i = 0; i < kFiles; i++) {
		if (!files_[i].open || files_[i].vm != vm || kind == KAPI_PLATFORM_NONE)
			continue;
		Launch &launch = launches_.at(vm);
		gmem::Platform &platform = platform_behind(real_[i].fd);
		const bool before = launch.finished;

		expect(platform.measurement(digest).ok() == before, "measurement before the end");
		expect(platform.finish(error).ok() == !before, "end of a launch");
		launch.finished = true;
		expect(platform.measurement(digest).ok(), "measurement after the end");
		if (!before)
			expect(digest == (kind == KAPI_PLATFORM_SNP_MODEL
						  ? launch.snp.value()
						  : launch.tdx.finalize().value()),
			       "what a launch measures to");
	}
}

std::optional<std::uint64_t> Machine::launched_at(kapi_platform kind, struct page *page)
{
	const Pfn pfn{ kapi_page_pfn(page) };

	if (kind == KAPI_PLATFORM_SNP_MODEL) {
		const gmem::RmpEntry entry = gmem::SnpPlatform::machine()->rmp.lookup(pfn);

		if (entry.state() != gmem::RmpState::Hypervisor)
			return entry.gpa >> gmem::kPageShift;
	} else if (kind == KAPI_PLATFORM_TDX_MODEL) {
		const gmem::PamtEntry entry = gmem::TdxPlatform::machine()->pamt.lookup(pfn);

		if (entry.type != gmem::PageType::Nda)
			return entry.gpa >> gmem::kPageShift;
	}
	return std::nullopt;
}

/* Each frame has the owner that the reference says, and is at its gfn. */
void Machine::check_launched(const File &file, int n)
{
	const kapi_platform kind = platform_of(file.vm);

	if (kind == KAPI_PLATFORM_NONE)
		return;
	for (std::uint64_t i = 0; i < file.size(); i++) {
		const Page &page = file.pages[i];
		struct page *const real = kapi_cache_peek(real_[n].inode, i);

		if (!real)
			continue;
		const std::optional<std::uint64_t> gfn = launched_at(kind, real);

		expect(gfn.has_value() == (page.prepared() && !file.pages[i].shared()),
		       "who owns a frame");
		expect(!gfn || *gfn == page.gfn, "at which gfn");
	}
}

/* The platform is busy for a while. No call fails for it. */
void Machine::busy(const Op &op)
{
	if (gmem::SnpMachine *const machine = gmem::SnpPlatform::machine())
		machine->rmp.inject_update(gmem::RmpCode::FailInuse, 1 + op.c % 5);
}

} /* namespace model */
