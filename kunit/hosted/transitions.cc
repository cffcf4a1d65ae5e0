// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fault at each transition of a page's life on the models: one life of a VM, with
 * every call of the platform in turn busy once, busy for ever, or failing, and with
 * every failable import failing. After each, what the host has is the host's
 * and shows nothing of the guest's, and what it has not is counted.
 *
 * Tests: arch/x86/snp_platform.cc, arch/x86/tdx_platform.cc, gmem/platform.h.
 */
#include <algorithm>
#include <set>
#include <vector>

#include "arch/x86/snp_platform.h"
#include "arch/x86/tdx_platform.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/platform.h"
#include "kunit/fakes/work.h"
#include "kunit/suites/patterns.h"
#include "kunit/suites/support.h"

namespace
{

using namespace gmem_test;

constexpr std::uint64_t kGfn = 1024;
constexpr unsigned char kSecret = 0x77;
/* Where the guest writes the secret; populated content has another byte there. */
constexpr unsigned kSecretAt = 9;

unsigned char &secret_of(std::uint64_t pfn)
{
	return static_cast<unsigned char *>(kapi_frame(pfn))[kSecretAt];
}

/* What the two platforms differ in. */
struct Snp {
	static constexpr kapi_platform kSetting = KAPI_PLATFORM_SNP_MODEL;

	static bool is_hosts(Pfn pfn) { return SnpPlatform::machine()->rmp.all_hypervisor(pfn, 1); }
	/* The case gives back what the core must not. */
	static void take_back(Pfn pfn)
	{
		Rmp &rmp = SnpPlatform::machine()->rmp;
		const RmpEntry entry = rmp.lookup(pfn);

		if (entry.size == RmpSize::k2M)
			(void)rmp.psmash(Pfn{ pfn.value & ~(kRunPages - 1) });
		(void)SnpPlatform::machine()->firmware.page_reclaim(pfn, RmpSize::k4K);
		(void)rmp.update(pfn, {});
	}
};

struct Tdx {
	static constexpr kapi_platform kSetting = KAPI_PLATFORM_TDX_MODEL;

	static bool is_hosts(Pfn pfn)
	{
		return TdxPlatform::machine()->pamt.lookup(pfn).type == PageType::Nda;
	}
	static void take_back(Pfn pfn)
	{
		TdxPlatform::machine()->pamt.set(pfn, {}, SeamCall::PageReclaim);
	}
};

template <class Kind> void check_freed(std::uint64_t pfn)
{
	EXPECT(Kind::is_hosts(Pfn{ pfn }));
	EXPECT(secret_of(pfn) != kSecret);
}

/* Pages that are out of the allocator's hands, as they were before a life. */
std::set<std::uint64_t> others;
unsigned long kept;

void note_other(std::uint64_t pfn)
{
	others.insert(pfn);
}

/* A page that is still out after the life is the platform's, and leaked. */
template <class Kind> void collect(std::uint64_t pfn)
{
	struct page *const page = fake::page_of_pfn(pfn);

	if (others.count(pfn))
		return;
	kept++;
	EXPECT(!Kind::is_hosts(Pfn{ pfn }));
	EXPECT_EQ(page->refs.load(), 1);
	Kind::take_back(Pfn{ pfn });
	secret_of(pfn) = 0;
	kapi_page_put(page);
}

/* One VM from its first file to its end. */
class Life {
    public:
	std::vector<int> results; /* of each step */

	/* @begun: called with the platform when there is one. */
	template <class Begun> void live(Begun begun)
	{
		TestFile file{ 1536, 1 };

		results.push_back(file ? 0 : file.fd);
		if (!file)
			return;
		file_ = &file;
		begun(file.inode().platform());
		populate(600, 1);
		populate(601, 1);
		touch(0);
		touch(600);
		touch(602);
		punch(5, 6);
		touch(5);
		punch(600, 603);
		punch(0, 512);
		touch(0);
		populate(1024, 1);
		finish();
		touch(700);
		populate(1025, 1);
		punch(0, 512);
		punch(700, 701);
		touch(1026);
		file.close();
	}

    private:
	Platform &platform() const { return file_->inode().platform(); }

