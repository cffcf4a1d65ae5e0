// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signing on P-384 (p384.h). The order is 2^384 - kFold (SP 800-186, 3.2.1.4), so that what is
 * above 384 bits counts kFold each below.
 */
#include "arch/x86/p384.h"

#include <algorithm>

namespace gmem
{

namespace
{

using Wide = unsigned __int128;

constexpr std::size_t kLimbs = 6;
constexpr unsigned kLimbBits = 64;
constexpr std::array<std::uint64_t, 3> kFold{ 0x1313e695333ad68d, 0xa7e5f24db74f5885,
					      0x389cb27e0bc8d220 };
constexpr std::array<std::uint64_t, kLimbs> kOrder{
	0xecec196accc52973, 0x581a0db248b0a77a, 0xc7634d81f4372ddf, ~0ull, ~0ull, ~0ull
};

/* Random numbers that serve as a key are all but a few in 2^190. */
constexpr unsigned kTries = 4;

/* to += a * b, up to the end of @to; the carry. */
template <std::size_t N, std::size_t A, std::size_t B>
std::uint64_t multiply_add(std::array<std::uint64_t, N> &to, const std::array<std::uint64_t, A> &a,
			   const std::array<std::uint64_t, B> &b)
{
	std::uint64_t lost = 0;

	for (std::size_t i = 0; i < A; i++) {
		std::uint64_t carry = 0;

		for (std::size_t j = 0; i + j < N; j++) {
			const Wide sum = Wide{ to[i + j] } + carry +
					 (j < B ? static_cast<Wide>(a[i]) * b[j] : Wide{ 0 });

			to[i + j] = static_cast<std::uint64_t>(sum);
			carry = static_cast<std::uint64_t>(sum >> kLimbBits);
		}
		lost |= carry;
	}
	return lost;
}

} /* namespace */

P384Number::P384Number(const std::uint8_t *bytes)
{
	for (unsigned i = 0; i < KAPI_P384_SIZE; i++) {
		std::uint64_t &limb = limbs_[kLimbs - 1 - i / 8];

		limb = limb << 8 | bytes[i];
	}
	subtract_order_if_above(false);
}

P384Number::Bytes P384Number::bytes() const
{
	Bytes bytes;

	for (unsigned i = 0; i < KAPI_P384_SIZE; i++)
		bytes[KAPI_P384_SIZE - 1 - i] = static_cast<std::uint8_t>(limbs_[i / 8] >>
									  8 * (i % 8));
	return bytes;
}

bool P384Number::is_zero() const
{
	return *this == P384Number{};
}

/* Less than twice the order, of which @carry is the 385th bit. */
void P384Number::subtract_order_if_above(bool carry)
{
	/* The lowest differ last. */
	if (!carry && std::lexicographical_compare(limbs_.rbegin(), limbs_.rend(), kOrder.rbegin(),
						   kOrder.rend()))
		return;

	/* Without the order is the same as with kFold, and without the 385th bit. */
	constexpr std::array<std::uint64_t, 1> kOnce{ 1 };

	(void)multiply_add(limbs_, kOnce, kFold);
}

P384Number P384Number::reduce(std::array<std::uint64_t, 2 * kLimbs> number)
{
	P384Number result;

	for (;;) {
		std::array<std::uint64_t, kLimbs> above;

		std::copy_n(number.begin() + kLimbs, kLimbs, above.begin());
		if (above == std::array<std::uint64_t, kLimbs>{})
			break;
		std::fill_n(number.begin() + kLimbs, kLimbs, 0);
		(void)multiply_add(number, above, kFold);
	}
	std::copy_n(number.begin(), kLimbs, result.limbs_.begin());
	result.subtract_order_if_above(false);
	return result;
}

P384Number P384Number::operator+(const P384Number &other) const
{
	constexpr std::array<std::uint64_t, 1> kOnce{ 1 };
	P384Number sum = *this;

	sum.subtract_order_if_above(multiply_add(sum.limbs_, kOnce, other.limbs_) != 0);
	return sum;
}

P384Number P384Number::operator*(const P384Number &other) const
{
	std::array<std::uint64_t, 2 * kLimbs> product{};

	(void)multiply_add(product, limbs_, other.limbs_);
	return reduce(product);
}

/* By Fermat: the power with the order less two. */
P384Number P384Number::inverse() const
{
	P384Number power{ 1 };

	for (std::size_t bit = kLimbs * kLimbBits; bit-- > 0;) {
		const std::uint64_t limb = kOrder[bit / kLimbBits] - (bit < kLimbBits ? 2 : 0);

		power = power * power;
		if (limb >> bit % kLimbBits & 1)
			power = power * *this;
	}
	return power;
}

[[gnu::noinline]] Result<P384Key> p384_make_key()
{
	for (unsigned i = 0; i < kTries; i++) {
		std::array<std::uint8_t, KAPI_P384_SIZE> bytes;
		P384Key key;

		kapi_random(bytes.data(), bytes.size());
		key.secret = P384Number{ bytes.data() };

		const Status status{ kapi_p384_public(key.secret.bytes().data(), &key.point) };

		if (status.ok())
			return key;
		if (status != error(EINVAL))
			return status;
	}
	return error(EIO);
}

/* False: @once is one in 2^384 that does not do. A function of its own for its stack. */
[[gnu::noinline]] static bool sign_with(const P384Key &key, const P384Key &once,
					const Sha384Digest &digest, kapi_p384_signature &signature)
{
	const P384Number r{ once.point.x };
	const P384Number s = once.secret.inverse() * (P384Number{ digest.data() } + r * key.secret);

	std::copy_n(r.bytes().begin(), KAPI_P384_SIZE, signature.r);
	std::copy_n(s.bytes().begin(), KAPI_P384_SIZE, signature.s);
	return !r.is_zero() && !s.is_zero();
}

Result<kapi_p384_signature> p384_sign(const P384Key &key, const Sha384Digest &digest)
{
	kapi_p384_signature signature{};

	for (unsigned i = 0; i < kTries; i++) {
		/* One that nobody sees, and that is never used again. */
		const Result<P384Key> once = p384_make_key();

		if (!once.ok())
			return once.status();
		if (sign_with(key, once.value(), digest, signature))
			return signature;
	}
	return error(EIO);
}

} /* namespace gmem */
