// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a refusal counts as.
 */
#include "gmem/stats.h"

namespace gmem
{

void Stats::add_refused(Status status, kapi_stat again)
{
	switch (-status.code()) {
	case EINTR:
		return;
	case EAGAIN:
		return add(again);
	case EBUSY:
		return add(KAPI_STAT_REFUSED_BUSY);
	case EHWPOISON:
		return add(KAPI_STAT_REFUSED_LOST);
	case ENOMEM:
	case EDQUOT:
		return add(KAPI_STAT_REFUSED_MEMORY);
	default:
		return add(KAPI_STAT_REFUSED_OTHER);
	}
}

} /* namespace gmem */
