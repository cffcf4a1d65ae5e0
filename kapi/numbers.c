// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our numbers among the kernel's. Those of include/uapi/gmem.h that are ours alone, or of
 * later kernels, must be free on the kernel that the module is built for.
 * kvm_numbers.h, which Kbuild makes of <linux/kvm.h>, has a line for each of the
 * kernel's. docs/conversion.md has the table.
 */
#include <linux/kvm.h>

#include <uapi/gmem.h>

#include "kvm.h"

/* What the ranges of ours begin with: "gm" in ASCII, of capabilities. */
#define OUR_CAPABILITIES	0x676d

static_assert(KVM_CAP_PCI_HOLE_MEM >> 16 == OUR_CAPABILITIES);
static_assert(KVM_CAP_GUEST_MEMFD_LINK >> 16 == OUR_CAPABILITIES);
static_assert(GMEM_CAP_MEMORY_ATTRIBUTES >> 16 == OUR_CAPABILITIES);
/* Should the kernel come to have these they are what we have taken them for. */
static_assert(KVM_CAP_GUEST_MEMFD_FLAGS == 244);
static_assert(GUEST_MEMFD_FLAG_MMAP == 1 << 0 && GUEST_MEMFD_FLAG_INIT_SHARED == 1 << 1);
static_assert(KVM_SET_MEMORY_ATTRIBUTES2 == 0xc080aed2);
static_assert(KVM_LINK_GUEST_MEMFD == 0xc040aed6);

#define IS(string, other)	(!__builtin_strcmp(string, other))
/* A number of the kernel's, named @string, is another one than @ours, or of the same name. */
#define OTHER(number, string, ours, our_string) \
	static_assert((number) != (ours) || IS(string, our_string), string " is " our_string)

#define KERNELS_CAPABILITY(name) \
	static_assert((name) >> 16 != OUR_CAPABILITIES); \
	OTHER(name, #name, KVM_CAP_GUEST_MEMFD_FLAGS, "KVM_CAP_GUEST_MEMFD_FLAGS");
/* By the number alone: arguments of other architectures are unknown here. */
#define KERNELS_IOCTL(name, nr) \
	static_assert((nr) != _IOC_NR(KVM_LINK_GUEST_MEMFD) || \
		      IS(#name, "KVM_LINK_GUEST_MEMFD"), #name " has our number"); \
	static_assert((nr) != _IOC_NR(KVM_SET_MEMORY_ATTRIBUTES2) || \
		      IS(#name, "KVM_SET_MEMORY_ATTRIBUTES") || \
		      IS(#name, "KVM_SET_MEMORY_ATTRIBUTES2"), #name " has our number");
#define KERNELS_REGION_FLAG(name) static_assert(!((name) & KVM_MEM_PCI_HOLE));
#define KERNELS_FILE_FLAG(name) \
	static_assert(!((name) & GMEM_FLAG_HUGE)); \
	OTHER(name, #name, GUEST_MEMFD_FLAG_MMAP, "GUEST_MEMFD_FLAG_MMAP"); \
	OTHER(name, #name, GUEST_MEMFD_FLAG_INIT_SHARED, "GUEST_MEMFD_FLAG_INIT_SHARED");
#include "kvm_numbers.h"

#undef KERNELS_CAPABILITY
#undef KERNELS_IOCTL
#undef KERNELS_REGION_FLAG
#undef KERNELS_FILE_FLAG

#define KERNELS_CAPABILITY(name) name,
#define KERNELS_IOCTL(name, nr)
#define KERNELS_REGION_FLAG(name)
#define KERNELS_FILE_FLAG(name)

static const long capabilities[] = {
#include "kvm_numbers.h"
};

/* The list was made: it has what is as old as KVM. */
static_assert(ARRAY_SIZE(capabilities) > 200);

bool kapi_capability_taken(long number)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(capabilities); i++) {
		if (capabilities[i] == number)
			return true;
	}
	return false;
}
