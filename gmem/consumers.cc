// SPDX-License-Identifier: GPL-2.0-only
/*
 * Consumers in other modules: the calls of include/gmem/consumer.h, and the binding
 * that hands an invalidation to an ops table.
 *
 * Such a binding is its consumer's to free, in unbind, but the file's to forget
 * when it goes, and the two may meet. The binding's pointer to the file decides:
 * it is cleared with the inode lock held exclusively and the consumers lock. With
 * either, it can be looked at, and the file is there if it is not NULL. A call that
 * needs the inode lock first takes a reference of the inode, under the consumers lock.
 */
#include <gmem/consumer.h>

#include "gmem/file.h"
#include "gmem/locks.h"

using namespace gmem;

namespace
{

/* So long, before a conversion is looked at again. */
constexpr unsigned kBusyMs = 5;

using ConsumersLock = OnlyGuard<kapi_consumers_lock, kapi_consumers_unlock>;

/* One more reference of @inode. */
InodeRef hold(struct inode *inode)
{
	kapi_inode_hold(inode);
	return InodeRef{ inode };
}

} /* namespace */

/* The C name is the handle of the consumer's module. */
struct gmem_consumer final : public IntervalBinding {
	gmem_consumer(IndexRange range, const gmem_consumer_ops &ops, void *data, bool coexists)
		: IntervalBinding(range, coexists), ops_(&ops), data_(data), owner_(ops.owner)
	{
	}

	/* -EBUSY: a conversion goes on that would have asked it; try again in a moment. */
	Status bind(File &file, struct gmem_consumer *&handle)
	{
		ExclusiveInodeLock lock{ file.inode().handle() };
		ConsumersLock consumers;

		if (!file.open())
			return error(ESTALE);
		if (file.inode().converting(range()))
			return error(EBUSY);
		GMEM_CHECK(file.bindings().add(*this));

		const Status status{ kapi_consumers_add(this) };

		if (!status.ok()) {
			file.bindings().remove(*this);
			return status;
		}
		file_ = &file;
		handle = this;
		return Status{};
	}

	/* Consumers lock: takes it out of the register. -EBADF: it is not there. */
	Status deregister(InodeRef &inode)
	{
		GMEM_CHECK(find(inode));
		kapi_consumers_remove(this);
		return Status{};
	}

	/* Inode lock held exclusively. */
	void unbind()
	{
		/* The file may have gone while this waited for the lock. */
		if (!file_)
			return;
		file_->bindings().remove(*this);
		forget();
	}

	/*
	 * Holds the inode if there still is a file. Consumers lock. -EBADF: not bound;
	 * it may not even exist.
	 */
	Status find(InodeRef &inode)
	{
		if (!kapi_consumers_has(this))
			return error(EBADF);
		if (file_)
			inode = hold(file_->inode().handle());
		return Status{};
	}

	/* Calls @fn with the file and the inode lock, held shared. */
	template <class Fn>
	auto with_file(Fn fn)
		-> decltype(fn(std::declval<File &>(), std::declval<const SharedInodeLock &>()))
	{
		InodeRef inode;
		{
			ConsumersLock consumers;

			GMEM_CHECK(find(inode));
		}
		if (!inode.get())
			return error(ESTALE);

		const SharedInodeLock lock{ inode.get() };

		if (!file_)
			return error(ESTALE);
		return fn(*file_, lock);
	}

	void unmap_failed(IndexRange part)
	{
		kapi_inode_assert_locked(file_->inode().handle());
		file_->inode().unmap_failed(range().intersect(part));
	}

	bool shows_private(IndexRange) const override { return false; }
	Status prepare_convert(IndexRange part, Share to) override
	{
		if (!ops_->prepare)
			return Status{};

		const int ret = ops_->prepare(data_, part.start.value, part.end.value,
					      to == Share::kPrivate);

		return Status{ ret > 0 ? -EIO : ret };
	}
	void convert_failed(IndexRange part, Share to) override
	{
		if (ops_->failed)
			ops_->failed(data_, part.start.value, part.end.value,
				     to == Share::kPrivate);
	}
	void begin(IndexRange reach) override
	{
		ops_->begin(data_, reach.start.value, reach.end.value);
	}
	void unmap(IndexRange part) override
	{
		ops_->unmap(data_, part.start.value, part.end.value);
	}
	void converted(IndexRange part, Share to) override
	{
		if (ops_->converted)
			ops_->converted(data_, part.start.value, part.end.value,
					to == Share::kPrivate);
	}
	void end(IndexRange reach) override
	{
		ops_->end(data_, reach.start.value, reach.end.value);
	}
	void file_closed() override { ops_->release(data_); }
	/* The consumer still has it, and may free it as soon as it knows of no file. */
	void destroy() override
	{
		ConsumersLock consumers;

		forget();
	}

