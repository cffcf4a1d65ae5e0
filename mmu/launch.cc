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
#include "gmem/trace.h"
#include "kapi/sev.h"
#include "mmu/launch.h"
#include "mmu/populate.h"

namespace
{

using namespace gmem;

struct PageBuffer {
	std::array<std::uint8_t, kPageSize> bytes;
};

/* What the firmware would take instead of one of the pages, and where that one came from. */
struct Corrected {
	Own<PageBuffer> page;
	void *source = nullptr;

	/* For user space, which may have no place for it any more. */
	Status write() const
	{
		return Status{ kapi_user_write(source, page->bytes.data(), kPageSize) };
	}
};

/* What the callback needs, for all pages of one populate. */
struct Launch {
	Platform &platform;
	PageContent &content;
	Corrected &corrected;
};

/* As KVM's callbacks: copies the source, if any, and makes the page the platform's. */
int launch_page(struct kvm *, kapi_u64 gfn, kapi_u64 pfn, void *src, int, void *opaque)
{
	Launch &launch = *static_cast<Launch *>(opaque);
	void *const frame = kapi_frame(pfn);

	if (src && kapi_user_read(frame, src, kPageSize) != 0)
		return -EFAULT;

	const Status status = launch.platform.populate(Gfn{ gfn }, Pfn{ pfn }, launch.content);

	if (launch.content.corrected && launch.corrected.page) {
		std::memcpy(launch.corrected.page->bytes.data(), frame, kPageSize);
		launch.corrected.source = src;
	}
	return status.code();
}

/* -ESTALE: the memory has become another VM's; -EINTR. Sleeps. */
Status check_open(File &file)
{
	GMEM_TRY(lock, KillableSharedInodeLock::take(file.inode().handle()));
	return file.open() ? Status{} : error(ESTALE);
}

/* The firmware may have to say what it would take instead. */
Result<Own<PageBuffer>> buffer_for(const PageContent &content)
{
	if (content.type != GMEM_PAGE_CPUID)
		return Own<PageBuffer>{};
	return make<PageBuffer>();
}

/* @pages, slots_lock held. */
long populate_locked(LaunchPages &pages, Corrected &corrected)
{
	if (pages.file && !File::of(pages.file)->open())
		return -ESTALE;

	struct kvm_memory_slot *const slot = kapi_kvm_slot_of(pages.vm, pages.gfn.value);
	struct file *const handle = slot ? kapi_slot_file(slot) : nullptr;
	File *const file = handle ? File::of(handle) : nullptr;

	if (!file || (pages.file && pages.file != handle))
		return -EINVAL;
	pages.found = true;

	Launch launch{ file->inode().platform(), pages.content, corrected };

	return populate_memslot(*file, PopulateRequest{ pages.vm, slot, pages.gfn, pages.source,
							static_cast<long>(pages.npages), false,
							launch_page, &launch, &pages.content });
}

} /* namespace */

long gmem::launch_pages(LaunchPages &pages)
{
	Result<Own<PageBuffer>> buffer = buffer_for(pages.content);

	if (!buffer.ok())
		return buffer.status().code();

	Corrected corrected{ std::move(buffer).value() };
	long ret;

	{
		const auto lock = KillableSlotsLock::take(pages.vm);

		if (!lock.ok())
			return lock.status().code();
		ret = populate_locked(pages, corrected);
	}
	if (corrected.source && !corrected.write().ok() && ret < 0)
		return -EFAULT;
	return ret == kHalfDone.code() ? -EIO : ret;
}

namespace
{

long populate(struct file *handle, File &file, struct gmem_launch_populate *args)
{
	constexpr std::uint64_t kMost = 1ull << 52 >> kPageShift;

	args->done = 0;
	args->firmware_error = 0;
	if (args->gpa % kPageSize || args->source % kPageSize ||
	    args->flags & ~GMEM_POPULATE_MEASURE || args->npages == 0 || args->npages > kMost)
		return -EINVAL;
	/* Its launch is KVM's own ABI. */
	if (kapi_kvm_is_snp_model(file.vm()))
		return -EOPNOTSUPP;

	LaunchPages pages{ file.vm(),
			   handle,
			   Gfn{ args->gpa >> kPageShift },
			   args->npages,
			   reinterpret_cast<void *>(args->source),
			   { .type = args->type,
			     .pages = args->npages,
			     .measure = (args->flags & GMEM_POPULATE_MEASURE) != 0 } };
	const long ret = launch_pages(pages);

	args->firmware_error = pages.content.firmware_error;
	if (ret > 0)
		args->done = static_cast<std::uint64_t>(ret);
	return ret;
}

long finish(File &file, struct gmem_launch_finish *args)
{
	std::uint64_t firmware_error = 0;

	if (kapi_kvm_is_snp_model(file.vm()))
		return -EOPNOTSUPP;
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

long measure(File &file, struct gmem_launch_measurement *args)
{
	Measurement measurement{};
	Status status = check_open(file);

	if (status.ok())
		status = file.inode().platform().measurement(measurement);
	std::copy(measurement.begin(), measurement.end(), args->digest);
	return status.code();
}

/* What @fn() returns, an ioctl of a launch that leaves those numbers in its argument, or NULL. */
template <class Fn>
long traced_launch(File &file, kapi_launch phase, const __u64 *done, const __u64 *firmware_error,
		   Fn fn)
{
	return traced(KAPI_TRACE_LAUNCH, fn, [&](long ret, std::uint64_t ns) {
		const kapi_event_launch event{ file.vm(),
					       phase,
					       done ? *done : 0,
					       firmware_error ? *firmware_error : 0,
					       ret < 0 ? static_cast<int>(ret) : 0,
					       ns };

		kapi_trace_launch(file.inode().handle(), &event);
	});
}

} /* namespace */

long gmem_file_populate(struct file *handle, void *core_file, struct gmem_launch_populate *args)
{
	File &file = *static_cast<File *>(core_file);

	return traced_launch(file, KAPI_LAUNCH_POPULATE, &args->done, &args->firmware_error,
			     [&] { return populate(handle, file, args); });
}

long gmem_file_finish(void *core_file, struct gmem_launch_finish *args)
{
	File &file = *static_cast<File *>(core_file);

	return traced_launch(file, KAPI_LAUNCH_FINISH, nullptr, &args->firmware_error,
			     [&] { return finish(file, args); });
}

long gmem_file_measurement(void *core_file, struct gmem_launch_measurement *args)
{
	File &file = *static_cast<File *>(core_file);

	return traced_launch(file, KAPI_LAUNCH_MEASUREMENT, nullptr, nullptr,
			     [&] { return measure(file, args); });
}
