// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model-based test: random sequences in two processes until so many
 * operations are done, or a sequence disagrees. That one is then cut down to
 * the fewest operations that still do, and printed.
 *
 *	model [operations]     GMEM_SEED=n repeats a run, GMEM_WITHOUT=mark,link leaves
 *	                       out kinds of operations
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "kunit/model/machine.h"

namespace
{

using namespace model;

constexpr unsigned long kSequence = 400;
constexpr int kJobs = 2;

/* Shared with the children: the sequence each is at. */
struct Progress {
	std::atomic<std::uint64_t> at[kJobs];
};

Kinds without()
{
	return kinds_of(std::getenv("GMEM_WITHOUT"));
}

void run_here(const Sequence &ops)
{
	Machine machine;

	machine.run(ops);
}

/* Whether @ops still fail, in a child that may die of it. */
bool fails(const Sequence &ops, bool quiet)
{
	const pid_t child = fork();

	if (child == 0) {
		if (quiet && !std::freopen("/dev/null", "w", stderr))
			_exit(2);
		run_here(ops);
		_exit(0);
	}
	int status;

	waitpid(child, &status, 0);
	return status != 0;
}

/* Delta debugging: leaves out ever smaller pieces as long as it goes on failing. */
Sequence shrink(Sequence ops)
{
	for (std::size_t piece = ops.size() / 2; piece; piece /= 2) {
		for (std::size_t at = 0; at < ops.size();) {
			Sequence less = ops;
			const std::size_t end = std::min(ops.size(), at + piece);

			less.erase(less.begin() + at, less.begin() + end);
			if (fails(less, true))
				ops = std::move(less);
			else
				at += piece;
		}
	}
	return ops;
}

void report(std::uint64_t seed)
{
	const Sequence ops = shrink(generate(seed, kSequence, without()));

	std::printf("fails, cut down to %zu operations:\n", ops.size());
	for (const Op &op : ops)
		std::printf("  %s\n", describe(op).c_str());
	std::printf("as bytes for the fuzzer: ");
	for (std::uint8_t byte : encode(ops))
		std::printf("%02x", byte);
	std::printf("\n");
	std::fflush(stdout);
	fails(ops, false);
}

} /* namespace */

int main(int argc, char **argv)
{
	const unsigned long operations = argc > 1 ? std::strtoul(argv[1], nullptr, 0) : 1000000;
	const char *const chosen = std::getenv("GMEM_SEED");
	const std::uint64_t seed = chosen ? std::strtoull(chosen, nullptr, 0)
					  : static_cast<std::uint64_t>(std::time(nullptr)) << 20;
	const unsigned long sequences = (operations + kSequence - 1) / kSequence;
	auto *const progress = static_cast<Progress *>(mmap(nullptr, sizeof(Progress),
							    PROT_READ | PROT_WRITE,
							    MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t children[kJobs];
	int failed = 0;

	std::printf("model: %lu operations, GMEM_SEED=%" PRIu64 "\n", sequences * kSequence, seed);
	std::fflush(stdout);
	for (int job = 0; job < kJobs; job++) {
		children[job] = fork();
		if (children[job])
			continue;
		for (unsigned long i = job; i < sequences; i += kJobs) {
			progress->at[job] = seed + i;
			run_here(generate(seed + i, kSequence, without()));
		}
		std::exit(0); /* not _exit(): coverage is written on the way */
	}
	for (int job = 0; job < kJobs; job++) {
		int status;

		waitpid(children[job], &status, 0);
		if (status == 0)
			continue;
		std::printf("sequence GMEM_SEED=%" PRIu64 " ", progress->at[job].load());
		report(progress->at[job]);
		failed = 1;
	}
	if (!failed)
		std::printf("model: %lu operations agree with the reference\n",
			    sequences * kSequence);
	return failed;
}
