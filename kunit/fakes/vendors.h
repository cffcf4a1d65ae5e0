/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two vendor modules of KVM as guest_memfd meets them: the calls they make
 * for a private page, in their order. What KVM's SNP code asks of the RMP and of
 * the firmware goes to the models of both, which check it. TDX, as in kernels
 * that have it, is the S-EPT states of its pages and a list of SEAMCALLs.
 */
#ifndef GMEM_FAKES_VENDORS_H
#define GMEM_FAKES_VENDORS_H

#include <map>
#include <vector>

#include <gmem/gmem.h>

#include "arch/x86/snp_model.h"
#include "kunit/fakes/kvm.h"

namespace fake
{

/* KVM's SNP code of 6.12. One VM. */
class SnpVendor final : public Vendor {
    public:
	SnpVendor();
	~SnpVendor() override;

	int prepare(std::uint64_t gfn, std::uint64_t pfn, unsigned order) override;
	void invalidate(std::uint64_t start, std::uint64_t end) override;
	int assigned(std::uint64_t pfn) override;
	unsigned max_order(std::uint64_t pfn) override;
	/* A populate's callback; @opaque is a Page. */
	struct Page {
		SnpVendor &vendor;
		std::uint8_t type;
		gmem::SnpStatus status = gmem::SnpStatus::Success; /* out */
	};
	static int post_populate(struct kvm *, gmem_u64 gfn, gmem_u64 pfn, void *src, int order,
				 void *opaque);

	gmem::RmpEntry entry(std::uint64_t pfn) { return rmp.lookup(gmem::Pfn{ pfn }); }

	gmem::Rmp rmp;
	gmem::SnpFirmware firmware{ rmp };
	gmem::SnpGuest guest;
	/* How much the hook does of what it is asked for. */
	enum class Zeal { All, FirstPage, Nothing } zeal = Zeal::All;
	long fail_after = -1; /* calls of the hook; -1: it never fails */
	unsigned long prepares = 0, psmashes = 0, warnings = 0;

    private:
	struct page *gctx_;
};

/* KVM's TDX code of the kernels that have it. One VM. */
class TdxVendor final : public Vendor {
    public:
	enum class Call { Add, Extend, Aug, Block, Track, Remove };

	~TdxVendor() override;

	unsigned max_order(std::uint64_t) override { return 0; }
	int map(std::uint64_t gfn, std::uint64_t pfn, unsigned order) override;
	void unmap(std::uint64_t gfn, std::uint64_t pfn) override;
	/* A populate's callback; @opaque is the vendor. */
	static int post_populate(struct kvm *, gmem_u64 gfn, gmem_u64 pfn, void *src, int order,
				 void *opaque);
	bool owns(std::uint64_t pfn) const { return owned_.count(pfn) != 0; }

	std::vector<Call> calls;
	bool finalized = false;

    private:
	std::map<std::uint64_t, std::uint64_t> sept_; /* frame by gfn */
	std::map<std::uint64_t, std::uint64_t> owned_; /* gfn by frame */
	bool adding_ = false; /* inside the callback */
};

} /* namespace fake */

#endif /* GMEM_FAKES_VENDORS_H */
