// SPDX-License-Identifier: GPL-2.0-only
/*
 * <linux/interval_tree.h>.
 */
#include <linux/interval_tree.h>

#include "kapi.h"

static struct rb_root_cached *to_root(struct kapi_intervals *tree)
{
	BUILD_BUG_ON(sizeof(struct rb_root_cached) > sizeof(struct kapi_intervals));
	return (struct rb_root_cached *)tree;
}

static struct interval_tree_node *to_node(struct kapi_interval *node)
{
	BUILD_BUG_ON(sizeof(struct interval_tree_node) > sizeof(struct kapi_interval));
	return (struct interval_tree_node *)node;
}

void kapi_intervals_init(struct kapi_intervals *tree)
{
	*to_root(tree) = RB_ROOT_CACHED;
}

void kapi_intervals_destroy(struct kapi_intervals *tree)
{
	WARN_ON_ONCE(!RB_EMPTY_ROOT(&to_root(tree)->rb_root));
}

void kapi_intervals_add(struct kapi_intervals *tree, struct kapi_interval *node, kapi_u64 first,
			kapi_u64 last)
{
	to_node(node)->start = first;
	to_node(node)->last = last;
	interval_tree_insert(to_node(node), to_root(tree));
}

void kapi_intervals_remove(struct kapi_intervals *tree, struct kapi_interval *node)
{
	interval_tree_remove(to_node(node), to_root(tree));
}

struct kapi_interval *kapi_intervals_first(struct kapi_intervals *tree, kapi_u64 first,
					   kapi_u64 last)
{
	return (struct kapi_interval *)interval_tree_iter_first(to_root(tree), first, last);
}

struct kapi_interval *kapi_intervals_next(struct kapi_interval *node, kapi_u64 first,
					  kapi_u64 last)
{
	return (struct kapi_interval *)interval_tree_iter_next(to_node(node), first, last);
}
