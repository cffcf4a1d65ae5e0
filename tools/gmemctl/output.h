/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Standard output, whose end may be closed.
 */
#ifndef GMEMCTL_OUTPUT_H
#define GMEMCTL_OUTPUT_H

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace gmemctl
{

/* Writes all of it. Throws kOutput; without words if nobody reads it any more. */
void put(const std::string &text);
/* A line in ASCII; what is no UTF-8 in it is replaced. */
std::string text_of(const nlohmann::json &json, int indent = 1);

} /* namespace gmemctl */

#endif /* GMEMCTL_OUTPUT_H */
