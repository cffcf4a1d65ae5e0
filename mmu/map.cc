// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be seen of a file from outside: the ioctl GMEM_GET_MAP, and what its fdinfo
 * says of it (kapi/fdinfo.c).
 */
#include <array>

#include <uapi/gmem.h>

#include "gmem/file.h"
#include "gmem/locks.h"

namespace
{

using namespace gmem;

/* So many runs are looked at under one hold of the inode lock. */
constexpr unsigned kBatch = 32;

/* Blocks of this order can be mapped around @start, by the bindings that show it. */
unsigned largest_order_at(File &file, PageIndex start)
{
	const IndexRange all{ PageIndex{ 0 }, file.inode().end() };
	const Binding *const slot =
		file.bindings().first_slot(block_around(start, kRunOrder).intersect(all));

	return slot ? std::min(slot->largest_order(start), order_within(all, start))
		    : order_within(all, start);
}

gmem_map_run record_of(const RunView &view)
{
	return { .present = static_cast<__u16>(view.present),
		 .shared = static_cast<__u16>(view.shared),
		 .lost = static_cast<__u16>(view.lost),
		 .node = static_cast<__s16>(view.node),
		 .order = static_cast<__u8>(view.order),
		 .small = static_cast<__u8>(view.small),
		 .reserved = {} };
}

/* Fills @records with the @count runs from @start on. -ESTALE, -EINTR. */
Status look(File &file, PageIndex start, std::array<gmem_map_run, kBatch> &records, unsigned count)
{
	Inode &inode = file.inode();
	GMEM_TRY(lock, KillableSharedInodeLock::take(inode.handle()));
	if (!file.open())
		return error(ESTALE);
	for (unsigned i = 0; i < count; i++) {
		const PageIndex at = start + std::uint64_t{ i } * kRunPages;

		records[i] = record_of(
			inode.store().view(at, largest_order_at(file, at), inode.platform()));
	}
	return Status{};
}

} /* namespace */

long gmem_file_map(void *core_file, struct gmem_get_map *args)
{
	File &file = *static_cast<File *>(core_file);
	const std::uint64_t size = kapi_inode_size(file.inode().handle());
	auto *const runs = reinterpret_cast<gmem_map_run *>(args->runs);
	constexpr std::uint64_t kRunSize = kRunPages * kPageSize;
	const unsigned room = std::exchange(args->count, 0);

	if (args->flags || !room || args->offset % kRunSize || args->offset >= size)
		return -EINVAL;

	const std::uint64_t left = (size - args->offset + kRunSize - 1) / kRunSize;
	const unsigned count = std::min<std::uint64_t>(room, left);
	const PageIndex start{ args->offset >> kPageShift };
	std::array<gmem_map_run, kBatch> records;

	while (args->count < count) {
		/* The lock says so only to those who have to wait for it. */
		if (kapi_fatal_signal_pending())
			return -EINTR;

		const unsigned done = args->count, part = std::min(kBatch, count - done);
		const Status status = look(file, start + std::uint64_t{ done } * kRunPages, records,
					   part);

		if (!status.ok())
			return status.code();
		if (kapi_user_write(runs + done, records.data(), part * sizeof(gmem_map_run)))
			return -EFAULT;
		args->count += part;
		kapi_cond_resched();
	}
	return 0;
}

int gmem_file_describe(void *core_file, struct kapi_description *description)
{
	File &file = *static_cast<File *>(core_file);
	const auto lock = KillableSharedInodeLock::take(file.inode().handle());

	if (!lock.ok())
		return lock.status().code();
	*description = { file.vm(),
			 file.inode().platform().name(),
			 file.inode().store().kind().huge,
			 file.inode().store().kind().mappable,
			 file.open(),
			 file.bindings().first_slot({ PageIndex{ 0 }, file.inode().end() }) !=
				 nullptr };
	return 0;
}
