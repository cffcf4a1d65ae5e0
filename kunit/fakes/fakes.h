/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all fakes of the kernel boundary share: how a broken rule ends the test,
 * the injector that makes the nth failable import fail, and the whole world's
 * state at the end of a test.
 *
 * A broken rule of the boundary (a page freed while it is mapped, a lock out of
 * order) is never a value for a test to look at: bug() aborts at once, so that
 * the stack shows the call that broke the rule.
 */
#ifndef GMEM_FAKES_H
#define GMEM_FAKES_H

#include <cstdint>

#include "kapi/kapi.h"

namespace fake
{

[[noreturn]] void bug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The nth failable import from now on fails; 0: none does. One at a time. */
void fail_nth(unsigned long n);
/* Whether the one armed has failed by now. */
bool fail_fired();
/* Asked by each failable import: is it the one? */
bool fail_now();

/* Whether the allocator hands out zeroed pages (init_on_alloc). */
void set_pages_come_zeroed(bool zeroed);
/* The module's huge= parameter. */
void set_huge(kapi_huge policy);
/* The module's backend= parameter. */
void set_backend_stock(bool stock);
/* kapi_signal_pending() says yes from its nth call on; 0: never. */
void set_signal_after(unsigned long calls);
/*
 * The task is killed at the nth time that it is asked about, by whatever waits or looks
 * for signals, and stays so; 0: never.
 */
void set_killed_after(unsigned long calls);

/* Counts of what the core has and must give back. */
long core_objects();
long warnings(); /* kapi_warn_once() calls; each is a bug() unless expected */
void expect_warnings(bool expected);

/*
 * The end of a test: no lock held, no page, object, file, descriptor, VM or pin
 * left. Poisoned and leaked pages are taken back.
 */
void check_clean();

} /* namespace fake */

#endif /* GMEM_FAKES_H */
