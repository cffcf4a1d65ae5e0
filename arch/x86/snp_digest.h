/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The launch digest of SEV-SNP: a chain of SHA-384 over one PAGE_INFO structure
 * per 4 KiB page, starting from 48 zero bytes. The facts are from AMD's own
 * firmware source (AMD-ASPFW, sev_mcmd.h: launch_update_page_info); its section
 * in AMD's publication 56860 is "SNP_LAUNCH_UPDATE, Structure of the PAGE_INFO".
 */
#ifndef GMEM_ARCH_X86_SNP_DIGEST_H
#define GMEM_ARCH_X86_SNP_DIGEST_H

#include "arch/x86/sha384.h"

namespace gmem
{

/* PAGE_TYPE of SNP_LAUNCH_UPDATE. */
enum class SnpPageType : std::uint8_t {
	Normal = 1,
	Vmsa = 2,
	Zero = 3,
	Unmeasured = 4, /* its content is not, that it is there is */
	Secrets = 5,
	Cpuid = 6,
};

constexpr bool snp_page_type_known(unsigned type)
{
	return type >= 1 && type <= 6;
}

/* Whether such pages come one at a time, and small. */
constexpr bool snp_page_type_single(unsigned type)
{
	return type == 2 || type == 5 || type == 6;
}

/* Whether CONTENTS has the digest of the page, not zeros. */
constexpr bool snp_page_type_hashed(SnpPageType type)
{
	return type == SnpPageType::Normal || type == SnpPageType::Vmsa;
}

class SnpDigest {
    public:
	SnpDigest() = default;

	/* Of nothing yet, or of all that has led to @start. -ENOMEM. Sleeps. */
	static Result<SnpDigest> create(const Sha384Digest &start = {});

	/*
	 * Adds a page at guest-physical byte address @gpa. @page has 4096 bytes,
	 * and is not looked at for types whose content is not measured. Errors are
	 * the hash provider's; the digest is then not to be relied on.
	 */
	Status add_page(SnpPageType type, std::uint64_t gpa, ConstBytes page);
	/* The same, with the SHA-384 of the page instead; zeros where not measured. */
	Status add_contents(SnpPageType type, std::uint64_t gpa, const Sha384Digest &contents);

	/* CONTENTS of a page: its SHA-384, or zeros. @page and errors as for add_page(). */
	Result<Sha384Digest> contents(SnpPageType type, ConstBytes page);

	/* After each page, and at the end, where it is the MEASUREMENT. */
	const Sha384Digest &value() const { return value_; }
	/* Of the page added last. */
	const Sha384Digest &contents() const { return contents_; }

    private:
	Sha384 sha_;
	Sha384Digest value_{}, contents_{};
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SNP_DIGEST_H */
