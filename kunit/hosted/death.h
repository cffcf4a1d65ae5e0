/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Expecting that something ends the process: a fake that never fires would let
 * every bug pass.
 */
#ifndef GMEM_HOSTED_DEATH_H
#define GMEM_HOSTED_DEATH_H

#include <functional>

namespace gmem_test
{

/* Whether @fn, in a child, dies and says @words on stderr. */
bool dies(const std::function<void()> &fn, const char *words);

} /* namespace gmem_test */

#endif /* GMEM_HOSTED_DEATH_H */
