/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ftrace's own users of a function, through tracefs: probes and tracers.
 */
#ifndef SELFTESTS_TRACEFS_H
#define SELFTESTS_TRACEFS_H

#include <stdbool.h>
#include <stddef.h>

/* No tracer, no filter, no probe of ours; what was traced is forgotten. */
void tracefs_reset(void);

/* Trace the functions of @names, by "function" or "function_graph". */
void tracefs_trace(const char *tracer, const char *const *names, size_t nr);
/* How many lines of the trace are about @name. Tracing stops. */
size_t tracefs_traced(const char *name);

/* Whether all events of @system are traced. */
void tracefs_events(const char *system, bool on);
/* Whether a line of the trace has @start and behind that @rest. */
bool tracefs_has(const char *start, const char *rest);

/* A probe on each function: at its entry ('p') or at its return ('r'). */
void tracefs_probe(char kind, const char *const *names, size_t nr);
/* How often the probe on @name was hit. */
size_t tracefs_hits(const char *name);

#endif
