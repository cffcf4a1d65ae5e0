// SPDX-License-Identifier: GPL-2.0-only
/*
 * Converting gfns (attributes.h) over any number of memslots: each piece on a file
 * of ours is prepared, memory for the attributes of the rest is set aside, and only
 * then is anything changed.
 */
#include "mmu/attributes.h"

#include <uapi/gmem.h>

#include "gmem/conversion.h"
#include "gmem/file.h"
#include "mmu/c_bit.h"
#include "mmu/entry.h"
#include "mmu/memslot.h"

namespace gmem
{

namespace
{

/* A part of a memslot on a converting file, or gfns on none of them. */
struct Piece {
	File *file; /* NULL: on none */
	SlotMap map;
	GfnRange gfns;

	Conversion conversion(Share to) const
	{
		const PageIndex start = map.index_of(gfns.start);

		return Conversion{ file->inode(), { start, start + gfns.size() }, to };
	}

	/* As Conversion's. */
	Status prepare(struct kvm *kvm, Share to) const
	{
		PageIndex at;

		if (file)
			return conversion(to).prepare(at);
		if (to != Share::kPrivate)
			return Status{};
		return Status{ kapi_attributes_reserve(kvm, gfns.start.value, gfns.end.value) };
	}
	void fail(struct kvm *kvm, Share to) const
	{
		if (file)
			conversion(to).fail();
		else if (to == Share::kPrivate)
			kapi_attributes_release(kvm, gfns.start.value, gfns.end.value);
	}
	Status commit(struct kvm *kvm, Share to) const
	{
		if (file)
			return conversion(to).commit();

		const AliasInvalidation with_c_bit{ kvm, gfns };

		return Status{ kapi_attributes_convert(kvm, gfns.start.value, gfns.end.value,
						       to == Share::kPrivate) };
	}
	void over(Share to) const
	{
		if (file)
			conversion(to).over();
	}
};

/* The piece at the start of @gfns. */
Piece first_piece(struct kvm *kvm, GfnRange gfns)
{
	GfnRange rest = gfns;

	while (struct kvm_memory_slot *const slot = kapi_kvm_next_slot(kvm, rest.start.value,
								       rest.end.value)) {
		const GfnRange in{ Gfn{ kapi_slot_base_gfn(slot) },
				   Gfn{ kapi_slot_base_gfn(slot) + kapi_slot_npages(slot) } };
		/* With slots_lock the file cannot finish its release. */
		struct file *const handle = kapi_slot_has_gmem(slot) ? kapi_slot_file(slot)
								     : nullptr;
		File *const file = handle ? File::of(handle) : nullptr;

		if (file && file->converts()) {
			if (in.start <= gfns.start)
				return { file, MemslotBinding::map_of(slot), gfns.intersect(in) };
			return { nullptr, {}, { gfns.start, in.start } };
		}
		rest.start = in.end;
		if (rest.empty())
			break;
	}
	return { nullptr, {}, gfns };
}

/* The pieces of @gfns, which are not none, in order. slots_lock held. */
class Pieces {
    public:
	Pieces(struct kvm *kvm, GfnRange gfns) : kvm_(kvm), gfns_(gfns) {}

	struct End {};
	class Iterator {
	    public:
		Iterator(struct kvm *kvm, GfnRange gfns)
			: kvm_(kvm), rest_(gfns), piece_(first_piece(kvm, gfns))
		{
		}

		bool operator!=(End) const { return !rest_.empty(); }
		const Piece &operator*() const { return piece_; }
		void operator++()
		{
			rest_.start = piece_.gfns.end;
			if (!rest_.empty())
				piece_ = first_piece(kvm_, rest_);
		}

	    private:
		struct kvm *const kvm_;
		GfnRange rest_;
		Piece piece_;
	};

	Iterator begin() const { return { kvm_, gfns_ }; }
	End end() const { return {}; }

