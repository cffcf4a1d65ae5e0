// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of a VM on the SNP model: what becomes of frames in the RMP as pages
 * come and go, a platform that is busy or fails, and rules that are broken.
 *
 * Tests: arch/x86/snp_platform.cc, arch/x86/model_vm.h, arch/x86/history.h,
 * arch/x86/platforms.cc.
 */
#include "arch/x86/snp_platform.h"

#include <algorithm>

#include "kunit/suites/patterns.h"
#include "kunit/suites/support.h"

namespace
{

using namespace gmem_test;

constexpr std::uint64_t kGfn = 1024;

/* A file whose index 0 is at kGfn, on the model. */
class SnpFile {
    public:
	explicit SnpFile(std::uint64_t npages = 1024) : setting_(), file{ npages, 1 }
	{
		(void)world_reports();
	}

	Rmp &rmp() const { return SnpPlatform::machine()->rmp; }
	SnpFirmware &firmware() const { return SnpPlatform::machine()->firmware; }
	Platform &platform() const { return file.inode().platform(); }
	Result<Backing> get(std::uint64_t index, std::uint64_t gfn = 0) const
	{
		return file.store().get(PageIndex{ index },
					file.access(gfn ? gfn : kGfn + index, kRunOrder));
	}
	int code(std::uint64_t index) const { return get(index).status().code(); }
	void punch(std::uint64_t start, std::uint64_t end) const
	{
		EXPECT(file.inode().punch(pages(start, end)).ok());
	}
	Pfn pfn(std::uint64_t index) const { return Pfn{ kapi_page_pfn(file.cached(index)) }; }
	RmpEntry entry(std::uint64_t index) const { return rmp().lookup(pfn(index)); }
	Status populate(std::uint64_t index, const test::PageBytes &bytes, unsigned type,
			std::uint64_t *firmware_error = nullptr) const
	{
		PageContent content{ .type = type, .pages = 1, .measure = false };
		std::uint64_t done;
		const Status status = file.store().populate(
			pages(index, index + 1), file.access(kGfn + index), true, Source::kSure,
			done, [&](Gfn, Pfn at) {
				std::copy(bytes.begin(), bytes.end(),
					  static_cast<std::uint8_t *>(kapi_frame(at.value)));
				return platform().populate(Gfn{ kGfn + index }, at, content);
			});

		if (firmware_error)
			*firmware_error = content.firmware_error;
		return status;
	}

    private:
	struct Setting {
		Setting() { world_set_platform(KAPI_PLATFORM_SNP_MODEL); }
		~Setting() { world_set_platform(KAPI_PLATFORM_NONE); }
	} setting_;

