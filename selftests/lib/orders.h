/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steps in every order there is.
 */
#ifndef SELFTESTS_ORDERS_H
#define SELFTESTS_ORDERS_H

/* Calls @play for all orders of what is left of @steps after the first @done. */
static inline void play_every_order(int *steps, int count, int done,
				    void (*play)(const int *steps))
{
	if (done == count) {
		play(steps);
		return;
	}
	for (int i = done; i < count; i++) {
		const int step = steps[i];

		steps[i] = steps[done];
		steps[done] = step;
		play_every_order(steps, count, done + 1, play);
		steps[done] = steps[i];
		steps[i] = step;
	}
}

#endif
