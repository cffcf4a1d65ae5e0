// SPDX-License-Identifier: GPL-2.0-only
/*
 * kapi/trace.c: an event without a listener must not be told.
 */
#include "kunit/fakes/trace.h"

#include <algorithm>

#include "kunit/fakes/fakes.h"

bool kapi_traced[KAPI_TRACES];

namespace fake
{

namespace
{

Traces told;

void tell(kapi_trace event, struct inode *inode)
{
	if (!kapi_traced[event])
		bug("event %d is told to nobody", event);
	if (!inode && event != KAPI_TRACE_LAUNCH)
		bug("event %d is of no file", event);
	told.count[event]++;
	told.inode = inode;
}

} /* namespace */

void listen(bool to_all)
{
	told = {};
	std::fill_n(kapi_traced, int{ KAPI_TRACES }, to_all);
}

const Traces &traces()
{
	return told;
}

} /* namespace fake */

using namespace fake;

#define TOLD(name, NAME)                                                                   \
	void kapi_trace_##name(struct inode *inode, const struct kapi_event_##name *event) \
	{                                                                                  \
		tell(KAPI_TRACE_##NAME, inode);                                            \
		told.name = *event;                                                        \
	}

TOLD(create, CREATE)
TOLD(bind, BIND)
TOLD(fault, FAULT)
TOLD(populate, POPULATE)
TOLD(punch, PUNCH)
TOLD(convert, CONVERT)
TOLD(promotion, PROMOTION)
TOLD(reclaim, RECLAIM)
TOLD(link, LINK)
TOLD(launch, LAUNCH)

void kapi_trace_unbind(struct inode *inode, const struct kapi_event_bind *event)
{
	tell(KAPI_TRACE_UNBIND, inode);
	told.unbind = *event;
}

void kapi_trace_poison(struct inode *inode, kapi_u64 index, kapi_u64)
{
	tell(KAPI_TRACE_POISON, inode);
	told.poison_index = index;
}
