/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Carries out a sequence on the core over the fakes, and on the reference, and
 * aborts when they disagree.
 */
#ifndef GMEM_MODEL_MACHINE_H
#define GMEM_MODEL_MACHINE_H

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "arch/x86/snp_digest.h"
#include "arch/x86/tdx_mrtd.h"
#include "kunit/fakes/kvm.h"
#include "kunit/model/ops.h"
#include "kunit/model/reference.h"

namespace model
{

class Machine {
    public:
	~Machine();

	void run(const Sequence &ops);

    private:
	static constexpr int kVms = 2, kFiles = 3, kSlots = 8, kHeld = 4;

	struct RealFile {
		int fd = -1;
		struct inode *inode = nullptr;
	};
	struct RealSlot {
		bool used = false;
		struct kvm_memory_slot *slot = nullptr;
		Slot expected;
	};

	void step(const Op &op);

	void make_vm(const Op &op);
	void drop_vm(const Op &op);
	void create(const Op &op);
	void close(int file);
	void bind(const Op &op);
	void unbind(const Op &op);
	void fault(const Op &op);
	void sweep(const Op &op);
	void fault_at(struct kvm *vm, std::uint64_t gfn);
	void write(const Op &op);
	void punch(const Op &op);
	void allocate(const Op &op);
	void populate(const Op &op);
	void attributes(const Op &op);
	void poison(const Op &op);
	void hold(const Op &op);
	void drop(const Op &op);
	void work();

	/* VMs on the models of confidential platforms (machine_launch.cc). */
	struct Launch {
		kapi_platform platform = KAPI_PLATFORM_NONE;
		bool finished = false;
		gmem::SnpDigest snp;
		gmem::TdxMrtd tdx;
	};
	void begin_launch(struct kvm *vm, kapi_platform platform);
	/* After a file of it is closed: with the last one its launch is forgotten. */
	void end_launch(struct kvm *vm);
	kapi_platform platform_of(struct kvm *vm) const;
	/* Whether the platform refuses a page of @vm to be at @gfn for the first time. */
	bool occupied(struct kvm *vm, std::uint64_t gfn) const;
	/* What a populate's callback does beside copying; 0 or -errno. */
	int launch_page(struct kvm *vm, std::uint64_t gfn, std::uint64_t pfn);
	void finish(struct kvm *vm);
	/* The gfn for which the platform has taken @page, if it has. */
	static std::optional<std::uint64_t> launched_at(kapi_platform kind, struct page *page);
	void check_launched(const File &file, int n);
	void busy(const Op &op);

	/* Where operations strike: the same few places again and again. */
	struct Place {
		struct kvm *vm; /* NULL: nowhere */
		std::uint64_t gfn;
	};
	Place place_of(const Op &op) const;
	/* An open one if there is any. */
	int some_file(unsigned n) const;
	const RealSlot *some_slot(unsigned n) const;
	Span span_in(const File &file, const Op &op) const;
	RealSlot *slot_at(struct kvm *vm, std::uint64_t gfn);

	/* What a fault or a populate of @page brings into the file. */
	void expect_fill(File &file, std::uint64_t page, bool whole_run_wanted);
	/* After a failure was injected: takes over what is there, if it may be. */
	void adopt(int file);
	void check_file(int file, bool fully);
	void expect(bool ok, const char *what);

	std::array<struct kvm *, kVms> vms_{};
	std::map<struct kvm *, Launch> launches_;
	std::array<RealFile, kFiles> real_{};
	std::array<File, kFiles> files_{};
	std::array<RealSlot, kSlots> slots_{};
	std::vector<struct page *> held_;
	bool scarce_ = false;
	std::uint64_t next_content_ = 1;
	std::size_t steps_ = 0;
	const Op *current_ = nullptr;
};

} /* namespace model */

#endif /* GMEM_MODEL_MACHINE_H */
