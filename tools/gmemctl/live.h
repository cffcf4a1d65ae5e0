/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What goes on until it is interrupted: the tracepoints; top is in top.h.
 */
#ifndef GMEMCTL_LIVE_H
#define GMEMCTL_LIVE_H

#include "system.h"

namespace gmemctl
{

/*
 * Lines of trace_pipe, "NAME-PID [CPU] FLAGS TIME: gmem_EVENT: FIELD=VALUE ...". NAME is what a
 * process calls itself, who may be anybody: it may look like an event, and may have ends of lines.
 */
class EventLines {
    public:
	EventLines(bool json, bool utf8) : json_(json), utf8_(utf8) {}

	/* What is to be printed for it; nothing: it goes on in the next line. */
	std::string add(const std::string &line);

    private:
	static constexpr std::size_t kFrontMax = 64;

	const bool json_, utf8_;
	std::string front_;
};

/* From now on signals that end a program only interrupt what it waits for. */
void end_by_signals();
bool interrupted();

/* Follows the tracepoints that match @event, all if it is empty, until it is interrupted. */
void events(const System &system, const std::string &event, unsigned count, bool json);

} /* namespace gmemctl */

#endif /* GMEMCTL_LIVE_H */
