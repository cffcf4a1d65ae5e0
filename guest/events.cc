// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMGEXIT's page protocol (vmgexit.h): the events of a GHCB, done by KVM's own emulation. The
 * GHCB is read once, into the exchange, and written once, when the event is over.
 */
#include "guest/vmgexit.h"

#include <algorithm>

#include "guest/ap.h"
#include "guest/ghcb.h"
#include "guest/ghcb_msr.h"
#include "guest/misdeeds.h"
#include "guest/psc.h"
#include "guest/requests.h"
#include "kapi/accesses.h"
#include "mmu/entry.h"

namespace gmem
{

namespace
{

using Waits = SnpExchange::Waits;

constexpr unsigned kMsrTsc = 0x10, kMsrTscAux = 0xc0000103;
/* As much as an access of the guest's; of other sizes KVM's APIC complains in the log. */
constexpr std::uint64_t kMmioMax = 8;

/* ---- the page -------------------------------------------------------------------------- */

/*
 * By user space's address, where nothing of a private page is. -EFAULT: it is not shared, or
 * not there.
 */
Status read_page(Vmgexit &vmgexit)
{
	struct kvm *const kvm = vmgexit.guest.kvm();
	const std::uint64_t gfn = vmgexit.exchange.gpa >> kPageShift;

	if (kapi_kvm_range_private(kvm, gfn, gfn + 1))
		return error(EFAULT);
	return Status{ kapi_stock_read_page(kapi_kvm_slot_of(kvm, gfn), gfn,
					    vmgexit.exchange.page.data(), 0, kPageSize) };
}

Status write_part(Vmgexit &vmgexit, std::size_t at, std::size_t size)
{
	struct kvm *const kvm = vmgexit.guest.kvm();
	const std::uint64_t gfn = vmgexit.exchange.gpa >> kPageShift;

	if (!size)
		return Status{};
	return Status{ kapi_stock_write_page(kvm, kapi_kvm_slot_of(kvm, gfn), gfn,
					     vmgexit.exchange.page.data() + at,
					     static_cast<int>(at), static_cast<int>(size)) };
}

/* All else of the page is the guest's to write. */
Status write_answer(Vmgexit &vmgexit)
{
	constexpr std::size_t kOne = 8, kTwo = 16, kThree = 24;
	const auto at = [](GhcbField field) { return static_cast<std::size_t>(field); };
	SnpExchange &exchange = vmgexit.exchange;

	Ghcb{ exchange.page }.answer(exchange.info_1, exchange.info_2, exchange.registers);
	GMEM_CHECK(write_part(vmgexit, exchange.changed_at, exchange.changed_size));
	GMEM_CHECK(write_part(vmgexit, at(GhcbField::Rax), kOne));
	GMEM_CHECK(write_part(vmgexit, at(GhcbField::Rcx), kThree)); /* RDX and RBX follow */
	GMEM_CHECK(write_part(vmgexit, at(GhcbField::Info1), kTwo));
	return write_part(vmgexit, kGhcbBitmap, kGhcbBitmapSize);
}

void report_event(const Vmgexit &vmgexit, const char *broken)
{
	const Ghcb ghcb{ vmgexit.exchange.page };
	kapi_registers registers;

	kapi_vcpu_registers(vmgexit.vcpu(), &registers);
	report(vmgexit.guest, registers.rip, "VMGEXIT", broken,
	       { { "event", static_cast<std::uint64_t>(ghcb.event()) },
		 { "info 1", ghcb.get(GhcbField::Info1) },
		 { "info 2", ghcb.get(GhcbField::Info2) } });
}

/* The event is over; @ret is what KVM is told. */
int finish(Vmgexit &vmgexit, int ret = kGoOn)
{
	vmgexit.step_over();

	const Status status = write_answer(vmgexit);

	return status.ok() ? ret : status.code();
}

/* It ends with @error. */
int fail(Vmgexit &vmgexit, GhcbError error)
{
	static constexpr const char *kWhat[] = { "?",
						 "a GHCB that is not registered",
						 "a GHCB for another use",
						 "a scratch area outside of the GHCB",
						 "input that is missing",
						 "input that is not valid",
						 "an event that there is not" };

	report_event(vmgexit, kWhat[static_cast<unsigned>(error)]);
	vmgexit.exchange.info_1 = kGhcbMalformed;
	vmgexit.exchange.info_2 = static_cast<std::uint64_t>(error);
	return finish(vmgexit);
}

void raise(SnpExchange &exchange, unsigned vector)
{
	exchange.info_1 = kGhcbException;
	exchange.info_2 = ghcb_exception(vector);
}

/* ---- what KVM does --------------------------------------------------------------------- */

/* KVM has answered @ret to it, as to an exit. */
int go_on(Vmgexit &vmgexit, int ret)
{
	SnpExchange &exchange = vmgexit.exchange;

	exchange.kvms = ret == 0 ? kapi_vcpu_await(vmgexit.vcpu()) : nullptr;
	if (exchange.kvms) {
		exchange.waits = Waits::Kvm;
		return 0;
	}
	if (ret < 0)
		return ret;
	if (!exchange.behind) {
		const int vector = kapi_vcpu_take_fault(vmgexit.vcpu());

		/* KVM has stepped over it, if it has not queued a fault there. */
		if (vector >= 0)
			raise(exchange, static_cast<unsigned>(vector));
		exchange.behind = vector < 0;
	}
	return finish(vmgexit, ret);
}

/* As an exit of a vCPU that has the GHCB's registers, which @emulate(vcpu) steps over. */
int emulate(Vmgexit &vmgexit, int (*emulate)(struct kvm_vcpu *))
{
	kapi_vcpu_swap(vmgexit.vcpu(), &vmgexit.exchange.registers);

	const int ret = emulate(vmgexit.vcpu());

	kapi_vcpu_swap(vmgexit.vcpu(), &vmgexit.exchange.registers);
	return go_on(vmgexit, ret);
}

int hypercall(Vmgexit &vmgexit, const Ghcb &ghcb)
{
	kapi_registers registers;

	if (!ghcb.get(GhcbField::Cpl))
		return emulate(vmgexit, kapi_stock_hypercall);
	/* KVM's answer to users: it does not see that this guest speaks for one. */
	kapi_vcpu_registers(vmgexit.vcpu(), &registers);
	vmgexit.exchange.registers.rax = registers.wide ? ~0ull : ~0u;
	return finish(vmgexit);
}

/* What of the scratch area the guest is to see changed. */
void changed(SnpExchange &exchange, std::span<const std::uint8_t> scratch, std::size_t size)
{
	exchange.changed_at = static_cast<std::uint16_t>(scratch.data() - exchange.page.data());
	exchange.changed_size = static_cast<std::uint16_t>(size);
}

int port_io(Vmgexit &vmgexit, const Ghcb &ghcb)
{
	constexpr unsigned kDword = 4;
	SnpExchange &exchange = vmgexit.exchange;
	const GhcbPortIo io = ghcb_port_io(ghcb.get(GhcbField::Info1));
	const std::uint64_t count = io.string ? ghcb.get(GhcbField::Info2) : 1;
	void *data = &exchange.registers.rax;

	if (!io.size || !count)
		return finish(vmgexit);
	if (io.size & (io.size - 1))
		return fail(vmgexit, GhcbError::Input);
	if (io.string) {
		const std::uint64_t most = exchange.page.size() / io.size;
		const std::span<std::uint8_t> scratch =
			ghcb.scratch(exchange.gpa, std::min(count, most) * io.size);

		if (scratch.empty())
			return fail(vmgexit, GhcbError::Scratch);
		if (io.in)
			changed(exchange, scratch, count * io.size);
		data = scratch.data();
	} else if (io.in && io.size == kDword) {
		exchange.registers.rax = 0;
	}
	vmgexit.step_over();
	return go_on(vmgexit, kapi_vcpu_port_io(vmgexit.vcpu(), io.size, io.port, data,
						static_cast<unsigned>(count), io.in));
}

int mmio(Vmgexit &vmgexit, const Ghcb &ghcb, bool write)
{
	SnpExchange &exchange = vmgexit.exchange;
	const std::uint64_t gpa = ghcb.get(GhcbField::Info1), size = ghcb.get(GhcbField::Info2);

	if (!size)
		return finish(vmgexit);
	if (size > kMmioMax || size & (size - 1))
		return fail(vmgexit, GhcbError::Input);

	const std::span<std::uint8_t> scratch = ghcb.scratch(exchange.gpa, size);

	if (scratch.empty())
		return fail(vmgexit, GhcbError::Scratch);
	if (!write)
		changed(exchange, scratch, size);
	vmgexit.step_over();
	return go_on(vmgexit, kapi_vcpu_mmio(vmgexit.vcpu(), write, gpa,
					     static_cast<unsigned>(size), scratch.data()));
}

int read_clock(Vmgexit &vmgexit, bool aux)
{
	kapi_ghcb_registers &registers = vmgexit.exchange.registers;
	kapi_u64 value = 0;

	(void)kapi_vcpu_msr(vmgexit.vcpu(), kMsrTsc, &value);
	registers.rax = value & 0xffffffff;
	registers.rdx = value >> 32;
	if (aux) {
		registers.rcx = 0;
		(void)kapi_vcpu_msr(vmgexit.vcpu(), kMsrTscAux, &registers.rcx);
	}
	return finish(vmgexit);
}

int write_dr7(Vmgexit &vmgexit)
{
	constexpr unsigned kProtection = 13;

	if (!kapi_vcpu_set_dr7(vmgexit.vcpu(), vmgexit.exchange.registers.rax))
		raise(vmgexit.exchange, kProtection);
	return finish(vmgexit);
}

/* ---- page state changes ---------------------------------------------------------------- */

/* The entries are in the copy, which nobody else writes to. */
Psc psc_of(Vmgexit &vmgexit)
{
	SnpExchange &exchange = vmgexit.exchange;

	return Psc{ Ghcb{ exchange.page }.scratch(exchange.gpa, Psc::kHeaderSize),
		    exchange.psc_first, exchange.psc_count };
}

int psc_over(Vmgexit &vmgexit, std::uint64_t result)
{
	SnpExchange &exchange = vmgexit.exchange;
	const Ghcb ghcb{ exchange.page };

	if (result)
		report_event(vmgexit, "a page state change that fails");
	changed(exchange, ghcb.scratch(exchange.gpa, Psc::kHeaderSize), psc_of(vmgexit).changed());
	exchange.info_2 = result;
	return finish(vmgexit);
}

int psc_step(Vmgexit &vmgexit)
{
	PscStep step{ .result = kPscGeneric };

	if (kapi_kvm_tells_conversions(vmgexit.guest.kvm()) && !misdeeds().due(Misdeed::PscRefused))
		step = psc_of(vmgexit).next();
	while (step.asks && misdeeds().due(Misdeed::PscLies)) {
		psc_of(vmgexit).converted();
		step = psc_of(vmgexit).next();
	}
	if (!step.asks)
		return psc_over(vmgexit, step.result);
	vmgexit.exchange.waits = Waits::Conversion;
	kapi_vcpu_exit_convert(vmgexit.vcpu(), step.gpa, step.pages, step.is_private, step.huge);
	return 0;
}

int psc(Vmgexit &vmgexit, const Ghcb &ghcb)
{
	if (ghcb.scratch(vmgexit.exchange.gpa, Psc::kHeaderSize).empty())
		return fail(vmgexit, GhcbError::Scratch);
	if (misdeeds().due(Misdeed::PscStuck))
		return finish(vmgexit);
	vmgexit.exchange.psc_first = vmgexit.exchange.psc_count = 0;
	vmgexit.step_over();
	return psc_step(vmgexit);
}

/* An address that vCPUs have in common. KVM keeps it, and has no use for it. */
int jump_table(Vmgexit &vmgexit, const Ghcb &ghcb)
{
	constexpr std::uint64_t kSet = 0, kGet = 1;
	std::atomic<std::uint64_t> &kept = vmgexit.guest.platform().jump_table();

	switch (ghcb.get(GhcbField::Info1)) {
	case kSet:
		kept = ghcb.get(GhcbField::Info2);
		break;
	case kGet:
		vmgexit.exchange.info_2 = kept;
		break;
	default:
		return fail(vmgexit, GhcbError::Input);
	}
	return finish(vmgexit);
}

/* ---- messages to the firmware ---------------------------------------------------------- */

int guest_request(Vmgexit &vmgexit, const Ghcb &ghcb)
{
	SnpExchange &exchange = vmgexit.exchange;
	const Result<GuestAnswer> asked =
		ask_firmware(vmgexit.guest.kvm(), vmgexit.guest.platform(),
			     { .request = ghcb.get(GhcbField::Info1),
			       .response = ghcb.get(GhcbField::Info2),
			       .extended = ghcb.event() == GhcbEvent::ExtendedRequest,
			       .has_room = ghcb.has(GhcbField::Rax) && ghcb.has(GhcbField::Rbx),
			       .room = ghcb.get(GhcbField::Rax),
			       .pages = ghcb.get(GhcbField::Rbx) });
	const GuestAnswer &answer = asked.value();

	if (!asked.ok()) {
		vmgexit.step_over();
		return asked.status().code();
	}
	if (answer.wrong != GhcbError::None)
		return fail(vmgexit, answer.wrong);
	if (answer.info_2 & 0xffffffff)
		report_event(vmgexit, "a message that the firmware refuses");
	exchange.info_2 = answer.info_2;
	exchange.registers.rbx = answer.pages;
	return finish(vmgexit);
}

/* ---- events ---------------------------------------------------------------------------- */

int terminate(Vmgexit &vmgexit)
{
	report_event(vmgexit, "the guest ends itself");

	const int ret = finish(vmgexit, 0);

	if (ret == 0)
		kapi_vcpu_exit_terminated(vmgexit.vcpu(), vmgexit.exchange.gpa);
	return ret;
}

int reset_hold(Vmgexit &vmgexit)
{
	const Status status = write_answer(vmgexit);

	if (!status.ok())
		return status.code();
	vmgexit.exchange.held = SnpExchange::Held::ByPage;
	return kapi_vcpu_reset_hold(vmgexit.vcpu());
}

int vcpu_creation(Vmgexit &vmgexit, const Ghcb &ghcb)
{
	const Result<bool> created = create_vcpu(vmgexit.guest, ghcb);

	if (!created.ok())
		return created.status().code();
	return created.value() ? finish(vmgexit) : fail(vmgexit, GhcbError::Input);
}

/* One that check() has let through. */
int serve(Vmgexit &vmgexit, const Ghcb &ghcb)
{
	SnpExchange &exchange = vmgexit.exchange;

	switch (ghcb.event()) {
	case GhcbEvent::PortIo:
		return port_io(vmgexit, ghcb);
	case GhcbEvent::Msr:
		return emulate(vmgexit,
			       ghcb.get(GhcbField::Info1) ? kapi_stock_wrmsr : kapi_stock_rdmsr);
	case GhcbEvent::Vmmcall:
		return hypercall(vmgexit, ghcb);
	case GhcbEvent::Rdpmc:
		return emulate(vmgexit, kapi_vcpu_rdpmc);
	case GhcbEvent::MmioRead:
	case GhcbEvent::MmioWrite:
		return mmio(vmgexit, ghcb, ghcb.event() == GhcbEvent::MmioWrite);
	case GhcbEvent::Conversion:
		return psc(vmgexit, ghcb);
	case GhcbEvent::VcpuCreation:
		return vcpu_creation(vmgexit, ghcb);
	case GhcbEvent::JumpTable:
		return jump_table(vmgexit, ghcb);
	case GhcbEvent::GuestRequest:
	case GhcbEvent::ExtendedRequest:
		return guest_request(vmgexit, ghcb);
	case GhcbEvent::ResetHold:
		return reset_hold(vmgexit);
	case GhcbEvent::Terminate:
		return terminate(vmgexit);
	case GhcbEvent::Rdtsc:
	case GhcbEvent::Rdtscp:
		return read_clock(vmgexit, ghcb.event() == GhcbEvent::Rdtscp);
	case GhcbEvent::WriteDr7:
		return write_dr7(vmgexit);
	case GhcbEvent::Unsupported:
		report_event(vmgexit, "the guest has met what it cannot do");
		vmgexit.step_over();
		return -EINVAL;
	case GhcbEvent::Cpuid:
		kapi_vcpu_cpuid(vmgexit.vcpu(), &exchange.registers);
		break;
	case GhcbEvent::ReadDr7:
		exchange.registers.rax = kapi_vcpu_dr7(vmgexit.vcpu());
		break;
	case GhcbEvent::Features:
		exchange.info_2 = told_features();
		break;
	default: /* caches, waiting, NMIs: nothing is to be done */
		break;
	}
	return finish(vmgexit);
}

} /* namespace */

int begin_event(Vmgexit &vmgexit, std::uint64_t gpa, std::uint64_t registered)
{
	SnpExchange &exchange = vmgexit.exchange;
	const unsigned newest = ghcb_newest(vmgexit.guest.platform().ghcb_version());

	exchange.gpa = gpa;
	exchange.info_1 = exchange.info_2 = 0;
	exchange.changed_size = 0;

	const Status status = read_page(vmgexit);
	const Ghcb ghcb{ exchange.page };

	if (!status.ok() || registered != gpa) {
		if (!status.ok())
			exchange.page.fill(0);
		report_event(vmgexit, status.ok() ? "a GHCB that is not registered"
						  : "a GHCB that is not shared memory");
		vmgexit.step_over();
		return status.ok() ? -EINVAL : kGoOn;
	}
	exchange.registers = ghcb.registers();
	/* KVM does not look at it, and OVMF says none. */
	if (ghcb.version() > newest)
		report_event(vmgexit, "a version of the protocol that was not agreed on");

	GhcbError wrong = ghcb.check();

	if (wrong == GhcbError::None && misdeeds().due(Misdeed::EventRefused))
		wrong = GhcbError::Event;
	return wrong == GhcbError::None ? serve(vmgexit, ghcb) : fail(vmgexit, wrong);
}

Status event_released(Vmgexit &vmgexit)
{
	vmgexit.exchange.info_2 = 1;
	return write_answer(vmgexit);
}

int event_converted(Vmgexit &vmgexit)
{
	if (kapi_vcpu_converted(vmgexit.vcpu()) != 0)
		return psc_over(vmgexit, kPscGeneric);
	psc_of(vmgexit).converted();
	return psc_step(vmgexit);
}

int event_completed(Vmgexit &vmgexit)
{
	SnpExchange &exchange = vmgexit.exchange;

	if (!exchange.behind)
		kapi_vcpu_swap(vmgexit.vcpu(), &exchange.registers);

	const int ret = kapi_vcpu_complete(vmgexit.vcpu(), exchange.kvms);

	if (!exchange.behind)
		kapi_vcpu_swap(vmgexit.vcpu(), &exchange.registers);
	return go_on(vmgexit, ret);
}

} /* namespace gmem */
