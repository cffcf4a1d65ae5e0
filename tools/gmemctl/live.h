/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What goes on until it is interrupted: top and events.
 */
#ifndef GMEMCTL_LIVE_H
#define GMEMCTL_LIVE_H

#include "screen.h"
#include "system.h"

namespace gmemctl
{

/* What has changed between two looks at the same files, a second; busiest first. */
struct Delta {
	File file;
	double pages, small, promotions, leaked;
};

std::vector<Delta> deltas(const std::vector<File> &before, const std::vector<File> &now,
			  double seconds);
std::string top_text(const std::vector<Delta> &deltas, const Screen &screen);

/*
 * Shows them each @interval seconds, @count times (0: for ever). On a terminal it is a
 * screen with keys (q, and p s m l to sort); else, or with @json, text.
 */
void top(const System &system, double interval, unsigned count, bool json);
/* Follows the tracepoints that match @event, NULL for all, until it is interrupted. */
void events(const System &system, const std::string &event, unsigned count, bool json);

} /* namespace gmemctl */

#endif /* GMEMCTL_LIVE_H */
