/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all entries have in common: the count of calls, the module's own reference, and
 * whether a file is one of gmem's.
 */
#ifndef GMEM_MMU_ENTRY_H
#define GMEM_MMU_ENTRY_H

#include "gmem/file.h"
#include "gmem/guard.h"

namespace gmem
{

/* Counts the call, and keeps the module from unloading under it. */
class Entry {
    public:
	explicit Entry(kapi_entry entry) : entry_(entry) { kapi_entry_enter(entry_); }
	~Entry() { kapi_entry_leave(entry_, served_); }
	Entry(const Entry &) = delete;
	Entry &operator=(const Entry &) = delete;

	/* The stock body answers. */
	void stock() { served_ = false; }

    private:
	const kapi_entry entry_;
	bool served_ = true;
};

/*
 * A reference of the module, without which nothing is made that needs it later. An entry
 * alone is not enough: calls still come while the module is being unloaded.
 */
class ModuleRef {
    public:
	ModuleRef() : held_(kapi_self_get()) {}
	~ModuleRef()
	{
		if (held_)
			kapi_self_put();
	}
	ModuleRef(const ModuleRef &) = delete;
	ModuleRef &operator=(const ModuleRef &) = delete;

	/* False: the call came too late. */
	explicit operator bool() const { return held_; }

    private:
	const bool held_;
};

/* The guest can go on: what KVM answers to an exit that it has served. */
inline constexpr int kGoOn = 1;

/*
 * Whether what shared memory can do on no kernel of today is offered: conversion in place,
 * links. For the whole time that the module is loaded and the vendor's module of KVM's, too.
 */
inline bool sharing_is_extended()
{
	return kapi_feature(KAPI_FEATURE_SHARED) && kapi_kvm_tdp_mmu();
}

/* Whether files can be made that user space maps. KVM that has such itself keeps them. */
inline bool files_can_be_mappable()
{
	return kapi_kvm_has_shared_slots() ? kapi_feature(KAPI_FEATURE_BACKEND)
					   : sharing_is_extended();
}

/* Flags that a file of @kvm, or of some VM without one, can be created with. */
std::uint64_t known_flags(struct kvm *kvm);

} /* namespace gmem */

#endif /* GMEM_MMU_ENTRY_H */
