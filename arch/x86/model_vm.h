/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM on a platform in software. It comes with the VM's first file, and goes with the
 * last inode; it keeps its VM alive, so that no other VM can come to be taken for it.
 * One that is launched by KVM's own commands is the VM's instead: it comes with the VM,
 * and goes when the VM and the last inode have gone.
 */
#ifndef GMEM_ARCH_X86_MODEL_VM_H
#define GMEM_ARCH_X86_MODEL_VM_H

#include <atomic>
#include <cstring>

#include "gmem/memory.h"
#include "gmem/platform.h"

namespace gmem
{

class ModelVm : public Platform {
    public:
	/*
	 * The VM's platform with a use for the caller, by @create if there is none yet. -ENOENT:
	 * nor is one to be made, and @create is NULL.
	 */
	static Result<ModelVm *> of(struct kvm *vm, Result<ModelVm *> (*create)(struct kvm *));
	/* @vm is going: the platform's use by it, if there is one, is dropped. Sleeps. */
	static void vm_gone(struct kvm *vm);

	/* gmem_launches_show(). */
	static void show_launches(void *seq, bool steps);

	void hold() override;
	void drop() override;

	struct kvm *vm() const { return vm_; }

	/* For gmem_launches_show(); nothing for a VM without such a line. */
	virtual void show_launch(void *, bool) {}

	/* Nothing more is done for a VM after its memory could be unsafe. */
	bool dead() const { return dead_.load(); }

    protected:
	/* @vms: the platform is the VM's, which has the first use of it. */
	explicit ModelVm(struct kvm *vm, bool vms = false) : vm_(vm), vms_(vms)
	{
		if (!vms_)
			kapi_kvm_get(vm_);
	}
	~ModelVm()
	{
		if (!vms_)
			kapi_kvm_put(vm_);
	}

	void die() { dead_.store(true); }
	/* Frees it. The list's lock is held: machines come and go under it. */
	virtual void destroy() = 0;

    private:
	struct kvm *vm_; /* NULL when the VM has gone; under the list's lock then */
	const bool vms_;
	unsigned uses_ = 1; /* under the list's lock */
	ModelVm *next_ = nullptr; /* likewise */
	std::atomic<bool> dead_{ false };
};

/*
 * What all VMs on a model share: exists while there is one. Made and dropped under
 * the lock of the list of VMs; its VMs may use it without.
 */
template <class T> class Machine {
    public:
	T *get() const { return machine_; }
	T *operator->() const { return machine_; }

	/* Puts @vm on it, as a Vm that has begun its launch(). -ENOMEM; or what that said. */
	template <class Vm, class... Args> Result<ModelVm *> add(struct kvm *vm, Args... args)
	{
		if (!machine_) {
			GMEM_TRY(machine, make<T>());
			machine_ = machine.release();
		}
		users_++;

		/* Whatever fails from here on, what there is of it is taken down. */
		Result<Own<Vm>> model = make<Vm>(vm, args...);

		if (!model.ok()) {
			drop();
			return model.status();
		}
		GMEM_CHECK(model.value()->launch());
		return std::move(model).value().release();
	}
	/* The last that a Vm does, whether it had launched or not. */
	void drop()
	{
		if (--users_ == 0) {
			Destroy{}(machine_);
			machine_ = nullptr;
		}
	}

    private:
	T *machine_ = nullptr;
	unsigned users_ = 0;
};

/* A busy platform is asked again so often, with a nap before each. */
inline constexpr unsigned kBusyTries = 200;

/* With a platform, for as long as the core waits for one answer. */
class Patience {
    public:
	/*
	 * What @call says at last, asked again while is_busy(answer). A platform that was
	 * busy to the end is not waited for again. Sleeps.
	 */
	template <class Call> auto ask(Call call)
	{
		auto answer = call();

		for (unsigned i = 0; i < tries_ && is_busy(answer); i++) {
			kapi_stat_add(KAPI_STAT_BUSY, 1);
			kapi_nap();
			answer = call();
		}
		if (is_busy(answer))
			tries_ = 0;
		return answer;
	}

    private:
	unsigned tries_ = kBusyTries;
};

template <class Call> auto ask(Call call)
{
	return Patience{}.ask(call);
}

/* What an answer of a model's is to the core. */
template <class Answer> Status status_of(const Answer &answer)
{
	if (is_ok(answer))
		return Status{};
	return is_busy(answer) ? error(EBUSY) : error(EIO);
}

constexpr std::uint64_t gpa_of(Gfn gfn)
{
	return gfn.value << kPageShift;
}

/* What was a guest's is not for the host to see. */
inline void scrub(Pfn pfn, std::uint64_t count)
{
	for (std::uint64_t i = 0; i < count; i++)
		std::memset(kapi_frame(pfn.value + i), 0, kPageSize);
}

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_MODEL_VM_H */
