/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Background work that runs when a test says so.
 */
#ifndef GMEM_FAKES_WORK_H
#define GMEM_FAKES_WORK_H

#include "kunit/fakes/fakes.h"

namespace fake
{

/* Runs one work that waits, as a worker would; false: none does. */
bool run_work();
/* The totals that the core keeps up. */
long stat_total(kapi_stat stat);
/* For check_clean(). */
void check_work();

} /* namespace fake */

#endif /* GMEM_FAKES_WORK_H */
