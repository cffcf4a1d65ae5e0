// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs of guests that know (knowing.h).
 */
#include "guest/knowing.h"

#include "guest/ghcb_msr.h"

namespace gmem
{

std::uint64_t Knowing::ghcb_msr() const
{
	const SnpVcpu *const kept = platform().vcpu_if_kept(kapi_vcpu_nr(vcpu_));

	return kept && kept->ghcb_msr_written
		       ? kept->ghcb_msr
		       : ghcb_sev_info(platform().ghcb_version(), kapi_vcpu_c_bit(vcpu_));
}

Status Knowing::set_ghcb_msr(std::uint64_t value)
{
	GMEM_TRY(vcpu, kept());
	vcpu->ghcb_msr = value;
	vcpu->ghcb_msr_written = true;
	return Status{};
}

void report(const Knowing &guest, std::uint64_t rip, const char *name, const char *broken,
	    const ReportValue (&values)[3])
{
	kapi_stat_add(KAPI_STAT_REPORTS, 1);
	if (!kapi_guest_may_report())
		return;

	const auto value = [&](unsigned nr) -> unsigned long long { return values[nr].value; };
	const unsigned long long at = rip;

	kapi_report("snp-model: vCPU %u at %#llx: %s: %s (%s %#llx, %s %#llx, %s %#llx)",
		    kapi_vcpu_nr(guest.vcpu()), at, name, broken, values[0].name, value(0),
		    values[1].name, value(1), values[2].name, value(2));
}

} /* namespace gmem */
