/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an entry holds as long as it needs it: a file. Locks are in gmem/locks.h.
 */
#ifndef GMEM_MMU_GUARDS_H
#define GMEM_MMU_GUARDS_H

#include <utility>

#include "kapi/kapi.h"

namespace gmem
{

class FileRef {
    public:
	/* Takes over a reference that the caller holds. */
	explicit FileRef(struct file *file) : file_(file) {}
	~FileRef()
	{
		if (file_)
			kapi_file_put(file_);
	}
	FileRef(const FileRef &) = delete;
	FileRef &operator=(const FileRef &) = delete;

	struct file *get() const { return file_; }
	/* The caller holds it from here on. */
	struct file *release() { return std::exchange(file_, nullptr); }
	explicit operator bool() const { return file_ != nullptr; }

    private:
	struct file *file_;
};

} /* namespace gmem */

#endif /* GMEM_MMU_GUARDS_H */
