// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaves of an xarray ahead of their entries (leaves.h).
 */
#include <linux/gfp.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "leaves.h"

/* Leaves made under one hold of the lock. */
#define BATCH		16
/* Of the node above a leaf, as a power of two of indices. */
#define PARENT_ORDER	(2 * XA_CHUNK_SHIFT)

/*
 * One call asks for many of them: it fails rather than have the OOM killer run for the
 * last one.
 */
#define GFP_LEAF	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

unsigned long gmem_leaves_next(struct xa_state *xas, unsigned long at, unsigned long end)
{
	while (at < end) {
		xas_set(xas, at);
		if (xas_load(xas))
			return at;
		/* Beyond all that there is, or there is nothing. */
		if (!xas_is_node(xas))
			break;
		if (!xas->xa_node->shift)
			return at;
		at = (at | ((1UL << xas->xa_node->shift) - 1)) + 1;
	}
	return end;
}

/* Takes out all of the aligned 2^@order indices around @at, with their nodes. */
static void take_out(struct xa_state *xas, unsigned long at, unsigned int order)
{
	xas_set_order(xas, round_down(at, 1UL << order), order);
	xas_store(xas, NULL);
}

/* Whether the leaves below @parent have no entry. Looking at each would take 64 times as long. */
static bool leaves_are_empty(struct xarray *xa, struct xa_node *parent)
{
	for (unsigned int i = 0; parent && i < XA_CHUNK_SIZE; i++) {
		const void *const entry = xa_entry_locked(xa, parent, i);

		if (entry && (!xa_is_node(entry) || xa_to_node(entry)->count))
			return false;
	}
	return parent;
}

void gmem_leaves_release(struct xarray *xa, unsigned long start, unsigned long end)
{
	XA_STATE(xas, xa, start);

	while (start < end) {
		unsigned int order = XA_CHUNK_SHIFT;

		xas_lock(&xas);
		start = gmem_leaves_next(&xas, start, end);
		if (start < end && xas_is_node(&xas) && !xas.xa_node->count) {
			if (leaves_are_empty(xa, xa_parent_locked(xa, xas.xa_node)))
				order = PARENT_ORDER;
			take_out(&xas, start, order);
		}
		xas_unlock(&xas);
		start = (start | ((1UL << order) - 1)) + 1;
		cond_resched();
	}
}

/* Nodes on the way to a leaf that there was no memory for. */
static void free_way_to(struct xarray *xa, unsigned long at)
{
	XA_STATE(xas, xa, at);

	xas_lock(&xas);
	for (unsigned int order = PARENT_ORDER; order < BITS_PER_LONG - XA_CHUNK_SHIFT;
	     order += XA_CHUNK_SHIFT) {
		xas_set(&xas, round_down(at, 1UL << order));
		if (xas_find(&xas, at | ((1UL << order) - 1)))
			break;
		take_out(&xas, at, order);
	}
	xas_unlock(&xas);
}

int gmem_leaves_reserve(struct xarray *xa, unsigned long start, unsigned long end)
{
	XA_STATE(xas, xa, start);
	unsigned long at = round_down(start, XA_CHUNK_SIZE);
	int ret = 0;

	while (at < end && !ret) {
		const unsigned long stop = min(end, at + BATCH * XA_CHUNK_SIZE);

		do {
			xas_lock(&xas);
			for (; at < stop; at += XA_CHUNK_SIZE) {
				xas_set_order(&xas, at, XA_CHUNK_SHIFT);
				xas_create_range(&xas);
				if (xas_error(&xas))
					break;
			}
			xas_unlock(&xas);
		} while (xas_nomem(&xas, GFP_LEAF));
		ret = xas_error(&xas);
		if (fatal_signal_pending(current))
			ret = -EINTR;
		cond_resched();
	}
	if (!ret)
		return 0;
	gmem_leaves_release(xa, start, at);
	free_way_to(xa, at);
	/* Nodes are freed a grace period later: until then the caller's cgroup is full. */
	if (ret == -ENOMEM)
		rcu_barrier();
	return ret;
}