	void touch(std::uint64_t index)
	{
		const Result<Backing> backing = file_->store().get(PageIndex{ index },
								   file_->access(kGfn + index));

		results.push_back(backing.status().code());
		if (!backing.ok())
			return;

		struct page *const page = backing.value().page.get();
		const unsigned long pages = 1ul << backing.value().order;
		const std::uint64_t first = kapi_page_pfn(page) & ~(pages - 1);

		/* The guest writes, to all that a huge mapping shows. */
		for (unsigned long i = 0; i < pages; i++)
			secret_of(first + i) = kSecret;
	}
	void punch(std::uint64_t start, std::uint64_t end) const
	{
		EXPECT(file_->inode().punch(pages(start, end)).ok());
	}
	void populate(std::uint64_t index, unsigned type)
	{
		PageContent content{ .type = type, .pages = 1, .measure = true };
		std::uint64_t done;
		const Status status = file_->store().populate(
			pages(index, index + 1), file_->access(kGfn + index), true, Source::kSure,
			done, [&](Gfn, Pfn pfn) {
				std::copy(test::kPageI.begin(), test::kPageI.end(),
					  static_cast<std::uint8_t *>(kapi_frame(pfn.value)));
				return platform().populate(Gfn{ kGfn + index }, pfn, content);
			});

		results.push_back(status.code());
	}
	void finish()
	{
		std::uint64_t error = 0;

		results.push_back(platform().finish(error).code());
	}

