/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Filling a memslot's private pages with initial content, each exactly once.
 */
#ifndef GMEM_MMU_POPULATE_H
#define GMEM_MMU_POPULATE_H

#include "gmem/file.h"

namespace gmem
{

struct PopulateRequest {
	struct kvm *kvm;
	struct kvm_memory_slot *slot;
	Gfn gfn;
	/* User address, page-aligned by its user's contract; NULL: what is in the pages. */
	void *src;
	long npages;
	bool writeback; /* the callback may write to the source */
	kapi_populate_cb callback;
	void *opaque;
	/* What is asked of our platform; NULL: KVM has asked its own. */
	PageContent *content = nullptr;
};

/* As gmem_populate(); slots_lock and a reference of @file are held. Sleeps. */
long populate_memslot(File &file, const PopulateRequest &request);

} /* namespace gmem */

#endif /* GMEM_MMU_POPULATE_H */
