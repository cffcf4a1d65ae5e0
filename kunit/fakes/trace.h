/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints with a listener for tests: what was told last of each event.
 */
#ifndef GMEM_FAKES_TRACE_H
#define GMEM_FAKES_TRACE_H

#include "kapi/kapi.h"

namespace fake
{

/* What was last told of each kind, and how often since listen(). */
struct Traces {
	unsigned count[KAPI_TRACES];
	struct inode *inode; /* of whatever was told last */
	kapi_event_create create;
	kapi_event_bind bind, unbind;
	kapi_event_fault fault;
	kapi_event_populate populate;
	kapi_event_punch punch;
	kapi_event_convert convert;
	kapi_event_promotion promotion;
	kapi_u64 poison_index;
	kapi_event_reclaim reclaim;
	kapi_event_link link;
	kapi_event_launch launch;
};

/* Listens to all events from now on, or to none. */
void listen(bool to_all);
const Traces &traces();

} /* namespace fake */

#endif /* GMEM_FAKES_TRACE_H */
