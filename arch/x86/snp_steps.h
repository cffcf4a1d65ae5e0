/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a launch has measured, page by page, as a prediction can be compared with.
 */
#ifndef GMEM_ARCH_X86_SNP_STEPS_H
#define GMEM_ARCH_X86_SNP_STEPS_H

#include "arch/x86/snp_digest.h"
#include "gmem/memory.h"

namespace gmem
{

struct SnpStep {
	SnpPageType type;
	std::uint64_t gpa;
	Sha384Digest contents; /* zeros where they do not count */
};

class SnpSteps {
    public:
	SnpSteps() = default;
	~SnpSteps() { clear(); }
	SnpSteps(const SnpSteps &) = delete;
	SnpSteps &operator=(const SnpSteps &) = delete;

	/* Without memory for it the list is not whole() any more. Sleeps. */
	void add(const SnpStep &step)
	{
		if (!whole_ || ((!last_ || last_->count == kSteps) && !extend()))
			return;
		last_->steps[last_->count++] = step;
	}
	bool whole() const { return whole_; }
	void clear()
	{
		/* One by one: there are too many for a destructor in a destructor. */
		while (first_) {
			const Own<Chunk> chunk = std::move(first_);

			first_ = std::move(chunk->next);
		}
		last_ = nullptr;
		whole_ = true;
	}
	template <class Fn> void for_each(Fn fn) const
	{
		for (const Chunk *chunk = first_.get(); chunk; chunk = chunk->next.get()) {
			for (unsigned i = 0; i < chunk->count; i++)
				fn(chunk->steps[i]);
		}
	}

    private:
	/* A chunk is a page. */
	static constexpr unsigned kSteps = 63;

	struct Chunk {
		std::array<SnpStep, kSteps> steps;
		unsigned count = 0;
		Own<Chunk> next;
	};
	static_assert(sizeof(Chunk) <= 4096);

	bool extend()
	{
		Result<Own<Chunk>> chunk = make_one_of_many<Chunk>();

		whole_ = chunk.ok();
		if (!whole_)
			return false;

		Own<Chunk> &link = last_ ? last_->next : first_;

		link = std::move(chunk).value();
		last_ = link.get();
		return true;
	}

	Own<Chunk> first_;
	Chunk *last_ = nullptr;
	bool whole_ = true;
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SNP_STEPS_H */
