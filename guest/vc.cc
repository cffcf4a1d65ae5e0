// SPDX-License-Identifier: GPL-2.0-only
/*
 * The delivery (vc.h). Its steps and errors are those of the architecture's description of
 * exceptions; docs/snp-guest.md says what was chosen where it is silent.
 */
#include "guest/vc.h"

#include <array>

#include "kapi/constants.h"

namespace gmem
{

namespace
{

using End = Delivered::End;

constexpr unsigned kVector = 29;
/* What an error code says of a gate: where it is, and that it is one of the IDT's. */
constexpr unsigned kGateCode = kVector << 3 | 2;

constexpr unsigned kInvalidTss = 10, kNotPresent = 11, kStackFault = 12, kProtection = 13;

/* Of RFLAGS. */
constexpr std::uint64_t kTrap = 1 << 8, kInterrupts = 1 << 9, kNestedTask = 1 << 14,
			kResume = 1 << 16, kVirtual8086 = 1 << 17;

/* Types of gates, with the bit that tells them from code and data. */
constexpr unsigned kTaskGate = 0x05, kInterruptGate16 = 0x06, kTrapGate16 = 0x07,
		   kInterruptGate = 0x0e, kTrapGate = 0x0f;

/* Of a segment's rights. */
constexpr unsigned kAccessed = 1 << 0, kConforming = 1 << 2, kExpandsDown = 1 << 2, kCode = 1 << 3,
		   kNoSystem = 1 << 4, kPresent = 1 << 7, kLong = 1 << 9, kBig = 1 << 10;
constexpr unsigned kDplShift = 5;
constexpr std::uint64_t kGranular = 1ull << 55;

constexpr unsigned kSelectorLdt = 1 << 2, kSelectorRpl = 3;

/* The processor's own accesses, as to tables of its. */
constexpr std::uint64_t kRead = KAPI_PFERR_IMPLICIT;
constexpr std::uint64_t kWrite = KAPI_PFERR_IMPLICIT | KAPI_PFERR_WRITE;

unsigned dpl_of(unsigned rights)
{
	return rights >> kDplShift & 3;
}

/* The part of a selector that an error code names. */
unsigned code_of(unsigned selector)
{
	return selector & ~kSelectorRpl;
}

kapi_segment segment_of(unsigned selector, std::uint64_t descriptor)
{
	std::uint64_t limit = (descriptor & 0xffff) | (descriptor >> 32 & 0xf0000);

	if (descriptor & kGranular)
		limit = limit << 12 | 0xfff;
	return {
		.base = (descriptor >> 16 & 0xffffff) | (descriptor >> 32 & 0xff000000),
		.limit = static_cast<unsigned>(limit),
		.selector = static_cast<unsigned short>(selector),
		.rights = static_cast<unsigned short>((descriptor >> 40 & 0xff) |
						      (descriptor >> 44 & 0xf00)),
	};
}

struct Gate {
	std::uint64_t offset = 0;
	unsigned selector = 0, type = 0, stack = 0;
};

class Delivery {
    public:
	Delivery(kapi_event_state &state, std::uint32_t error_code, GuestMemory &memory)
		: state_(state), error_code_(error_code), memory_(memory)
	{
	}

	Delivered run();

    private:
	/* Each step is false where it has ended, and then why is in failed_. */
	bool read_gate();
	bool gate_ok(bool present);
	bool load_code();
	bool code_ok(std::uint64_t at, unsigned rights);
	bool find_stack();
	bool push_wide();
	bool push_narrow();
	void enter();

	bool end(Delivered how)
	{
		failed_ = how;
		return false;
	}
	bool fault(unsigned vector, unsigned error_code)
	{
		return end({ .end = End::Exception, .vector = vector, .error_code = error_code });
	}
	bool unable() { return end({ .end = End::Unable }); }
	bool touched(const Touched &how);
	template <class T> bool read(std::uint64_t addr, T &to)
	{
		return touched(
			memory_.read(addr, std::as_writable_bytes(std::span{ &to, 1 }), kRead));
	}

