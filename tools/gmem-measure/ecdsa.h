/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ECDSA on P-384 with SHA-384, in the SNP firmware's layouts: numbers are 72 bytes,
 * little-endian. A public key is its curve (2), x and y in 0x404 bytes; a signature is
 * r and s in 0x200.
 */
#ifndef GMEM_MEASURE_ECDSA_H
#define GMEM_MEASURE_ECDSA_H

#include <memory>
#include <string>

#include <openssl/evp.h>

#include "arch/x86/sha384.h"
#include "tools/gmem-measure/file.h"

namespace measure
{

inline constexpr std::size_t kPublicKeySize = 0x404;
inline constexpr std::size_t kSignatureSize = 0x200;

template <auto Free> struct FreeWith {
	template <class T> void operator()(T *thing) const { Free(thing); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

class PrivateKey {
    public:
	/* From a PEM file without a password; Refused where it has no key on P-384. */
	explicit PrivateKey(const std::string &name);

	/* std::runtime_error where OpenSSL fails. */
	Contents public_key() const;
	Contents sign(gmem::ConstBytes data) const;

    private:
	Key key_;
};

/* Also false where @public_key is no point of the curve, or reserved bytes are not 0. */
bool verifies(gmem::ConstBytes public_key, gmem::ConstBytes data, gmem::ConstBytes signature);

} /* namespace measure */

#endif /* GMEM_MEASURE_ECDSA_H */