	TestFile *file_ = nullptr;
};

bool is_known(int result)
{
	constexpr int kKnown[] = { 0,	    -EBUSY,	      -EIO,    -ENOMEM,
				   -EEXIST, -ENOTRECOVERABLE, -EMFILE, -ENFILE };

	return std::find(std::begin(kKnown), std::end(kKnown), result) != std::end(kKnown);
}

/* Whether the life must be as if nothing had happened. */
enum class Noticed { Not, Maybe };

/*
 * Lives again and again: arm(n) before the platform is there and arm(n, platform)
 * when it is have the nth call fail, disarm(n) says whether there was one. How
 * many there were.
 */
template <class Kind, class Arm, class Disarm>
unsigned each_call(Noticed noticed, Arm arm, Disarm disarm)
{
	unsigned n = 0;
	Life clean;

	others.clear();
	fake::for_each_used(note_other);
	clean.live([](Platform &) {});
	for (bool struck = true; struck; n++) {
		const long leaked = fake::stat_total(KAPI_STAT_LEAKED);
		Life life;

		fake::set_free_check(check_freed<Kind>);
		arm(n, nullptr);
		life.live([&](Platform &platform) { arm(n, &platform); });
		struck = disarm(n);
		fake::set_free_check(nullptr);
		for (int result : life.results)
			EXPECT(is_known(result));
		kept = 0;
		fake::for_each_used(collect<Kind>);
		EXPECT(kept >=
		       static_cast<unsigned long>(fake::stat_total(KAPI_STAT_LEAKED) - leaked));
		if (!struck || noticed == Noticed::Not) {
			EXPECT(life.results == clean.results);
			EXPECT_EQ(kept, 0u);
		}
	}
	return n - 1;
}

/* A VM that keeps the machine there. */
template <class Kind> class Keeper {
    public:
	Keeper() : setting_(), file_(1, 1) {}

	bool good() const { return static_cast<bool>(file_); }

    private:
	struct Setting {
		Setting() { world_set_platform(Kind::kSetting); }
		~Setting() { world_set_platform(KAPI_PLATFORM_NONE); }
	} setting_;
	TestFile file_;
};

constexpr unsigned kForever = Injection<RmpCode>::kForever;

unsigned each_update(Noticed noticed, RmpCode code, unsigned calls)
{
	Rmp &rmp = SnpPlatform::machine()->rmp;

	return each_call<Snp>(
		noticed,
		[&](unsigned n, Platform *platform) {
			if (!platform)
				rmp.inject_update(code, calls, n);
		},
		[&](unsigned) {
			const bool struck = rmp.injection_struck();

			rmp.inject_update(RmpCode::Ok, 0);
			return struck;
		});
}

void snp_update()
{
	const Keeper<Snp> keeper;
	REQUIRE(keeper.good());

	const unsigned calls = each_update(Noticed::Not, RmpCode::FailInuse, 1);

	/* The context, a whole run, its pages one by one, ... */
	EXPECT(calls > 512);
	EXPECT_EQ(each_update(Noticed::Not, RmpCode::FailOverlap, 5), calls);
	EXPECT_EQ(each_update(Noticed::Maybe, RmpCode::FailPermission, 1), calls);
	EXPECT_EQ(each_update(Noticed::Maybe, RmpCode::FailInuse, kForever), calls);
}

void snp_psmash()
{
	const Keeper<Snp> keeper;
	REQUIRE(keeper.good());
	Rmp &rmp = SnpPlatform::machine()->rmp;
	const auto each = [&](Noticed noticed, RmpCode code, unsigned calls) {
		return each_call<Snp>(
			noticed,
			[&](unsigned n, Platform *platform) {
				if (!platform)
					rmp.inject_psmash(code, calls, n);
			},
			[&](unsigned) {
				const bool struck = rmp.injection_struck();

				rmp.inject_psmash(RmpCode::Ok, 0);
				return struck;
			});
	};

	EXPECT_EQ(each(Noticed::Not, RmpCode::FailInuse, 3), 1u);
	EXPECT_EQ(each(Noticed::Maybe, RmpCode::FailPermission, 1), 1u);
	EXPECT_EQ(each(Noticed::Maybe, RmpCode::FailInuse, kForever), 1u);
}

/* SNP_LAUNCH_UPDATE, and then SNP_PAGE_RECLAIM as well. */
void snp_firmware()
{
	constexpr unsigned kUpdates = 3; /* before the launch ends */
	const Keeper<Snp> keeper;
	REQUIRE(keeper.good());
	SnpFirmware &firmware = SnpPlatform::machine()->firmware;

	for (const unsigned reclaims : { 0u, 1u, kForever }) {
		const unsigned calls = each_call<Snp>(
			Noticed::Maybe,
			[&](unsigned n, Platform *platform) {
				if (!platform) {
					firmware.inject_launch_update(SnpStatus::HardwareError, 1,
								      n);
					return;
				}
				firmware.inject_page_reclaim(SnpStatus::HardwareError,
							     n < kUpdates ? reclaims : 0);
			},
			[&](unsigned) {
				const bool struck = firmware.launch_update_struck();

				firmware.inject_launch_update(SnpStatus::Success, 0);
				firmware.inject_page_reclaim(SnpStatus::Success, 0);
				return struck;
			});

		EXPECT_EQ(calls, kUpdates);
	}
}

void tdx_calls()
{
	const Keeper<Tdx> keeper;
	REQUIRE(keeper.good());
	TdxModule &module = TdxPlatform::machine()->module;
	unsigned long total = module.calls();

	/* Of the platform's own making the first is TDH.VP.CREATE. */
	Life{}.live([&](Platform &) { total = module.calls(); });
	total = module.calls() - total;
	EXPECT(total > 60);

	const auto each = [&](Noticed noticed, std::uint64_t status, unsigned calls) {
		return each_call<Tdx>(
			noticed,
			[&](unsigned n, Platform *platform) {
				if (platform)
					static_cast<TdxPlatform *>(platform)->td().failure.order(
						status, calls, n);
			},
			[&](unsigned n) { return n < total; });
	};

	each(Noticed::Maybe, tdx::kOperandBusy | tdx::kTdr, 1);
	each(Noticed::Maybe, tdx::kOperandInvalid | tdx::kRcx, 1);
	each(Noticed::Maybe, tdx::kOperandBusy | tdx::kSeptTree, kForever);
}

/* Everything that takes memory. */
template <class Kind> void no_memory()
{
	const Keeper<Kind> keeper;
	REQUIRE(keeper.good());

	EXPECT(each_call<Kind>(
		       Noticed::Maybe,
		       [](unsigned n, Platform *platform) {
			       if (!platform)
				       fake::fail_nth(n + 1);
		       },
		       [](unsigned) {
			       const bool struck = fake::fail_fired();

			       fake::fail_nth(0);
			       return struck;
		       }) > 10);
}

void snp_memory()
{
	no_memory<Snp>();
}

void tdx_memory()
{
	no_memory<Tdx>();
}

/* The report has a line on the broken rule, and one for each of the page's last transitions. */
template <class Kind> void broken_rule()
{
	const Keeper<Kind> keeper;
	const TestFile file{ 512, 1 };
	REQUIRE(keeper.good() && file);
	Platform &platform = file.inode().platform();

	REQUIRE(file.store().get(PageIndex{ 0 }, file.access(kGfn)).status().ok());
	const Pfn pfn{ kapi_page_pfn(file.cached(0)) };

	(void)fake::reports();
	EXPECT(platform.admit(Gfn{ kGfn + 1 }, pfn, 0) == error(EIO));
	EXPECT(fake::reports() >= 2);
	EXPECT(platform.prepare(file.vm, Gfn{ kGfn }, pfn, 0) == error(EIO));
	EXPECT(fake::reports() >= 2);
}

void reports_tell_the_history()
{
	broken_rule<Snp>();
	broken_rule<Tdx>();
}

} /* namespace */

GMEM_SUITE(transitions, CASE(snp_update), CASE(snp_psmash), CASE(snp_firmware), CASE(tdx_calls),
	   CASE(snp_memory), CASE(tdx_memory), CASE(reports_tell_the_history));
