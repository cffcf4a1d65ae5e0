/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What goes on until it is interrupted: the tracepoints; top is in top.h.
 */
#ifndef GMEMCTL_LIVE_H
#define GMEMCTL_LIVE_H

#include "system.h"

namespace gmemctl
{

/* From now on signals that end a program only interrupt what it waits for. */
void end_by_signals();
bool interrupted();

/* Follows the tracepoints that match @event, all if it is empty, until it is interrupted. */
void events(const System &system, const std::string &event, unsigned count, bool json);

} /* namespace gmemctl */

#endif /* GMEMCTL_LIVE_H */
