// SPDX-License-Identifier: GPL-2.0-only
#include "output.h"

#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "system.h"

namespace gmemctl
{

void put(const std::string &text)
{
	for (std::size_t done = 0; done < text.size();) {
		const ssize_t length = write(STDOUT_FILENO, text.data() + done, text.size() - done);

		if (length >= 0)
			done += static_cast<std::size_t>(length);
		else if (errno != EINTR)
			throw Failure(Exit::kOutput, errno == EPIPE
							     ? std::string{}
							     : std::string{ "standard output: " } +
								       std::strerror(errno));
	}
}

std::string text_of(const nlohmann::json &json, int indent)
{
	return json.dump(indent, ' ', true, nlohmann::json::error_handler_t::replace) + '\n';
}

} /* namespace gmemctl */
