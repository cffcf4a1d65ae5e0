/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was given is no good: a file, or an option. Whoever catches one says so and
 * ends with status 2; anything else that is thrown is the host's failure.
 */
#ifndef GMEM_MEASURE_REFUSED_H
#define GMEM_MEASURE_REFUSED_H

#include <stdexcept>
#include <string>

namespace measure
{

class Refused : public std::runtime_error {
    public:
	using std::runtime_error::runtime_error;
};

/* What was given is well-formed, but not what the launch is. Status 3. */
class Differs : public std::runtime_error {
    public:
	using std::runtime_error::runtime_error;
};

/* A bad line of a text; what() has "line N: ..." and the field at fault. */
class BadInput : public Refused {
    public:
	BadInput(unsigned line, const std::string &what)
		: Refused("line " + std::to_string(line) + ": " + what)
	{
	}
};

/* Does @work; what it refuses is said to be of @file. */
template <class Work> auto about(const std::string &file, Work work)
{
	try {
		return work();
	} catch (const Refused &e) {
		throw Refused(file + ": " + e.what());
	}
}

} /* namespace measure */

#endif /* GMEM_MEASURE_REFUSED_H */
