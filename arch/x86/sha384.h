/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SHA-384 as an object, over whatever the boundary offers (kapi/crypto.h).
 */
#ifndef GMEM_ARCH_X86_SHA384_H
#define GMEM_ARCH_X86_SHA384_H

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "gmem/result.h"
#include "kapi/crypto.h"

namespace gmem
{

using Sha384Digest = std::array<std::uint8_t, KAPI_SHA384_SIZE>;
using ConstBytes = std::span<const std::uint8_t>;

/* One digest at a time, over and over. Empty until created; then one user at a time. */
class Sha384 {
    public:
	Sha384() = default;

	/* Started. -ENOMEM. Sleeps. */
	static Result<Sha384> create()
	{
		Sha384 sha;

		sha.state_.reset(kapi_sha384_new());
		if (!sha.state_)
			return error(ENOMEM);
		return sha;
	}

	/* Errors are the provider's. */
	Status update(ConstBytes data)
	{
		return Status{ kapi_sha384_update(state_.get(), data.data(), data.size()) };
	}

	/*
	 * The digest of all updates since the last finish. Always inline: the linker drops copies
	 * of a function, and not what the compiler has noted about them.
	 */
	[[gnu::always_inline]] Result<Sha384Digest> finish()
	{
		Sha384Digest digest;

		GMEM_CHECK(Status{ kapi_sha384_finish(state_.get(), digest.data()) });
		GMEM_CHECK(Status{ kapi_sha384_start(state_.get()) });
		return digest;
	}

    private:
	struct Free {
		void operator()(kapi_sha384 *sha) const { kapi_sha384_free(sha); }
	};

	std::unique_ptr<kapi_sha384, Free> state_;
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SHA384_H */
