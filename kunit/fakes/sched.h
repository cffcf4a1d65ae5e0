/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A cooperative scheduler: operations run as tasks on one thread and change
 * places only where the core calls the boundary. explore() runs a scenario once
 * for every order of these steps, by depth-first search with replay.
 */
#ifndef GMEM_FAKES_SCHED_H
#define GMEM_FAKES_SCHED_H

#include <functional>
#include <string>
#include <vector>

namespace fake
{

/* What the fakes keep for each task: its locks and its deferred work. */
struct Task;

namespace sched
{

/* Whether the caller runs as a cooperative task. */
bool active();
/* A point where another task may run. */
void step(const char *where);
/* Lets others run until @ready says true; all tasks waiting is a deadlock. */
void wait(const char *where, const std::function<bool()> &ready);
/* The running task's state, or NULL outside of explore(). */
Task *task();

struct Scenario {
	std::function<void()> setup;
	std::vector<std::function<void()>> tasks;
	/* All tasks are done. */
	std::function<void()> finish;
};

/*
 * Every schedule in which running tasks are preempted at most @preemptions
 * times. Returns how many schedules there were.
 */
unsigned long explore(const Scenario &scenario, unsigned preemptions);
/* The steps of the schedule under way, for a bug's report. */
std::string trail();

} /* namespace sched */
} /* namespace fake */

#endif /* GMEM_FAKES_SCHED_H */
