// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cooperative scheduler (sched.h): tasks are fibers of one thread. A
 * schedule is the list of choices made where more than one task could go on; the
 * search replays a prefix of the last one and takes the next choice after it.
 */
#include "kunit/fakes/sched.h"

#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#include <memory>

#include "kunit/fakes/locks.h"

namespace fake::sched
{

namespace
{

constexpr std::size_t kStackSize = 256 * 1024;

/* What ASan must be told when the stack changes. */
struct Stack {
	void *bottom = nullptr;
	std::size_t size = 0;
	void *fake_stack = nullptr;
};

struct Fiber {
	ucontext_t context{};
	Stack stack;
	Task task;
	const std::function<void()> *body = nullptr;
	const std::function<bool()> *waits_for = nullptr;
	const char *where = "start";
	bool done = false;

	bool runnable() const { return !done && (!waits_for || (*waits_for)()); }
};

struct Choice {
	unsigned taken, options;
};

struct Search {
	std::vector<Choice> choices;
	std::size_t depth = 0; /* choices made in this run */
	unsigned preemptions_left = 0;
	std::string trail;
};

ucontext_t main_context;
Stack main_stack;
std::vector<std::unique_ptr<Fiber>> fibers;
/* Kept from run to run; as many as there ever were fibers at once. */
std::vector<void *> stacks;
int running = -1;
Search search;

void switch_to(ucontext_t &from, Stack &from_stack, ucontext_t &to, Stack &to_stack, bool leaving)
{
#if defined(__SANITIZE_ADDRESS__)
	__sanitizer_start_switch_fiber(leaving ? nullptr : &from_stack.fake_stack, to_stack.bottom,
				       to_stack.size);
	swapcontext(&from, &to);
	__sanitizer_finish_switch_fiber(from_stack.fake_stack, nullptr, nullptr);
#else
	(void)from_stack;
	(void)to_stack;
	(void)leaving;
	swapcontext(&from, &to);
#endif
}

void fiber_main()
{
	Fiber &fiber = *fibers[running];

#if defined(__SANITIZE_ADDRESS__)
	const void *bottom;

	__sanitizer_finish_switch_fiber(nullptr, &bottom, &main_stack.size);
	main_stack.bottom = const_cast<void *>(bottom);
#endif
	(*fiber.body)();
	return_to_user();
	fiber.done = true;
	switch_to(fiber.context, fiber.stack, main_context, main_stack, true);
}

unsigned choose(unsigned options)
{
	if (search.depth == search.choices.size())
		search.choices.push_back({ 0, options });

	const Choice &choice = search.choices[search.depth++];

	if (choice.options != options)
		bug("the scenario is not deterministic");
	return choice.taken;
}

/* The task to run next: first the one that was running, if it can go on. */
int next_task()
{
	std::vector<int> candidates;
	const bool can_go_on = running >= 0 && fibers[running]->runnable();

	if (can_go_on)
		candidates.push_back(running);
	if (!can_go_on || search.preemptions_left) {
		for (int i = 0; i < static_cast<int>(fibers.size()); i++) {
			if (i != running && fibers[i]->runnable())
				candidates.push_back(i);
		}
	}
	if (candidates.empty())
		return -1;

	const int next = candidates[candidates.size() > 1 ? choose(candidates.size()) : 0];

	if (can_go_on && next != running)
		search.preemptions_left--;
	return next;
}

void run_all()
{
	running = -1;
	for (;;) {
		const int next = next_task();

		if (next < 0)
			break;
		if (next != running)
			search.trail += " | " + std::to_string(next) + ":";
		running = next;
		Fiber &fiber = *fibers[next];

		search.trail += std::string(" ") + fiber.where + ",";
		fiber.waits_for = nullptr;
		switch_to(main_context, main_stack, fiber.context, fiber.stack, false);
	}
	for (const auto &fiber : fibers) {
		if (!fiber->done)
			bug("deadlock: a task waits for %s", fiber->where);
	}
	running = -1;
}

void make_fibers(const Scenario &scenario)
{
	fibers.clear();
	for (std::size_t i = 0; i < scenario.tasks.size(); i++) {
		auto fiber = std::make_unique<Fiber>();

		if (i == stacks.size())
			stacks.push_back(mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		fiber->body = &scenario.tasks[i];
		fiber->stack.bottom = stacks[i];
		fiber->stack.size = kStackSize;
		getcontext(&fiber->context);
		fiber->context.uc_stack.ss_sp = stacks[i];
		fiber->context.uc_stack.ss_size = kStackSize;
		fiber->context.uc_link = nullptr;
		makecontext(&fiber->context, fiber_main, 0);
		fibers.push_back(std::move(fiber));
	}
}

/* Moves on to the next schedule; false: there is none. */
bool next_schedule()
{
	search.choices.resize(search.depth);
	while (!search.choices.empty()) {
		Choice &last = search.choices.back();

		if (++last.taken < last.options)
			return true;
		search.choices.pop_back();
	}
	return false;
}

void yield(const char *where, const std::function<bool()> *waits_for)
{
	Fiber &fiber = *fibers[running];

	fiber.where = where;
	fiber.waits_for = waits_for;
	switch_to(fiber.context, fiber.stack, main_context, main_stack, false);
}

} /* namespace */

bool active()
{
	return running >= 0;
}

Task *task()
{
	return running >= 0 ? &fibers[running]->task : nullptr;
}

void step(const char *where)
{
	if (active())
		yield(where, nullptr);
}

void wait(const char *where, const std::function<bool()> &ready)
{
	yield(where, &ready);
}

std::string trail()
{
	return search.trail;
}

unsigned long explore(const Scenario &scenario, unsigned preemptions)
{
	unsigned long schedules = 0;

	search = Search{};
	do {
		search.depth = 0;
		search.preemptions_left = preemptions;
		search.trail.clear();
		scenario.setup();
		make_fibers(scenario);
		run_all();
		fibers.clear();
		scenario.finish();
		schedules++;
	} while (next_schedule());
	return schedules;
}

} /* namespace fake::sched */
