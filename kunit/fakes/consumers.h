/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Modules that own consumers.
 */
#ifndef GMEM_FAKES_CONSUMERS_H
#define GMEM_FAKES_CONSUMERS_H

#include <atomic>

struct module {
	std::atomic<long> users{ 0 };
	std::atomic<bool> going{ false };
};

#endif /* GMEM_FAKES_CONSUMERS_H */
