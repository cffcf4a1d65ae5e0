// SPDX-License-Identifier: GPL-2.0-only
#include "check.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include <fmt/format.h>

namespace gmemctl
{

namespace
{

/* Releases that gmem.ko is tested on (README.md, "Supported"), to their second number. */
constexpr std::array<std::string_view, 3> kTested{ "6.12.", "7.2.", "7.3." };

/* Of those that gmem.ko takes over some that every kernel has. */
constexpr std::array<std::string_view, 3> kHooked{ "kvm_gmem_get_pfn", "kvm_gmem_populate",
						   "kvm_mmu_page_fault" };

std::string word_of(const System &system, const char *path)
{
	std::string text = system.read(system.path(path)).value_or("");

	while (!text.empty() && text.back() == '\n')
		text.pop_back();
	return text;
}

Finding kernel(const System &system)
{
	const std::string release = word_of(system, "/proc/sys/kernel/osrelease");
	const bool tested = std::any_of(kTested.begin(), kTested.end(), [&](std::string_view is) {
		return release.starts_with(is);
	});

	return { "kernel", tested ? Verdict::kGood : Verdict::kUnknown,
		 release + (tested ? ""
				   : ": not tested; scripts/check-kvm says whether its KVM fits") };
}

Finding module(const System &system)
{
	if (!std::filesystem::exists(system.path("/sys/module/gmem")))
		return { "gmem.ko", Verdict::kUnknown, "not loaded" };
	return { "gmem.ko", Verdict::kGood,
		 fmt::format("loaded, backend={} huge={} platform={}",
			     word_of(system, "/sys/module/gmem/parameters/backend"),
			     word_of(system, "/sys/module/gmem/parameters/huge"),
			     word_of(system, "/sys/module/gmem/parameters/platform")) };
}

Finding kvm(const System &system)
{
	for (const char *const name : { "kvm_amd", "kvm_intel" }) {
		if (std::filesystem::exists(system.path(std::string{ "/sys/module/" } + name)))
			return { "KVM", Verdict::kGood, name };
	}
	return { "KVM", Verdict::kPoor,
		 "neither kvm_amd nor kvm_intel is loaded: modprobe this machine's for VMs" };
}

bool is_on(const std::string &word)
{
	return word == "Y" || word == "1";
}

Finding tdp_mmu(const System &system)
{
	const std::string tdp = word_of(system, "/sys/module/kvm/parameters/tdp_mmu");
	const std::string npt = word_of(system, "/sys/module/kvm_amd/parameters/npt") +
				word_of(system, "/sys/module/kvm_intel/parameters/ept");

	if (tdp.empty() || npt.empty())
		return { "TDP MMU", Verdict::kUnknown, "KVM does not say" };
	if (is_on(tdp) && is_on(npt))
		return { "TDP MMU", Verdict::kGood, "on" };
	return { "TDP MMU", Verdict::kPoor,
		 "off (kvm.tdp_mmu, npt, ept): no software-protected VMs, no conversion in place, "
		 "no mappable files but the kernel's own" };
}

Finding ftrace(const System &system)
{
	const std::string enabled = word_of(system, "/proc/sys/kernel/ftrace_enabled");

	if (enabled.empty())
		return { "ftrace", Verdict::kBad, "this kernel has none, or it cannot be asked" };
	return { "ftrace", is_on(enabled) ? Verdict::kGood : Verdict::kBad,
		 is_on(enabled) ? "on" : "off (sysctl kernel.ftrace_enabled)" };
}

Finding hookable(const System &system)
{
	const std::optional<std::string> functions =
		system.read(system.path("/sys/kernel/tracing/available_filter_functions"));
	std::string missing;

	if (!functions)
		return { "functions", Verdict::kUnknown,
			 errno == EACCES || errno == EPERM
				 ? "tracefs cannot be read; root can"
				 : "tracefs is not there: mount -t tracefs tracefs "
				   "/sys/kernel/tracing" };

	const std::string lines = '\n' + *functions;

	for (const std::string_view name : kHooked) {
		if (lines.find(fmt::format("\n{} ", name)) == lines.npos &&
		    lines.find(fmt::format("\n{}\n", name)) == lines.npos)
			missing += fmt::format(" {}", name);
	}
	if (!missing.empty())
		return { "functions", Verdict::kBad, "cannot be traced:" + missing };
	return { "functions", Verdict::kGood, "KVM's can be traced" };
}

Finding signatures(const System &system)
{
	if (is_on(word_of(system, "/sys/module/module/parameters/sig_enforce")))
		return { "signatures", Verdict::kPoor, "modules must be signed (Secure Boot)" };
	/* "none [integrity] confidentiality" */
	const std::string lockdown =
		system.read(system.path("/sys/kernel/security/lockdown")).value_or("[none]");

	if (lockdown.find("[none]") == lockdown.npos)
		return { "signatures", Verdict::kPoor,
			 "modules must be signed (the kernel is locked down)" };
	return { "signatures", Verdict::kGood, "modules need none" };
}

Finding iommu(const System &system)
{
	std::error_code error;
	const std::filesystem::directory_iterator units{ system.path("/sys/class/iommu"), error };

	if (!error && units != std::filesystem::directory_iterator{})
		return { "IOMMU", Verdict::kGood, "there is one" };
	return { "IOMMU", Verdict::kPoor, "none: no devices for guests" };
}

/* Free blocks of 2 MiB and more, in units of 2 MiB. */
Finding huge_pages(const System &system)
{
	std::istringstream lines{ system.read(system.path("/proc/buddyinfo")).value_or("") };
	std::string line, word;
	std::uint64_t blocks = 0;

	while (std::getline(lines, line)) {
		std::istringstream words{ line };
		unsigned order = 0;

		/* "Node 0, zone Normal", then a number for each order. */
		for (unsigned i = 0; i < 4; i++)
			words >> word;
		for (std::uint64_t count; words >> count; order++) {
			if (order >= 9)
				blocks += count << (order - 9);
		}
	}
	return { "huge pages", blocks ? Verdict::kGood : Verdict::kPoor,
		 fmt::format("{} are free in blocks of 2 MiB", bytes(blocks * kRunPages * kPage)) };
}

} /* namespace */

std::vector<Finding> check(const System &system)
{
	return { kernel(system), kvm(system),	     tdp_mmu(system),
		 ftrace(system), hookable(system),   signatures(system),
		 iommu(system),	 huge_pages(system), module(system) };
}

const char *word(Verdict verdict)
{
	static constexpr std::array<const char *, 4> words{ "good", "unknown", "poor", "bad" };

	/* cppcheck-suppress CastIntegerToAddressAtReturn */
	return words[static_cast<unsigned>(verdict)];
}

} /* namespace gmemctl */
