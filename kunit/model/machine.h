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
#include <string>
#include <vector>

#include <gmem/consumer.h>

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
	static constexpr int kVms = 2, kFiles = 3, kSlots = 8, kHeld = 4, kConsumers = 3,
			     kStale = 3;

	struct RealFile {
		int fd = -1;
		struct inode *inode = nullptr;
	};
	/* A reference of a page beside the cache's. */
	struct Held {
		struct page *page;
		bool pinned; /* user space, else the kernel */
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
	/* KVM's answer to a request for a memslot. */
	int add_slot(RealSlot &slot, const Slot &as, int fd);
	/* What add_slot() answers without an injected failure. */
	int bind_error(const Slot &slot) const;
	void unbind(const Op &op);
	void fault(const Op &op);
	void sweep(const Op &op);
	/* @ahead of the guest's first access, where it is private. */
	void fault_at(struct kvm *vm, std::uint64_t gfn, bool ahead = false);
	void write(const Op &op);
	void punch(const Op &op);
	void allocate(const Op &op);
	void attributes(const Op &op);

	/* Populate (machine_populate.cc). */
	/* @keeps: the callback fails, of a page that its platform has kept. */
	void populate(const Op &op, bool keeps);
	void launch(const Op &op);

	/* The states of pages (machine_states.cc). */
	void happens(Page &page, Event event);
	/* Whether the page was populated, or used: it is not populated again. */
	bool has_content(const File &file, const Page &page) const;
	void strike(Page &page);
	void poison(const Op &op);
	void mark(const Op &op);
	std::vector<struct page *> never_freed(int n, Span pages) const;
	void check_never_freed(const std::vector<struct page *> &pages);
	/* After an injected failure: takes over the real state, if that is an allowed one. */
	void adopt(int file);
	void check_file(int file, bool fully);
	void check_pages(int n, Span pages);

	/* Pages that become one block (machine_blocks.cc). */
	void work();
	bool promotable(int n, std::size_t run) const;
	void check_block(int n, std::size_t run);
	void expect_giant(File &file, bool used_as_one, unsigned reserve);
	static bool shows_giant(const Slot &slot);

	/* References of pages (machine_holders.cc). */
	struct Lent {
		RealSlot *slot;
		std::uint64_t gfn;
		struct page *page; /* NULL: none was given */
		bool is_private; /* what was asked for */
		unsigned order; /* that a mapping of it may have */
		long blocks; /* that were free before */
		unsigned reserve; /* likewise, of gigabytes */
	};
	void pin(const Op &op);
	void hold(const Op &op);
	void drop(const Op &op);
	void vcpu_map(const Op &op);
	void get_pfn(const Op &op);
	void lent(const Lent &to, int ret);
	bool in_use(int n, std::uint64_t index) const;

	/* Memory that moves to another VM (machine_link.cc). */
	struct Stale {
		int fd;
		int file; /* the file whose memory it shows to user space; -1: that is closed */
		std::uint64_t size;
	};
	void link(const Op &op);
	void stale(const Op &op);
	void drop_stale();
	void forget(int n);

	/* Shared memory and conversion (machine_convert.cc). */
	void touch(const Op &op);
	bool touch_at(int n, std::uint64_t index, bool write, int fd);
	/* The order that mappings of the run around it may have. */
	unsigned huge_at(int n, std::uint64_t index) const;
	void convert(const Op &op);
	void convert_gfns(const Op &op);
	/* The first page that keeps @pages of a file from being converted. */
	struct Obstacle {
		int error = 0;
		std::uint64_t at = 0;
	};
	Obstacle obstacle(int n, Span pages, bool to_private) const;
	void converted(int n, Span pages, bool to_private);
	/* Neither user space nor a guest has any of the pages mapped. */
	void check_unmapped(int n, Span pages);
	/* No guest has any of the pages mapped. */
	void check_guests(int n, Span pages);
	void check_kinds(const File &file, int n);

	/* Consumers in the kernel beside memslots (machine_consumers.cc). */
	struct Consumer {
		bool used = false;
		int file = -1; /* -1: it is closed */
		Span pages;
		bool coexists = false; /* may be beside others */
		bool refuses = false; /* conversions */
		struct gmem_consumer *handle = nullptr;
		/* What the consumer was told; pages since the operation began. */
		bool busy = false, wrong = false;
		Span begun;
		unsigned releases = 0;
		std::uint64_t unmapped = 0, converted = 0, failed = 0;
		/* What it should have been. */
		std::uint64_t expected = 0;

		static const gmem_consumer_ops kOps;
	};
	void consumer(const Op &op);
	void lend(const Op &op);
	bool used_as_one(int n, Span block) const;
	/* The error that binding @c must end in; 0: none. */
	int consumer_error(const Consumer &c) const;
	/* Consumers that have bound some of @pages unmap those in this operation. */
	void expect_unmapped(int n, Span pages);
	/* ... and have heard that a conversion of it was for nothing. */
	void expect_failed(int n, Span pages);
	void check_consumers();
	void drop_consumers();

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

	/* A request for a page, by a guest, user space or a consumer. */
	struct Use {
		int file;
		std::uint64_t index;
		bool fits; /* the requester's mapping can take in the whole run */
		bool one_kind; /* all of the run is private, or all of it shared */
		std::uint64_t gfn = 0; /* where, if it is a memslot's */
		bool guest = false; /* a guest asks for a private page */
	};
	/*
	 * After it has come, in a block of @order: it is ready, and what else of the run.
	 * Returns whether the run is one block.
	 */
	bool expect_ready(const Use &use, unsigned order);
	/*
	 * What a fault or a populate of @page has brought into the file. A page from elsewhere
	 * ends the block that its run was at once: the page may be gone at the next look.
	 */
	void expect_fill(File &file, std::uint64_t page, bool whole_run_wanted);
	bool lies_in_place(const File &file, std::uint64_t index) const;
	void expect(bool ok, const char *what);

	std::array<struct kvm *, kVms> vms_{};
	std::map<struct kvm *, Launch> launches_;
	std::array<RealFile, kFiles> real_{};
	std::array<File, kFiles> files_{};
	std::array<RealSlot, kSlots> slots_{};
	std::array<Consumer, kConsumers> consumers_{};
	std::vector<Held> held_;
	std::vector<Stale> stale_;
	bool scarce_ = false;
	/* Whether the operation says in advance what consumers have to unmap. */
	bool unmaps_known_ = true;
	std::uint64_t next_content_ = 1;
	std::size_t steps_ = 0;
	const Op *current_ = nullptr;
};

} /* namespace model */

#endif /* GMEM_MODEL_MACHINE_H */
