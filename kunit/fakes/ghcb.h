/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests of VMGEXIT set and see (kunit/fakes/ghcb.cc): a vCPU whose exits KVM answers as a
 * test says, by itself or with user space.
 */
#ifndef GMEM_FAKES_GHCB_H
#define GMEM_FAKES_GHCB_H

#include <cstdint>
#include <map>

#include "kapi/ghcb.h"

namespace fake
{

/* What KVM is asked to emulate of a vCPU that has the GHCB's registers. */
enum class Emulated : std::uint8_t { None, Hypercall, Rdmsr, Wrmsr, Rdpmc };

struct GhcbVcpu {
	/* The vCPU's own, which are not the GHCB's. */
	kapi_ghcb_registers registers{ 0xaa, 0xbb, 0xcc, 0xdd, 0x51 };
	/* Stock bodies do what is said here, and do not only note that they were called. */
	bool emulates = false;
	bool by_user = false; /* and user space has a part in it */
	int ret = 1; /* KVM's answer in the end */
	int fault = -1; /* that KVM queues for it */
	kapi_ghcb_registers answer{}; /* in the registers then */
	std::uint8_t device = 0x5a; /* each byte that a device gives */
	bool tells_conversions = true;
	kapi_u64 converted = 0; /* user space's answer */
	std::map<unsigned, kapi_u64> msrs;
	kapi_u64 dr7 = 0x400;
	bool takes_dr7 = true;

	/* What was asked for last. */
	Emulated emulated = Emulated::None;
	kapi_ghcb_registers seen{}; /* the vCPU's registers meanwhile */
	unsigned size = 0, port = 0, count = 0;
	bool in = false, write = false;
	std::uint64_t gpa = 0, pages = 0, data = 0;
	bool is_private = false, huge = false;
	unsigned long exits = 0, held = 0;

	/* Of an exit to user space. */
	bool awaits = false, completes = false;
	void *to = nullptr;
};

GhcbVcpu &ghcb();
int emulate(Emulated what);
/* User space answers, and KVM_RUN goes on; false: nobody waits for that. */
bool answer(struct kvm_vcpu *vcpu, int &ret);

} /* namespace fake */

#endif /* GMEM_FAKES_GHCB_H */