	bool wide() const { return state_.long_mode; }
	bool canonical(std::uint64_t addr) const
	{
		const unsigned shift = 64 - memory_.address_bits();

		return static_cast<std::uint64_t>(static_cast<std::int64_t>(addr << shift) >>
						  shift) == addr;
	}
	/* As of any fault: the instruction's breakpoint is not to come once more. */
	std::uint64_t pushed_flags() const { return state_.rflags | kResume; }
	/* With whose rights the frame is pushed. */
	std::uint64_t pushing() const;

	kapi_event_state &state_;
	const std::uint32_t error_code_;
	GuestMemory &memory_;
	Delivered failed_{};

	Gate gate_{};
	kapi_segment code_{};
	unsigned cpl_ = 0; /* the handler's */
	std::uint64_t stack_ = 0; /* its top, then RSP */
};

bool Delivery::touched(const Touched &how)
{
	switch (how.end) {
	case Touched::End::Done:
		return true;
	case Touched::End::PageFault:
		return end({ .end = End::Exception,
			     .vector = kPageFaultVector,
			     .error_code = how.error_code,
			     .addr = how.addr });
	case Touched::End::Nested:
		break;
	}
	return end({ .end = End::Nested, .addr = how.addr });
}

/* ---- the gate -------------------------------------------------------------------------- */

bool Delivery::read_gate()
{
	std::array<std::uint64_t, 2> words{};
	const std::uint64_t size = wide() ? 16 : 8;

	if ((kVector + 1) * size - 1 > state_.idt_limit)
		return unable();
	if (wide() ? !read(state_.idt + kVector * size, words)
		   : !read(state_.idt + kVector * size, words[0]))
		return false;
	gate_ = {
		.offset = (words[0] & 0xffff) | (words[0] >> 32 & 0xffff0000) | words[1] << 32,
		.selector = static_cast<unsigned>(words[0] >> 16 & 0xffff),
		.type = static_cast<unsigned>(words[0] >> 40 & 0x1f),
		.stack = wide() ? static_cast<unsigned>(words[0] >> 32 & 7) : 0,
	};
	return gate_ok(words[0] >> 47 & 1);
}

/* Its DPL is for instructions that call gates, and not for exceptions. */
bool Delivery::gate_ok(bool present)
{
	switch (gate_.type) {
	case kInterruptGate:
	case kTrapGate:
		break;
	case kTaskGate:
	case kInterruptGate16:
	case kTrapGate16:
		if (!wide())
			return unable();
		[[fallthrough]];
	default:
		return fault(kProtection, kGateCode);
	}
	return present || fault(kNotPresent, kGateCode);
}

/* ---- CS -------------------------------------------------------------------------------- */

bool Delivery::load_code()
{
	const unsigned selector = gate_.selector, code = code_of(selector);
	const bool local = selector & kSelectorLdt;
	const std::uint64_t table = local ? state_.ldt.base : state_.gdt;
	const std::uint64_t at = table + (selector & ~7u);
	std::uint64_t descriptor = 0;

	if (!code)
		return fault(kProtection, 0);
	if (local && !(state_.ldt.rights & kPresent))
		return fault(kProtection, code);
	if ((selector | 7) > (local ? state_.ldt.limit : state_.gdt_limit))
		return fault(kProtection, code);
	if (!read(at, descriptor))
		return false;
	code_ = segment_of(selector, descriptor);
	return code_ok(at, code_.rights);
}

bool Delivery::code_ok(std::uint64_t at, unsigned rights)
{
	const unsigned dpl = dpl_of(rights), code = code_of(gate_.selector);

	if (!(rights & kNoSystem) || !(rights & kCode) || dpl > state_.cpl)
		return fault(kProtection, code);
	if (!(rights & kPresent))
		return fault(kNotPresent, code);
	if (wide() && (!(rights & kLong) || rights & kBig))
		return fault(kProtection, code);

	cpl_ = rights & kConforming ? state_.cpl : dpl;
	if (!wide() && cpl_ != state_.cpl)
		return unable();
	if (wide() ? !canonical(gate_.offset) : gate_.offset > code_.limit)
		return fault(kProtection, 0);
	if (!(rights & kAccessed)) {
		const std::byte marked{ static_cast<unsigned char>(rights | kAccessed) };

		if (!touched(memory_.write(at + 5, { &marked, 1 }, kWrite)))
			return false;
		code_.rights |= kAccessed;
	}
	code_.selector = static_cast<unsigned short>(code | cpl_);
	return true;
}

/* ---- the stack ------------------------------------------------------------------------- */

/* In 64-bit mode: one of the TSS's, for the gate's sake or for the CPL's, or that of before. */
bool Delivery::find_stack()
{
	unsigned at;

	stack_ = state_.rsp;
	if (gate_.stack)
		at = 0x24 + 8 * (gate_.stack - 1);
	else if (cpl_ != state_.cpl)
		at = 4 + 8 * cpl_;
	else
		return true;
	if (!(state_.tr.rights & kPresent) || at + 7 > state_.tr.limit)
		return fault(kInvalidTss, code_of(state_.tr.selector));
	return read(state_.tr.base + at, stack_);
}

std::uint64_t Delivery::pushing() const
{
	if (cpl_ == 3)
		return KAPI_PFERR_WRITE | KAPI_PFERR_USER;
	/* AC of users counts for nothing. */
	return KAPI_PFERR_WRITE | (state_.cpl == 3 ? std::uint64_t{ KAPI_PFERR_IMPLICIT } : 0);
}

bool Delivery::push_wide()
{
	const std::array<std::uint64_t, 6> frame{
		error_code_,	state_.rip, state_.cs.selector,
		pushed_flags(), state_.rsp, state_.ss.selector,
	};

	if (!find_stack())
		return false;
	stack_ = (stack_ & ~std::uint64_t{ 15 }) - sizeof(frame);
	if (!canonical(stack_) || !canonical(stack_ + sizeof(frame) - 1))
		return fault(kStackFault, 0);
	return touched(memory_.write(stack_, std::as_bytes(std::span{ frame }), pushing()));
}

bool Delivery::push_narrow()
{
	const std::array<std::uint32_t, 4> frame{
		error_code_,
		static_cast<std::uint32_t>(state_.rip),
		state_.cs.selector,
		static_cast<std::uint32_t>(pushed_flags()),
	};
	const kapi_segment &ss = state_.ss;
	const std::uint64_t mask = ss.rights & kBig ? 0xffffffff : 0xffff;
	const std::uint64_t top = state_.rsp & mask;
	const std::uint64_t at = (top - sizeof(frame)) & mask, last = at + sizeof(frame) - 1;
	const std::uint64_t addr = (ss.base + at) & 0xffffffff;

	/* It goes on at the other end of the segment, or of all addresses. */
	if ((top && top < sizeof(frame)) || addr + sizeof(frame) - 1 > 0xffffffff)
		return unable();
	if (ss.rights & kExpandsDown ? at <= ss.limit : last > ss.limit)
		return fault(kStackFault, 0);
	stack_ = (state_.rsp & ~mask) | at;
	return touched(memory_.write(addr, std::as_bytes(std::span{ frame }), pushing()));
}

/* ---- all of it ------------------------------------------------------------------------- */

void Delivery::enter()
{
	state_.rip = gate_.offset;
	state_.rsp = stack_;
	state_.rflags &= ~(kTrap | kNestedTask | kResume | kVirtual8086);
	if (gate_.type == kInterruptGate)
		state_.rflags &= ~kInterrupts;
	state_.cs = code_;
	if (wide() && cpl_ != state_.cpl)
		state_.ss = { .base = 0,
			      .limit = 0,
			      .selector = static_cast<unsigned short>(cpl_),
			      .rights = static_cast<unsigned short>(cpl_ << kDplShift) };
	state_.cpl = cpl_;
}

Delivered Delivery::run()
{
	if (!state_.protected_mode || state_.shadow_stacks)
		return { .end = End::Unable };
	if (!wide() && state_.rflags & kVirtual8086)
		return { .end = End::Unable };
	if (!read_gate() || !load_code() || !(wide() ? push_wide() : push_narrow()))
		return failed_;
	enter();
	return {};
}

} /* namespace */

Delivered deliver_vc(kapi_event_state &state, std::uint32_t error_code, GuestMemory &memory)
{
	return Delivery{ state, error_code, memory }.run();
}

} /* namespace gmem */