    private:
	struct kvm *const kvm_;
	const GfnRange gfns_;
};

Status convert_pieces(struct kvm *kvm, const Pieces &pieces, Share to)
{
	Status status;

	for (const Piece &piece : pieces) {
		status = piece.prepare(kvm, to);
		if (status.ok())
			continue;
		for (const Piece &told : pieces)
			told.fail(kvm, to);
		return status;
	}
	/* A killed task stays killed: each piece from there on gives up. */
	for (const Piece &piece : pieces)
		status = piece.commit(kvm, to);
	return status;
}

} /* namespace */

Status convert_gfns(struct kvm *kvm, GfnRange gfns, Share to)
{
	const CBit c_bit = CBit::of(kvm);

	/* Nothing is there to be made shared. */
	if (to == Share::kPrivate && gfns.end.value > kapi_kvm_end_gfn())
		return error(EINVAL);
	/* What is private with the C-bit stays so. */
	if (c_bit && gfns.end > c_bit.start())
		return error(EINVAL);

	/* Those of memslots on files that convert are their files' state. */
	if (kapi_attributes_are(kvm, gfns.start.value, gfns.end.value, to == Share::kPrivate))
		return Status{};

	const Pieces pieces{ kvm, gfns };
	const Status status = convert_pieces(kvm, pieces, to);

	/* Until then each file keeps what its pieces were prepared for. */
	for (const Piece &piece : pieces)
		piece.over(to);
	return status;
}

namespace
{

/* The checks of the published ioctl, in its order (docs/conversion.md). */
Status check_request(File &file, const struct kvm_memory_attributes2 &args)
{
	const std::uint64_t size = kapi_inode_size(file.inode().handle());
	const std::uint64_t end = args.offset + args.size;
	std::uint64_t reserved = 0;

	for (const std::uint64_t value : args.reserved)
		reserved |= value;
	if (args.flags || reserved)
		return error(EINVAL);
	if (!file.converts())
		return error(EINVAL);
	if (args.attributes & ~std::uint64_t{ KAPI_ATTRIBUTE_PRIVATE })
		return error(EINVAL);
	if (args.size == 0 || end < args.offset)
		return error(EINVAL);
	if ((args.offset | args.size) % kPageSize || end > size)
		return error(EINVAL);
	return Status{};
}

/* @at, in case of an error that is about pages: the first one's. */
Status convert_range(File &file, IndexRange range, Share to, PageIndex &at, bool &about_page)
{
	GMEM_TRY(lock, KillableSlotsLock::take(file.vm()));
	if (!file.open())
		return error(ESTALE);

	about_page = true;
	return file.inode().convert(range, to, at);
}

} /* namespace */

} /* namespace gmem */

long gmem_file_convert(void *core_file, void *user)
{
	using namespace gmem;

	File &file = *static_cast<File *>(core_file);
	struct kvm_memory_attributes2 args;

	/* As where conversion in place is off: whatever the argument is. */
	if (!file.inode().store().kind().mappable || !sharing_is_extended())
		return -ENOTTY;
	if (kapi_user_read(&args, user, sizeof(args)) != 0)
		return -EFAULT;

	Status status = check_request(file, args);

	if (!status.ok())
		return status.code();
	/* A process that can make memory shared can read it. */
	if (!kapi_kvm_may_have_memory(file.vm()))
		return -EPERM;

	const PageIndex start{ args.offset >> kPageShift };
	const IndexRange range{ start, start + (args.size >> kPageShift) };
	PageIndex at = start;
	bool about_page = false;

	status = convert_range(file, range, private_if(args.attributes & KAPI_ATTRIBUTE_PRIVATE),
			       at, about_page);
	if (status.ok() || !about_page)
		return status.code();
	/* Memory is missing for the whole, not for a page. */
	args.error_offset = (status == error(ENOMEM) ? start : at).value << kPageShift;
	return kapi_user_write(user, &args, sizeof(args)) ? -EFAULT : status.code();
}
