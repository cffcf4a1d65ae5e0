/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The platforms' part of the boundary, as tests see it.
 */
#ifndef GMEM_FAKES_PLATFORM_H
#define GMEM_FAKES_PLATFORM_H

#include <atomic>
#include <cerrno>

#include "kapi/guest.h"
#include "kunit/fakes/fakes.h"

namespace fake
{

/* Lines reported since this was last asked. */
long reports();
/* The module's platform= parameter. */
void set_platform(kapi_platform setting);
/* And snp_guests=. */
void set_snp_guests(kapi_snp_guests setting);
/* User memory can be read, but no longer written. */
void set_user_gone_for_writing(bool gone);

} /* namespace fake */

#endif /* GMEM_FAKES_PLATFORM_H */
