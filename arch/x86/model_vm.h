/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM on a platform in software: made with the VM's first file, gone with the
 * last inode. It keeps its VM alive, so that no other VM can come to be taken
 * for it.
 */
#ifndef GMEM_ARCH_X86_MODEL_VM_H
#define GMEM_ARCH_X86_MODEL_VM_H

#include <atomic>

#include "gmem/memory.h"
#include "gmem/platform.h"

namespace gmem
{

class ModelVm : public Platform {
    public:
	/* The VM's platform with a use for the caller, by @create if there is none yet. */
	static Result<ModelVm *> of(struct kvm *vm, Result<ModelVm *> (*create)(struct kvm *));

	void hold() override;
	void drop() override;

	struct kvm *vm() const { return vm_; }

	/* Nothing more is done for a VM after its memory could be unsafe. */
	bool dead() const { return dead_.load(); }

    protected:
	explicit ModelVm(struct kvm *vm) : vm_(vm) { kapi_kvm_get(vm_); }
	~ModelVm() { kapi_kvm_put(vm_); }

	void die() { dead_.store(true); }
	/* Frees it. The list's lock is held: machines come and go under it. */
	virtual void destroy() = 0;

    private:
	struct kvm *vm_;
	unsigned uses_ = 1; /* under the list's lock */
	ModelVm *next_ = nullptr; /* likewise */
	std::atomic<bool> dead_{ false };
};

/* A busy platform is asked again so often, with a nap before each. */
inline constexpr unsigned kBusyTries = 200;

/* With a platform, for as long as the core waits for one answer. */
class Patience {
    public:
	/*
	 * What @call says at last; @busy tells whether to ask again. Who was busy to
	 * the end is not waited for again. Sleeps.
	 */
	template <class Call, class Busy> auto ask(Call call, Busy busy)
	{
		auto answer = call();

		for (unsigned i = 0; i < tries_ && busy(answer); i++) {
			kapi_stat_add(KAPI_STAT_BUSY, 1);
			kapi_nap();
			answer = call();
		}
		if (busy(answer))
			tries_ = 0;
		return answer;
	}

    private:
	unsigned tries_ = kBusyTries;
};

template <class Call, class Busy> auto ask(Call call, Busy busy)
{
	return Patience{}.ask(call, busy);
}

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_MODEL_VM_H */