    private:
	/* The ops may be gone when this returns. */
	void forget()
	{
		struct module *const owner = owner_;

		file_ = nullptr;
		kapi_module_put(owner);
	}

	const gmem_consumer_ops *const ops_;
	void *const data_;
	struct module *const owner_;
	File *file_ = nullptr;
};

int gmem_file_get(unsigned int fd, struct file **file)
{
	struct file *const found = kapi_file_from_fd(fd);

	if (!found)
		return -EBADF;
	if (!File::of(found)) {
		kapi_file_put(found);
		return -EINVAL;
	}
	*file = found;
	return 0;
}

void gmem_file_put(struct file *file)
{
	kapi_file_put(file);
}

int gmem_consumer_bind(struct file *file, gmem_u64 start, gmem_u64 end,
		       const struct gmem_consumer_ops *ops, void *data, unsigned int flags,
		       struct gmem_consumer **consumer)
{
	const IndexRange range{ PageIndex{ start }, PageIndex{ end } };
	File *const core = file ? File::of(file) : nullptr;

	if (!core)
		return -EBADF;
	if (!ops || !ops->begin || !ops->unmap || !ops->end || !ops->release ||
	    flags & ~GMEM_CONSUMER_SHARED)
		return -EINVAL;
	if (range.empty() || range.end > core->inode().end())
		return -EINVAL;

	Result<Own<gmem_consumer>> made = make<gmem_consumer>(range, *ops, data,
							      flags & GMEM_CONSUMER_SHARED);

	if (!made.ok())
		return made.status().code();
	/* The binding's, until it forgets the file. */
	if (!kapi_module_get(ops->owner))
		return -ENODEV;

	Status status = made.value()->bind(*core, *consumer);

	for (; status == error(EBUSY); status = made.value()->bind(*core, *consumer))
		kapi_sleep(kBusyMs);
	if (status.ok())
		made.value().release();
	else
		kapi_module_put(ops->owner);
	return status.code();
}

void gmem_consumer_unbind(struct gmem_consumer *consumer)
{
	InodeRef inode;
	Status found;
	{
		ConsumersLock consumers;

		found = consumer ? consumer->deregister(inode) : error(EBADF);
	}
	if (!found.ok()) {
		kapi_debug_warn_once("a consumer is unbound that is not bound");
		return;
	}
	if (inode.get()) {
		ExclusiveInodeLock lock{ inode.get() };

		consumer->unbind();
	}
	Destroy{}(consumer);
}

int gmem_consumer_get_page(struct gmem_consumer *consumer, gmem_u64 index, bool is_private,
			   struct page **page, unsigned int *order)
{
	const PageIndex at{ index };
	const auto get = [&](File &file, const SharedInodeLock &lock) -> Result<Backing> {
		Inode &inode = file.inode();
		const IndexRange all{ PageIndex{ 0 }, inode.end() };

		if (!consumer->range().contains(at))
			return error(EINVAL);
		/* It would have to be told where the guest has it. */
		if (is_private && !inode.platform().keeps_content())
			return error(EOPNOTSUPP);
		return inode.page(at, ConsumerAccess{ lock, inode.platform(), file.bindings(), all,
						      at, private_if(is_private) });
	};
	Result<Backing> backing = consumer->with_file(get);

	if (!backing.ok())
		return backing.status().code();
	*page = backing.value().page.release();
	/* What the page lies in may reach beyond what is bound. */
	*order = std::min(backing.value().order, order_within(consumer->range(), at));
	return 0;
}

void gmem_consumer_put_page(struct page *page)
{
	kapi_page_put(page);
}

int gmem_consumer_is_shared(struct gmem_consumer *consumer, gmem_u64 index)
{
	const auto look = [&](File &file, const SharedInodeLock &) -> Result<bool> {
		const PageIndex at{ index };

		if (!consumer->range().contains(at))
			return error(EINVAL);
		return !file.inode().store().next_stretch({ at, at + 1 }, Share::kShared).empty();
	};
	const Result<bool> shared = consumer->with_file(look);

	return shared.ok() ? shared.value() : shared.status().code();
}

void gmem_consumer_unmap_failed(struct gmem_consumer *consumer, gmem_u64 start, gmem_u64 end)
{
	consumer->unmap_failed({ PageIndex{ start }, PageIndex{ end } });
}
