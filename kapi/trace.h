/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the core tells tracepoints (docs/tracing.md): one struct an event, one function
 * that emits it. Nothing here sleeps or fails. The core looks first whether the event is
 * traced: tracing that is off costs that look alone.
 */
#ifndef GMEM_KAPI_TRACE_H
#define GMEM_KAPI_TRACE_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Why a page is given by itself and not with all of its run of 2 MiB. The one list of
 * reasons: counters (kapi_stat), tracepoints, GMEM_GET_MAP and gmemctl have this order
 * and these names, but for the counter of MIXED, which is called fallback_shared
 * (docs/tracing.md). It is only ever extended, at its end.
 */
enum kapi_small {
	KAPI_SMALL_NOT, /* it is given with its run */
	KAPI_SMALL_MEMORY, /* no block was to be had and paid for */
	KAPI_SMALL_PLACE, /* no whole run fits there, or not all was asked for */
	KAPI_SMALL_MIXED, /* a part of the run is shared, another private */
	KAPI_SMALL_PARTIAL, /* the run had other pages already, or lacks some */
	KAPI_SMALL_POISONED, /* a page of the run is lost */
	KAPI_SMALL_PLATFORM, /* the platform did not take all of it at once */
	KAPI_SMALL_POLICY, /* the file has no huge runs */
	KAPI_SMALLS,
};

enum kapi_trace {
	KAPI_TRACE_CREATE,
	KAPI_TRACE_BIND,
	KAPI_TRACE_UNBIND,
	KAPI_TRACE_FAULT,
	KAPI_TRACE_POPULATE,
	KAPI_TRACE_PUNCH,
	KAPI_TRACE_CONVERT,
	KAPI_TRACE_PROMOTION,
	KAPI_TRACE_POISON,
	KAPI_TRACE_RECLAIM,
	KAPI_TRACE_LINK,
	KAPI_TRACE_LAUNCH,
	KAPI_TRACES,
};

/* Whether each is traced; changes at any time. */
extern bool kapi_traced[KAPI_TRACES];

/* In each: @index is that of a page in the file; @ret 0 or a negative errno; @ns a duration. */

/* A file was made; of the VM's type, on a platform of that name. */
struct kapi_event_create {
	struct kvm *vm;
	kapi_u64 size; /* bytes */
	const char *platform;
	bool huge, mappable, shared;
};

/* A memslot was bound, or could not be; or is unbound. */
struct kapi_event_bind {
	struct kvm *vm;
	kapi_u64 gfn, index, npages;
	int ret;
};

/* The asker for a page (gmem/holder.h). */
enum kapi_who {
	KAPI_WHO_GUEST,
	KAPI_WHO_KERNEL,
	KAPI_WHO_USER,
	KAPI_WHO_CONSUMER,
};

#define KAPI_NO_GFN (~(kapi_u64)0)

/* A page was given, or could not be. */
struct kapi_event_fault {
	kapi_u64 index;
	kapi_u64 gfn; /* or KAPI_NO_GFN */
	enum kapi_who who;
	bool shared; /* it was asked for as such, and not as private */
	unsigned int order; /* of what may be mapped at once */
	enum kapi_small small;
	int ret;
	kapi_u64 ns;
};

/* Pages got their first content, @done of them. */
struct kapi_event_populate {
	struct kvm *vm;
	kapi_u64 gfn, npages, done;
	int ret; /* of what came after those */
	kapi_u64 ns;
};

struct kapi_event_punch {
	kapi_u64 index, npages;
	int ret;
	kapi_u64 ns;
};

enum kapi_phase {
	KAPI_PHASE_PREPARE,
	KAPI_PHASE_COMMIT,
	KAPI_PHASE_FAIL,
};

/* A phase of a conversion is over; that it was refused is because of the page at @at. */
struct kapi_event_convert {
	enum kapi_phase phase;
	bool to_private;
	kapi_u64 index, npages, at;
	int ret;
	kapi_u64 ns;
};

/* A run was moved into a block, or could not be. */
struct kapi_event_promotion {
	kapi_u64 index;
	int ret;
	kapi_u64 ns;
};

/* Pages of one run were taken out; @leaked of them are never freed. */
struct kapi_event_reclaim {
	kapi_u64 index, npages, leaked;
};

/* The memory of one VM became another's, or could not. */
struct kapi_event_link {
	struct kvm *from, *to;
	int ret;
	kapi_u64 ns;
};

enum kapi_launch {
	KAPI_LAUNCH_POPULATE,
	KAPI_LAUNCH_FINISH,
	KAPI_LAUNCH_MEASUREMENT,
	KAPI_LAUNCH_INIT,
	KAPI_LAUNCH_START,
};

/* An ioctl of a launch is over; @done pages, and what the firmware said. */
struct kapi_event_launch {
	struct kvm *vm;
	enum kapi_launch phase;
	kapi_u64 done, firmware_error;
	int ret;
	kapi_u64 ns;
};

void kapi_trace_create(struct inode *inode, const struct kapi_event_create *event);
void kapi_trace_bind(struct inode *inode, const struct kapi_event_bind *event);
void kapi_trace_unbind(struct inode *inode, const struct kapi_event_bind *event);
void kapi_trace_fault(struct inode *inode, const struct kapi_event_fault *event);
void kapi_trace_populate(struct inode *inode, const struct kapi_event_populate *event);
void kapi_trace_punch(struct inode *inode, const struct kapi_event_punch *event);
void kapi_trace_convert(struct inode *inode, const struct kapi_event_convert *event);
void kapi_trace_promotion(struct inode *inode, const struct kapi_event_promotion *event);
/* The page at @index was struck by memory failure. */
void kapi_trace_poison(struct inode *inode, kapi_u64 index, kapi_u64 pfn);
void kapi_trace_reclaim(struct inode *inode, const struct kapi_event_reclaim *event);
void kapi_trace_link(struct inode *inode, const struct kapi_event_link *event);
/* NULL for @inode: the ioctl was the VM's. */
void kapi_trace_launch(struct inode *inode, const struct kapi_event_launch *event);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_TRACE_H */
