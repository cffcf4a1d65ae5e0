/* SPDX-License-Identifier: GPL-2.0-only */
/* The other processors. */
#ifndef GMEM_SELFTESTS_FIRMWARE_SMP_H
#define GMEM_SELFTESTS_FIRMWARE_SMP_H

/* How many processors there are, this one counted. */
unsigned int cpus(void);

/*
 * Start all others, have each call @work with its number, from 1, and wait until all are done.
 * Once only.
 */
void on_all_others(void (*work)(unsigned int cpu));

#endif /* GMEM_SELFTESTS_FIRMWARE_SMP_H */
