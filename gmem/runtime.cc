// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the compiler expects of a C++ run-time and the kernel has not.
 */
#include "kapi/kapi.h"

extern "C" void __cxa_pure_virtual();

/* A call through the vtable of an object under construction: a bug of ours. */
extern "C" void __cxa_pure_virtual()
{
	kapi_panic("pure virtual function called");
}
