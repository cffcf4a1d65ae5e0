/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests set of the cryptography that all hosted programs have (kunit/fakes/crypto.cc).
 */
#ifndef GMEM_FAKES_CRYPTO_H
#define GMEM_FAKES_CRYPTO_H

namespace fake
{

/* Asked by each call that takes memory: whether there is none. NULL: there always is. */
extern bool (*crypto_lacks_memory)();

} /* namespace fake */

#endif /* GMEM_FAKES_CRYPTO_H */
