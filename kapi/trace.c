// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints as the core has them (trace.h): whether each is traced, and the
 * emitting. Their layout is in kapi/tracepoints.h.
 */
#include <linux/fs.h>
#include <linux/kvm_host.h>

#include "trace.h"

bool kapi_traced[KAPI_TRACES];

/* Called by the kernel when the first one begins to listen, and when the last one ends. */
#define LISTENERS(name, NAME)						\
	static int gmem_##name##_begin(void)				\
	{								\
		WRITE_ONCE(kapi_traced[KAPI_TRACE_##NAME], true);	\
		return 0;						\
	}								\
	static void gmem_##name##_end(void)				\
	{								\
		WRITE_ONCE(kapi_traced[KAPI_TRACE_##NAME], false);	\
	}

LISTENERS(create, CREATE)
LISTENERS(bind, BIND)
LISTENERS(unbind, UNBIND)
LISTENERS(fault, FAULT)
LISTENERS(populate, POPULATE)
LISTENERS(punch, PUNCH)
LISTENERS(convert, CONVERT)
LISTENERS(promotion, PROMOTION)
LISTENERS(poison, POISON)
LISTENERS(reclaim, RECLAIM)
LISTENERS(link, LINK)
LISTENERS(launch, LAUNCH)

#define CREATE_TRACE_POINTS
#include "tracepoints.h"

#define EMIT(name)								\
	void kapi_trace_##name(struct inode *inode,				\
			       const struct kapi_event_##name *event)		\
	{									\
		trace_gmem_##name(inode, event);				\
	}

EMIT(create)
EMIT(bind)
EMIT(fault)
EMIT(populate)
EMIT(punch)
EMIT(convert)
EMIT(promotion)
EMIT(reclaim)
EMIT(link)
EMIT(launch)

void kapi_trace_unbind(struct inode *inode, const struct kapi_event_bind *event)
{
	trace_gmem_unbind(inode, event);
}

void kapi_trace_poison(struct inode *inode, kapi_u64 index, kapi_u64 pfn)
{
	trace_gmem_poison(inode, index, pfn);
}
