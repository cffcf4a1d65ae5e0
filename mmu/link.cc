// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_LINK_GUEST_MEMFD (link.h): which file may become which VM's. What happens then
 * is in gmem/file.cc.
 */
#include "mmu/link.h"

#include <uapi/gmem.h>

#include "arch/x86/platforms.h"
#include "mmu/entry.h"

namespace gmem
{

bool links_possible(struct kvm *kvm)
{
	return sharing_is_extended() && (!kvm || memory_is_plain(kvm));
}

Result<int> link_file(struct kvm *kvm, const struct kvm_link_guest_memfd &args)
{
	constexpr std::uint64_t kDescriptors = 1ull << 31;
	std::uint64_t reserved = 0;

	for (const std::uint64_t value : args.reserved)
		reserved |= value;
	if (args.flags || reserved || args.fd >= kDescriptors)
		return error(EINVAL);

	const FileRef handle{ kapi_file_from_fd(static_cast<unsigned>(args.fd)) };
	File *const file = handle ? File::of(handle.get()) : nullptr;

	if (!file || file->vm() == kvm || kapi_kvm_type(file->vm()) != kapi_kvm_type(kvm))
		return error(EINVAL);
	if (!memory_is_plain(kvm))
		return error(EOPNOTSUPP);
	/* The descriptor may be a device backend's, which has it to see what is shared. */
	if (!kapi_kvm_may_have_memory(file->vm()))
		return error(EPERM);
	return file->link(kvm);
}

} /* namespace gmem */
