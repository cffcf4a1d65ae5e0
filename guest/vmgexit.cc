// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMGEXIT (vmgexit.h): the MSR protocol, and how an exchange goes on when user space has had
 * its part. The page protocol is in events.cc.
 */
#include "guest/vmgexit.h"

#include <utility>

#include "guest/ghcb_msr.h"
#include "guest/instructions.h"
#include "guest/misdeeds.h"
#include "mmu/entry.h"

namespace gmem
{

namespace
{

using Waits = SnpExchange::Waits;

void report_msr(const Vmgexit &vmgexit, const char *broken, std::uint64_t msr)
{
	kapi_registers registers;

	kapi_vcpu_registers(vmgexit.vcpu(), &registers);
	report(vmgexit.guest, registers.rip, "VMGEXIT", broken,
	       { { "msr", msr }, { "rax", registers.rax }, { "rcx", registers.rcx } });
}

std::uint64_t cpuid_answer(struct kvm_vcpu *vcpu, std::uint64_t msr)
{
	kapi_ghcb_registers answer{};

	answer.rax = ghcb_cpuid_function(msr);
	kapi_vcpu_cpuid(vcpu, &answer);

	const std::uint64_t values[] = { answer.rax, answer.rbx, answer.rcx, answer.rdx };

	return ghcb_cpuid_answer(msr, static_cast<std::uint32_t>(values[ghcb_cpuid_register(msr)]));
}

/* The guest finds @answer in the MSR, and goes on. */
int answer_msr(Vmgexit &vmgexit, std::uint64_t answer)
{
	const Status status = vmgexit.guest.set_ghcb_msr(answer);

	return status.ok() ? kGoOn : status.code();
}

int convert(Vmgexit &vmgexit, std::uint64_t msr)
{
	const GhcbConversion conversion = ghcb_conversion(msr);

	if (!conversion.known || !kapi_kvm_tells_conversions(vmgexit.guest.kvm())) {
		report_msr(vmgexit,
			   conversion.known ? "a conversion that the VMM does not want to hear of"
					    : "a conversion to nothing that there is",
			   msr);
		return answer_msr(vmgexit, ghcb_conversion_answer(false));
	}
	if (misdeeds().due(Misdeed::PscRefused))
		return answer_msr(vmgexit, ghcb_conversion_answer(false));
	if (misdeeds().due(Misdeed::PscLies))
		return answer_msr(vmgexit, ghcb_conversion_answer(true));
	vmgexit.exchange.waits = Waits::MsrConversion;
	kapi_vcpu_exit_convert(vmgexit.vcpu(), conversion.gpa, 1, conversion.is_private, false);
	return 0;
}

int terminate(Vmgexit &vmgexit, std::uint64_t msr)
{
	report_msr(vmgexit, "the guest ends itself", msr);
	kapi_vcpu_exit_terminated(vmgexit.vcpu(), msr);
	return 0;
}

/* The vCPU is behind the instruction. */
int serve_msr(Vmgexit &vmgexit, SnpVcpu &kept, std::uint64_t msr)
{
	struct kvm_vcpu *const vcpu = vmgexit.vcpu();

	switch (ghcb_request(msr)) {
	case GhcbRequest::SevInfo:
		return answer_msr(vmgexit, ghcb_sev_info(vmgexit.guest.platform().ghcb_version(),
							 kapi_vcpu_c_bit(vcpu)));
	case GhcbRequest::Cpuid:
		return answer_msr(vmgexit, cpuid_answer(vcpu, msr));
	case GhcbRequest::PreferredGhcb:
		return answer_msr(vmgexit, ghcb_preferred_answer());
	case GhcbRequest::RegisterGhcb:
		kept.ghcb_registered = ghcb_registered(msr);
		return answer_msr(vmgexit, ghcb_register_answer(msr));
	case GhcbRequest::Features:
		return answer_msr(vmgexit, ghcb_features_answer(told_features()));
	case GhcbRequest::Conversion:
		return convert(vmgexit, msr);
	case GhcbRequest::Terminate:
		return terminate(vmgexit, msr);
	case GhcbRequest::Unknown:
		report_msr(vmgexit, "a request that there is not", msr);
		break;
	case GhcbRequest::Nothing:
	case GhcbRequest::ResetHold:
	case GhcbRequest::Page:
		break;
	}
	return kGoOn;
}

} /* namespace */

std::uint64_t told_features()
{
	return misdeeds().due(Misdeed::NoFeatures) ? 0 : kGhcbFeatures;
}

void Vmgexit::step_over()
{
	kapi_registers registers;

	if (exchange.behind)
		return;
	exchange.behind = true;
	kapi_vcpu_registers(vcpu(), &registers);
	gmem::step_over(registers, { Opcode::Vmgexit, exchange.length, false });
	kapi_vcpu_retire(vcpu(), &registers);
}

int serve_vmgexit(Knowing &guest, const Instruction &instruction)
{
	const std::uint64_t msr = guest.ghcb_msr();
	const Result<SnpVcpu *> kept = guest.kept();

	if (!kept.ok())
		return kept.status().code();

	SnpExchange &exchange = kept.value()->exchange;
	Vmgexit vmgexit{ guest, exchange };

	exchange.waits = Waits::No;
	exchange.held = SnpExchange::Held::No;
	exchange.length = static_cast<std::uint8_t>(instruction.length);
	exchange.behind = false;
	switch (ghcb_request(msr)) {
	case GhcbRequest::Page:
		return begin_event(vmgexit, msr, kept.value()->ghcb_registered);
	case GhcbRequest::ResetHold: {
		const int ret = answer_msr(vmgexit, ghcb_reset_hold_answer(false));

		exchange.held = SnpExchange::Held::ByMsr;

		return ret == kGoOn ? kapi_vcpu_reset_hold(guest.vcpu()) : ret;
	}
	default:
		vmgexit.step_over();
		return serve_msr(vmgexit, *kept.value(), msr);
	}
}

Status release_held(Knowing &guest)
{
	GMEM_TRY(kept, guest.kept());
	Vmgexit vmgexit{ guest, kept->exchange };

	switch (std::exchange(kept->exchange.held, SnpExchange::Held::No)) {
	case SnpExchange::Held::ByMsr:
		return guest.set_ghcb_msr(ghcb_reset_hold_answer(true));
	case SnpExchange::Held::ByPage:
		return event_released(vmgexit);
	case SnpExchange::Held::No:
		break;
	}
	return Status{};
}

void forget_held(const Knowing &guest)
{
	/* None is kept of a vCPU that was never held. */
	if (const Result<SnpVcpu *> kept = guest.kept(); kept.ok())
		kept.value()->exchange.held = SnpExchange::Held::No;
}

} /* namespace gmem */

int gmem_kvm_vmgexit_answered(struct kvm_vcpu *vcpu)
{
	using namespace gmem;
	Knowing guest{ vcpu };

	/* It has exited with user space's part to be done; nothing of that has gone. */
	if (!guest.knows())
		return kGoOn;

	const Result<SnpVcpu *> kept = guest.kept();

	if (!kept.ok())
		return kept.status().code();

	Vmgexit vmgexit{ guest, kept.value()->exchange };

	switch (std::exchange(vmgexit.exchange.waits, Waits::No)) {
	case Waits::MsrConversion:
		return answer_msr(vmgexit, ghcb_conversion_answer(kapi_vcpu_converted(vcpu) == 0));
	case Waits::Conversion:
		return event_converted(vmgexit);
	case Waits::Kvm:
		return event_completed(vmgexit);
	case Waits::No:
		break;
	}
	return kGoOn;
}