    public:
	TestFile file;
};

void a_run_is_one_entry()
{
	{
		const SnpFile f;
		REQUIRE(f.file);

		const unsigned long before = f.rmp().updates();

		EXPECT_EQ(f.get(3).value().order, kRunOrder);
		EXPECT_EQ(f.rmp().updates(), before + 1);
		EXPECT(f.entry(3).size == RmpSize::k2M);
		EXPECT(f.entry(3).state() == RmpState::GuestInvalid);
		EXPECT_EQ(f.entry(3).gpa, (kGfn + 3) << kPageShift);
		EXPECT_EQ(f.get(511).value().order, kRunOrder);
	}
	/* The machine goes with its last VM. */
	EXPECT(SnpPlatform::machine() == nullptr);
	EXPECT_EQ(world_reports(), 0);
}

void a_whole_run_is_given_back_at_once()
{
	const SnpFile f;
	REQUIRE(f.file);

	REQUIRE(f.get(3).status().ok());
	const Pfn first = f.pfn(0);
	const unsigned long before = f.rmp().updates();

	f.punch(0, 512);
	EXPECT_EQ(f.rmp().updates(), before + 1);
	EXPECT(f.rmp().all_hypervisor(first, kRunPages));
	EXPECT_EQ(world_reports(), 0);
}

/* The bytes are cleared before the frame can be allocated again. */
void nothing_of_the_guests_is_left()
{
	const SnpFile f;
	REQUIRE(f.file && f.get(3).status().ok());
	const Pfn seventh = f.pfn(7);
	auto *const bytes = static_cast<std::uint8_t *>(kapi_frame(seventh.value));

	std::fill_n(bytes, kPageSize, 0x77);
	EXPECT(f.platform().reclaim(f.pfn(0), kRunPages).ok());
	EXPECT(std::equal(test::kPage0.begin(), test::kPage0.end(), bytes));
	EXPECT(f.platform().prepare(f.file.vm, Gfn{ kGfn }, f.pfn(0), kRunOrder).ok());
	EXPECT_EQ(world_reports(), 0);
}

void a_part_goes_after_a_split()
{
	const SnpFile f;
	REQUIRE(f.file);

	REQUIRE(f.get(3).status().ok());
	const Pfn gone = f.pfn(5);

	f.punch(5, 6);
	EXPECT(f.rmp().lookup(gone).state() == RmpState::Hypervisor);
	EXPECT(f.entry(6).size == RmpSize::k4K);
	EXPECT(f.entry(6).state() == RmpState::GuestInvalid);
	EXPECT_EQ(f.get(6).value().order, 0u);
	EXPECT_EQ(f.get(5).value().order, 0u);
	EXPECT_EQ(f.get(6).value().order, 0u);
	f.punch(0, 512);
	EXPECT_EQ(world_reports(), 0);
}

void busy_for_a_while_is_retried()
{
	const SnpFile f;
	REQUIRE(f.file);

	(void)world_naps();
	f.rmp().inject_update(RmpCode::FailInuse, 1);
	EXPECT_EQ(f.code(0), 0);
	EXPECT_EQ(world_naps(), 1);
	f.rmp().inject_update(RmpCode::FailOverlap, 50);
	EXPECT_EQ(f.code(512), 0);
	EXPECT_EQ(world_naps(), 50);
	f.rmp().inject_psmash(RmpCode::FailInuse, 3);
	f.punch(5, 6);
	EXPECT_EQ(world_naps(), 3);
	EXPECT(f.entry(6).size == RmpSize::k4K);
	EXPECT_EQ(world_reports(), 0);
}

void busy_for_ever_is_an_error()
{
	const SnpFile f;
	REQUIRE(f.file);

	(void)world_naps();
	f.rmp().inject_update(RmpCode::FailInuse, Injection<RmpCode>::kForever);
	EXPECT_EQ(f.code(0), -EBUSY);
	EXPECT_EQ(world_naps(), static_cast<long>(kBusyTries));
	EXPECT(world_reports() > 0);
	/* The VM lives on. */
	f.rmp().inject_update(RmpCode::Ok, 0);
	EXPECT_EQ(f.code(0), 0);
}

void what_cannot_be_shared_is_leaked()
{
	const SnpFile f;
	REQUIRE(f.file);

	REQUIRE(f.get(0).status().ok());
	struct page *const lost = f.file.cached(0);
	const Pfn first = f.pfn(0);

	f.rmp().inject_update(RmpCode::FailPermission, 1);
	f.punch(0, 512);
	EXPECT(world_reports() > 0);
	EXPECT(f.file.cached(0) == nullptr);
	EXPECT_EQ(world_page_refs(lost), 1);
	EXPECT(f.rmp().lookup(first).state() == RmpState::GuestInvalid);
	EXPECT_EQ(f.code(0), 0);
	EXPECT(f.file.cached(0) != lost);
	/* The case gives back what the core must not. */
	EXPECT(f.rmp().update(first, { .size = RmpSize::k2M }) == RmpCode::Ok);
	kapi_pages_put(lost, kRunPages);
}

/* Entries of their own: only the one that fails is lost, and the rest is the host's. */
void only_the_entry_that_fails_is_leaked()
{
	for (const bool whole : { true, false }) {
		const SnpFile f;
		const std::uint64_t end = whole ? 512 : 511;
		REQUIRE(f.file && f.get(0).value().order == kRunOrder);
		const Pfn first = f.pfn(0);
		struct page *const lost = f.file.cached(100);
		const long leaked = f.file.store().stats().get(KAPI_STAT_LEAKED);

		/* A part of a run goes page by page, a whole run by one call. */
		if (whole)
			REQUIRE(f.platform().split(first).ok());
		else
			f.punch(511, 512);
		f.rmp().inject_update(RmpCode::FailPermission, 1, 100);
		f.punch(0, end);
		EXPECT_EQ(f.file.store().stats().get(KAPI_STAT_LEAKED), leaked + 1);
		EXPECT_EQ(f.file.cached_pages(0, end), 0u);
		EXPECT_EQ(world_page_refs(lost), 1);
		EXPECT(f.rmp().lookup(first + 100).state() == RmpState::GuestInvalid);
		EXPECT(f.rmp().all_hypervisor(first, 100));
		EXPECT(f.rmp().all_hypervisor(first + 101, end - 101));
		EXPECT(world_reports() > 0);
		EXPECT(f.rmp().update(first + 100, {}) == RmpCode::Ok);
		kapi_page_put(lost);
	}
}

/* A platform that is busy for ever is waited for once, not for each page. */
void busy_for_ever_at_the_end()
{
	const SnpFile f;
	REQUIRE(f.file && f.get(0).status().ok());
	const Pfn first = f.pfn(0);
	struct page *const block = f.file.cached(0);

	REQUIRE(f.platform().split(first).ok());
	(void)world_naps();
	f.rmp().inject_update(RmpCode::FailInuse, Injection<RmpCode>::kForever);
	f.punch(0, 512);
	EXPECT_EQ(world_naps(), static_cast<long>(kBusyTries));
	EXPECT_EQ(f.file.store().stats().get(KAPI_STAT_LEAKED), 512);
	EXPECT(world_reports() > 0);
	f.rmp().inject_update(RmpCode::Ok, 0);
	EXPECT(f.platform().reclaim(first, 512).ok());
	kapi_pages_put(block, kRunPages);
}

void what_cannot_be_split_is_leaked()
{
	const SnpFile f;
	REQUIRE(f.file);

	REQUIRE(f.get(0).status().ok());
	struct page *const lost = f.file.cached(9);
	const Pfn first = f.pfn(0);

	f.rmp().inject_psmash(RmpCode::FailInuse, Injection<RmpCode>::kForever);
	f.punch(9, 10);
	EXPECT(world_reports() > 0);
	EXPECT_EQ(world_page_refs(lost), 1);
	EXPECT(f.rmp().lookup(first + 9).state() == RmpState::GuestInvalid);
	/* A new page has no place in the RMP's one entry. */
	EXPECT(f.get(9).status() == error(EBUSY));
	EXPECT(f.file->allocate({ PageIndex{ 9 }, PageIndex{ 10 } }) == error(EBUSY));
	/* The rest is split when that can be done. */
	f.rmp().inject_psmash(RmpCode::Ok, 0);
	f.punch(0, 512);
	EXPECT_EQ(f.file.store().stats().get(KAPI_STAT_LEAKED), 1);
	EXPECT(f.rmp().all_hypervisor(first, 9) && f.rmp().all_hypervisor(first + 10, 502));
	EXPECT(f.rmp().lookup(first + 9).state() == RmpState::GuestInvalid);
	EXPECT(f.rmp().update(first + 9, {}) == RmpCode::Ok);
	kapi_page_put(lost);
	(void)world_reports();
}

void content_is_measured_in_order()
{
	const SnpFile f;
	Measurement digest{};
	std::uint64_t error = 0;
	Result<SnpDigest> expected = SnpDigest::create();
	REQUIRE(f.file && expected.ok());

	EXPECT(f.populate(4, test::kPageI, 1).ok());
	EXPECT(f.entry(4).state() == RmpState::GuestValid);
	EXPECT(f.populate(9, test::kPageFF, 3).ok());
	EXPECT_EQ(static_cast<std::uint8_t *>(kapi_frame(f.pfn(9).value))[0], 0);
	EXPECT(f.populate(4, test::kPageI, 1) == ::gmem::error(EEXIST));
	EXPECT(f.platform().measurement(digest) == ::gmem::error(EPERM));
	EXPECT(f.platform().finish(error).ok());
	EXPECT(f.platform().measurement(digest).ok());
	EXPECT(expected.value().add_page(SnpPageType::Normal, (kGfn + 4) << 12, test::kPageI).ok());
	EXPECT(expected.value().add_page(SnpPageType::Zero, (kGfn + 9) << 12, test::kPage0).ok());
	EXPECT(digest == expected.value().value());
	/* Nothing comes after the end. */
	EXPECT(f.populate(5, test::kPageI, 1, &error) == ::gmem::error(EIO));
	EXPECT_EQ(error, 2u);
	EXPECT_EQ(f.code(5), 0);
	EXPECT_EQ(f.code(4), 0);
}

/* Prepared with its run's first page, and free to be populated still. */
void content_of_a_prepared_neighbour()
{
	const SnpFile f;
	REQUIRE(f.file);

	REQUIRE(f.get(0).value().order == kRunOrder);
	EXPECT(f.populate(4, test::kPageI, 1).ok());
	EXPECT(f.entry(4).state() == RmpState::GuestValid);
	EXPECT(f.entry(5).size == RmpSize::k4K);
	EXPECT_EQ(f.get(5).value().order, 0u);
	EXPECT(f.populate(0, test::kPageI, 1) == error(EEXIST));
	EXPECT_EQ(world_reports(), 0);
}

void refused_content_leaves_the_page_the_hosts()
{
	const SnpFile f;
	std::uint64_t error = 0;
	REQUIRE(f.file);

	EXPECT(f.populate(4, test::kPageI, 7, &error) == ::gmem::error(EIO));
	EXPECT_EQ(error, 0x16u);
	EXPECT(f.entry(4).state() == RmpState::Hypervisor);
	f.firmware().inject_launch_update(SnpStatus::HardwareError, 1);
	EXPECT(f.populate(4, test::kPageI, 1, &error) == ::gmem::error(EIO));
	EXPECT_EQ(error, 0x13u);
	EXPECT(f.entry(4).state() == RmpState::Hypervisor);
	EXPECT(f.populate(4, test::kPageI, 1).ok());
	EXPECT_EQ(world_reports(), 0);
}

/* The host may not touch an immutable page: the page is lost, and the VM dead. */
void content_that_cannot_be_undone_kills_the_vm()
{
	const SnpFile f;
	REQUIRE(f.file);

	f.firmware().inject_launch_update(SnpStatus::HardwareError, 1);
	f.firmware().inject_page_reclaim(SnpStatus::HardwareError, 1);
	EXPECT(f.populate(4, test::kPageI, 1) == error(ENOTRECOVERABLE));
	EXPECT(f.entry(4).state() == RmpState::PreGuest);
	EXPECT_EQ(f.code(4), -EIO);
	EXPECT_EQ(f.code(600), -EIO);
	EXPECT(f.populate(700, test::kPageI, 1) == error(EIO));
	EXPECT(world_reports() > 0);
}

void broken_rules_are_errors_with_a_report()
{
	const SnpFile f, g;
	REQUIRE(f.file && g.file);

	/* Two files, two VMs, one machine, two ASIDs. */
	REQUIRE(f.get(0).status().ok() && g.get(0).status().ok());
	EXPECT(f.entry(0).asid != f.rmp().lookup(g.pfn(0)).asid);
	EXPECT_EQ(world_reports(), 0);

	const auto told = [] { return world_reports() == 1; };

	EXPECT_EQ(f.get(0, kGfn + 512).status().code(), -EIO);
	EXPECT(told());
	EXPECT(f.platform().admit(Gfn{ kGfn }, g.pfn(0), 0) == error(EIO));
	EXPECT(told());
	EXPECT(f.platform().prepare(f.file.vm, Gfn{ kGfn }, f.pfn(0), 0) == error(EIO));
	EXPECT(told());
	EXPECT(f.platform().prepare(f.file.vm, Gfn{ kGfn }, g.pfn(0), kRunOrder) == error(EIO));
	EXPECT(told());
	EXPECT(f.platform().reclaim(g.pfn(0), 512) == error(EIO));
	EXPECT(told());
	EXPECT(f.platform().reclaim(f.pfn(0), 1) == error(EIO));
	EXPECT(told());
	EXPECT(f.platform().split(f.pfn(0)).ok());
	EXPECT(f.platform().split(f.pfn(0)) == error(EIO));
	EXPECT(told());
	EXPECT(f.platform().admit(Gfn{ kGfn }, f.pfn(0), kRunOrder) == error(EIO));
	EXPECT(told());
	EXPECT(f.platform().reclaim(f.pfn(0), 1).ok());
	EXPECT(f.platform().reclaim(f.pfn(0), 1) == error(EIO));
	EXPECT(told());
	EXPECT(f.platform().admit(Gfn{ kGfn }, f.pfn(0), 0) == error(EIO));
	EXPECT(told());
	/* Put right, so that the file can go. */
	EXPECT(f.platform().prepare(f.file.vm, Gfn{ kGfn }, f.pfn(0), 0).ok());
}

void two_files_of_a_vm_have_one_platform()
{
	const SnpFile f;
	REQUIRE(f.file);
	const int fd = world_create(f.file.vm, kPageSize, 0);
	struct file *const handle = kapi_file_from_fd(static_cast<unsigned>(fd));
	REQUIRE(handle);

	EXPECT(&File::of(handle)->inode().platform() == &f.platform());
	kapi_file_put(handle);
	world_close(fd);
	EXPECT(SnpPlatform::machine() != nullptr);
	EXPECT_EQ(f.code(0), 0);
}

} /* namespace */

GMEM_SUITE(snp_platform, CASE(a_run_is_one_entry), CASE(a_whole_run_is_given_back_at_once),
	   CASE(nothing_of_the_guests_is_left), CASE(a_part_goes_after_a_split),
	   CASE(busy_for_a_while_is_retried), CASE(busy_for_ever_is_an_error),
	   CASE(what_cannot_be_shared_is_leaked), CASE(only_the_entry_that_fails_is_leaked),
	   CASE(busy_for_ever_at_the_end), CASE(what_cannot_be_split_is_leaked),
	   CASE(content_is_measured_in_order), CASE(content_of_a_prepared_neighbour),
	   CASE(refused_content_leaves_the_page_the_hosts),
	   CASE(content_that_cannot_be_undone_kills_the_vm),
	   CASE(broken_rules_are_errors_with_a_report), CASE(two_files_of_a_vm_have_one_platform));
