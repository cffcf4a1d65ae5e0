/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is held as long as an object lives: a lock (Guard, OnlyGuard), or a counted
 * reference (Ref). And the words by which code claims which lock it needs. The locks
 * themselves are in gmem/locks.h.
 */
#ifndef GMEM_GUARD_H
#define GMEM_GUARD_H

#include <utility>

#include "kapi/kapi.h"

/*
 * Claims about locks, which Clang checks (-Wthread-safety, scripts/lint): a function needs a
 * lock, data is protected by one, an object holds one. To other compilers they are nothing.
 */
#ifdef __clang__
#define GMEM_CHECKED(x) __attribute__((x))
#else
#define GMEM_CHECKED(x)
#endif
#define GMEM_CAPABILITY(name) GMEM_CHECKED(capability(name))
#define GMEM_GUARD_OBJECT GMEM_CHECKED(scoped_lockable)
#define GMEM_GUARDED_BY(lock) GMEM_CHECKED(guarded_by(lock))
#define GMEM_REQUIRES(...) GMEM_CHECKED(requires_capability(__VA_ARGS__))
#define GMEM_ACQUIRES(...) GMEM_CHECKED(acquire_capability(__VA_ARGS__))
#define GMEM_RELEASES(...) GMEM_CHECKED(release_capability(__VA_ARGS__))

namespace gmem
{

/* A lock of an object, from the constructor to the destructor. */
template <class Of, void (*kLock)(Of *), void (*kUnlock)(Of *)> class Guard {
    public:
	explicit Guard(Of *of) : of_(of) { kLock(of_); }
	~Guard() { kUnlock(of_); }
	Guard(const Guard &) = delete;
	Guard &operator=(const Guard &) = delete;

    private:
	Of *const of_;
};

/* The same, of a lock that there is one of. */
template <void (*kLock)(), void (*kUnlock)()> class OnlyGuard {
    public:
	OnlyGuard() { kLock(); }
	~OnlyGuard() { kUnlock(); }
	OnlyGuard(const OnlyGuard &) = delete;
	OnlyGuard &operator=(const OnlyGuard &) = delete;
};

/* A reference, or none. Moved, never shared. */
template <class Of, void (*kPut)(Of *)> class Ref {
    public:
	Ref() = default;
	/* Takes over a reference that the caller holds; NULL: none. */
	explicit Ref(Of *of) : of_(of) {}
	Ref(Ref &&other) noexcept : of_(other.release()) {}
	Ref &operator=(Ref &&other) noexcept
	{
		std::swap(of_, other.of_);
		return *this;
	}
	~Ref()
	{
		if (of_)
			kPut(of_);
	}

	Of *get() const { return of_; }
	explicit operator bool() const { return of_ != nullptr; }
	/* Hands the reference to the caller. */
	Of *release() { return std::exchange(of_, nullptr); }

    private:
	Of *of_ = nullptr;
};

using FileRef = Ref<struct file, kapi_file_put>;
using InodeRef = Ref<struct inode, kapi_inode_put>;
using PageRef = Ref<struct page, kapi_page_put>;

} /* namespace gmem */

#endif /* GMEM_GUARD_H */
