/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vCPU whose guest knows that it is SNP's, for as long as an entry looks at it, and what the
 * log has of what such guests break.
 */
#ifndef GMEM_GUEST_KNOWING_H
#define GMEM_GUEST_KNOWING_H

#include "arch/x86/snp_platform.h"
#include "kapi/guest.h"
#include "kapi/sev.h"

namespace gmem
{

/* An empty one of any other vCPU. */
class Knowing {
    public:
	explicit Knowing(struct kvm_vcpu *vcpu)
		: vcpu_(vcpu), platform_(snp_platform_of(kapi_vcpu_kvm(vcpu)))
	{
	}

	/* Whatever it runs just now, and from before it has been made. */
	bool knows() const
	{
		return kapi_kvm_is_snp_model(kvm()) && platform_ && platform().knowing();
	}
	/* No nested guest of its does. */
	explicit operator bool() const
	{
		return knows() && kapi_vcpu_is_direct(vcpu_) && !kapi_vcpu_is_nested(vcpu_);
	}
	struct kvm_vcpu *vcpu() const { return vcpu_; }
	struct kvm *kvm() const { return kapi_vcpu_kvm(vcpu_); }
	SnpPlatform &platform() const { return *platform_.get(); }

	std::uint64_t ghcb_msr() const;
	/* -ENOMEM. */
	Status set_ghcb_msr(std::uint64_t value);
	/* What is kept of it. -ENOMEM. */
	Result<SnpVcpu *> kept() const { return platform().vcpu(kapi_vcpu_nr(vcpu_)); }

    private:
	struct kvm_vcpu *const vcpu_;
	const SnpPlatformRef platform_;
};

/*
 * Counts that the guest has broken a rule, and has the log say so if it may have one more line:
 * which instruction @name, at @rip, with three values that are named.
 */
struct ReportValue {
	const char *name;
	std::uint64_t value;
};
void report(const Knowing &guest, std::uint64_t rip, const char *name, const char *broken,
	    const ReportValue (&values)[3]);

} /* namespace gmem */

#endif /* GMEM_GUEST_KNOWING_H */
