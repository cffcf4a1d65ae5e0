/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file or an option is no good. The catcher prints the message and ends with status 2.
 * Any other exception is the host's failure.
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

/* An input is well-formed, but differs from the launch. Status 3. */
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
