/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is done between looking whether an event is traced and telling the tracer
 * (kapi/trace.h). The clock is read only for a traced event.
 */
#ifndef GMEM_TRACE_H
#define GMEM_TRACE_H

#include "gmem/result.h"
#include "kapi/kapi.h"

namespace gmem
{

inline bool is_traced(kapi_trace event)
{
	return __builtin_expect(kapi_traced[event], false);
}

/*
 * Returns what @fn() does. If @event is traced, @tell(what @fn() has returned, how many
 * nanoseconds it took) is called first.
 */
template <class Fn, class Tell> auto traced(kapi_trace event, Fn fn, Tell tell) -> decltype(fn())
{
	if (!is_traced(event))
		return fn();

	const std::uint64_t began = kapi_now_ns();
	auto result = fn();

	tell(result, kapi_now_ns() - began);
	return result;
}

} /* namespace gmem */

#endif /* GMEM_TRACE_H */
