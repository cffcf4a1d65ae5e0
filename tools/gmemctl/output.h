/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Standard output. Its reader may have closed it.
 */
#ifndef GMEMCTL_OUTPUT_H
#define GMEMCTL_OUTPUT_H

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace gmemctl
{

/* Writes all of @text. Throws kOutput; without a message if the reader has closed it. */
void put(const std::string &text);
/* A line in ASCII; bytes that are not UTF-8 are replaced. */
std::string text_of(const nlohmann::json &json, int indent = 1);

} /* namespace gmemctl */

#endif /* GMEMCTL_OUTPUT_H */
