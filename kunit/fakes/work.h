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
/* Whether the current thread is in run_work(). */
bool in_worker();
/* In how many milliseconds the last work that was scheduled is to run. */
unsigned last_delay();
/* Nanoseconds on the clock, which goes on while a work waits. */
std::uint64_t now();
/* Lets @ms milliseconds of it pass. */
void let_pass(unsigned ms);
/* The module's promotion_mib= parameter. */
void set_promotion_mib(unsigned mib);
/* The totals that the core keeps up. */
long stat_total(kapi_stat stat);
/* For check_clean(). */
void check_work();

} /* namespace fake */

#endif /* GMEM_FAKES_WORK_H */
