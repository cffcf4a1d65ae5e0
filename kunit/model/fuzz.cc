// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model-based test as a libFuzzer target: the input is a sequence.
 */
#include "kunit/model/machine.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	model::Machine machine;

	machine.run(model::decode(data, size));
	return 0;
}
