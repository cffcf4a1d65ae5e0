// SPDX-License-Identifier: GPL-2.0-only
/*
 * Launch of a VM by ioctls on its files: populating pages on a platform of ours,
 * the way that KVM's own launch commands do on theirs, and the end of it.
 */
#include <algorithm>
#include <cstring>

#include <uapi/gmem.h>

#include "gmem/file.h"
#include "gmem/locks.h"
#include "gmem/memory.h"
#include "mmu/populate.h"

namespace
{

using namespace gmem;

struct PageBuffer {
	std::array<std::uint8_t, kPageSize> bytes;
};

/* What the callback needs, for all pages of one populate. */
struct Launch {
	Platform &platform;
	PageContent content;
	Own<PageBuffer> corrected; /* what the firmware would take instead */
};

/* As KVM's callbacks: copies the source, if any, and makes the page the platform's. */
int launch_page(struct kvm *, kapi_u64 gfn, kapi_u64 pfn, void *src, int, void *opaque)
{
	Launch &launch = *static_cast<Launch *>(opaque);
	void *const frame = kapi_frame(pfn);

	if (src && kapi_user_read(frame, src, kPageSize) != 0)
		return -EFAULT;

	const Status status = launch.platform.populate(Gfn{ gfn }, Pfn{ pfn }, launch.content);

	if (launch.content.corrected && launch.corrected)
		std::memcpy(launch.corrected->bytes.data(), frame, kPageSize);
	return status.code();
}

/* -ESTALE: the memory has become another VM's; -EINTR. Sleeps. */
Status check_open(File &file)
{
	GMEM_TRY(lock, KillableSharedInodeLock::take(file.inode().handle()));
	return file.open() ? Status{} : error(ESTALE);
}

} /* namespace */

long gmem_file_populate(struct file *handle, void *core_file, struct gmem_launch_populate *args)
{
	File &file = *static_cast<File *>(core_file);
	const Gfn gfn{ args->gpa >> kPageShift };
	auto *const source = reinterpret_cast<void *>(args->source);
	constexpr std::uint64_t kMost = 1ull << 52 >> kPageShift;

	args->done = 0;
	args->firmware_error = 0;
	if (args->gpa % kPageSize || args->source % kPageSize ||
	    args->flags & ~GMEM_POPULATE_MEASURE || args->npages == 0 || args->npages > kMost)
		return -EINVAL;

	Launch launch{ file.inode().platform(),
		       { .type = args->type,
			 .pages = args->npages,
			 .measure = (args->flags & GMEM_POPULATE_MEASURE) != 0 },
		       {} };

	if (args->type == GMEM_PAGE_CPUID) {
		Result<Own<PageBuffer>> buffer = make<PageBuffer>();

		if (!buffer.ok())
			return -ENOMEM;
		launch.corrected = std::move(buffer).value();
	}

	long ret;

	{
		const auto lock = KillableSlotsLock::take(file.vm());

		if (!lock.ok())
			return lock.status().code();

		if (!file.open())
			return -ESTALE;

		struct kvm_memory_slot *const slot = kapi_kvm_slot_of(file.vm(), gfn.value);

		if (!slot || kapi_slot_file(slot) != handle)
			return -EINVAL;
		ret = populate_memslot(file,
				       PopulateRequest{ file.vm(), slot, gfn, source,
							static_cast<long>(args->npages), false,
							launch_page, &launch, &launch.content });
	}
	args->firmware_error = launch.content.firmware_error;
	if (launch.content.corrected && source &&
	    kapi_user_write(source, launch.corrected->bytes.data(), kPageSize) != 0)
		return -EFAULT;
	if (ret > 0)
		args->done = static_cast<std::uint64_t>(ret);
	return ret == -ENOTRECOVERABLE ? -EIO : ret;
}

long gmem_file_finish(void *core_file, struct gmem_launch_finish *args)
{
	File &file = *static_cast<File *>(core_file);
	std::uint64_t firmware_error = 0;
	/* Between a populate's asking and its doing the launch does not end. */
	const auto lock = KillableSlotsLock::take(file.vm());

	if (!lock.ok())
		return lock.status().code();

	Status status = check_open(file);

	if (status.ok())
		status = file.inode().platform().finish(firmware_error);
	args->firmware_error = firmware_error;
	return status.code();
}

long gmem_file_measurement(void *core_file, struct gmem_launch_measurement *args)
{
	File &file = *static_cast<File *>(core_file);
	Measurement measurement{};
	Status status = check_open(file);

	if (status.ok())
		status = file.inode().platform().measurement(measurement);
	std::copy(measurement.begin(), measurement.end(), args->digest);
	return status.code();
}
