/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ECDSA on P-384 with SHA-384, the half that kernels do not have: signing (FIPS 186-5, 6.4.1).
 * Points are the boundary's (kapi/crypto.h); what is here is the arithmetic modulo the order of
 * the base point. It takes as long as the numbers make it: for keys of the model alone, which
 * protect nothing.
 */
#ifndef GMEM_ARCH_X86_P384_H
#define GMEM_ARCH_X86_P384_H

#include "arch/x86/sha384.h"

namespace gmem
{

/* A number modulo the order of P-384's base point. */
class P384Number {
    public:
	using Bytes = std::array<std::uint8_t, KAPI_P384_SIZE>;

	constexpr P384Number() = default;
	/* Of big-endian bytes, whatever they are. */
	explicit P384Number(const std::uint8_t *bytes);

	Bytes bytes() const; /* big-endian */
	bool is_zero() const;
	P384Number operator+(const P384Number &other) const;
	P384Number operator*(const P384Number &other) const;
	/* 1 / the number; 0 of 0. */
	P384Number inverse() const;
	bool operator==(const P384Number &) const = default;

    private:
	static constexpr std::size_t kLimbs = 6;

	explicit constexpr P384Number(std::uint64_t small) : limbs_{ small } {}
	static P384Number reduce(std::array<std::uint64_t, 2 * kLimbs> number);
	void subtract_order_if_above(bool carry);

	std::array<std::uint64_t, kLimbs> limbs_{}; /* the lowest first */
};

/* A key that signs. */
struct P384Key {
	P384Number secret;
	kapi_p384_point point{};
};

/* A new one. -EOPNOTSUPP: this kernel has no ECDH; -ENOMEM; -EIO. Sleeps. */
Result<P384Key> p384_make_key();
/* @key's signature over @digest; another one each time. Errors as above. Sleeps. */
Result<kapi_p384_signature> p384_sign(const P384Key &key, const Sha384Digest &digest);

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_P384_H */
