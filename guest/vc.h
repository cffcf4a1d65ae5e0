/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How #VC comes to a guest: what the processor does to deliver an exception, done in software.
 * KVM cannot have it done: an emulated processor pushes no error code for this vector, and KVM
 * forgets a #VC whose delivery was cut short. Which exits are #VC is in guest/exits.h.
 */
#ifndef GMEM_GUEST_VC_H
#define GMEM_GUEST_VC_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "kapi/vc.h"

namespace gmem
{

/* How an access to a guest's memory ended. */
struct Touched {
	enum class End : std::uint8_t {
		Done,
		PageFault, /* at the linear address @addr, with @error_code */
		Nested, /* no such memory is at the gpa @addr */
	};

	End end = End::Done;
	std::uint64_t addr = 0;
	unsigned error_code = 0;
};

/* The guest's memory at linear addresses, as the vCPU has it now. */
class GuestMemory {
    public:
	GuestMemory(const GuestMemory &) = delete;
	GuestMemory &operator=(const GuestMemory &) = delete;

	/* Bits of a linear address that count; the others repeat the last of them. */
	virtual unsigned address_bits() const = 0;
	/* For an @access of KAPI_PFERR_* bits. All of it or nothing is written. */
	virtual Touched read(std::uint64_t addr, std::span<std::byte> to, std::uint64_t access) = 0;
	virtual Touched write(std::uint64_t addr, std::span<const std::byte> from,
			      std::uint64_t access) = 0;

    protected:
	GuestMemory() = default;
	~GuestMemory() = default;
};

/* Of #PF, the exception with an address. */
inline constexpr unsigned kPageFaultVector = 14;

/* How a delivery ended. */
struct Delivered {
	enum class End : std::uint8_t {
		Entered, /* the state is that of the handler's first instruction */
		Unable, /* it is not for us: the guest cannot take it here, or not so */
		Exception, /* @vector with @error_code instead of it, and @addr if it is #PF */
		Nested, /* no such memory is at the gpa @addr */
	};

	End end = End::Entered;
	unsigned vector = 0, error_code = 0;
	std::uint64_t addr = 0;
};

/*
 * Delivers #VC with @error_code, at the instruction that @state is at. If it is not Entered,
 * nothing has changed but accessed and dirty bits, of page tables and of CS's descriptor.
 *
 * Unable: real mode, virtual-8086 mode, shadow stacks, no gate within the IDT; and of 32-bit
 * mode all but gates for 32 bits without a change of CPL.
 */
Delivered deliver_vc(kapi_event_state &state, std::uint32_t error_code, GuestMemory &memory);

} /* namespace gmem */

#endif /* GMEM_GUEST_VC_H */
