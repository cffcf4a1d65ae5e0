// SPDX-License-Identifier: GPL-2.0-only
/*
 * Launch of a VM of SNP's type by KVM's own commands, on the model of its firmware: their
 * order, arguments and errors are those of KVM's code for hardware. Inside it is a
 * software-protected VM. What the firmware does is in arch/x86/snp_model.cc.
 */
#include "mmu/sev.h"

#include <algorithm>

#include <uapi/gmem.h>

#include "arch/x86/snp_platform.h"
#include "gmem/guard.h"
#include "gmem/trace.h"
#include "kapi/guest.h"
#include "kapi/sev.h"
#include "mmu/c_bit.h"
#include "mmu/launch.h"

namespace gmem
{

namespace
{

/* Of SVM_SEV_FEAT_*. */
constexpr std::uint64_t kFeatureSnp = 1;
/* Version 2 of the protocol is the last. */
constexpr unsigned kGhcbVersionMax = 2;

/* Bits of a guest's policy; those of ABI versions are the lowest 16. */
constexpr std::uint64_t kPolicySmt = 1 << 16;
constexpr std::uint64_t kPolicyMustBeOne = 1 << 17;
constexpr std::uint64_t kPolicyDebug = 1 << 19;
constexpr std::uint64_t kPolicySingleSocket = 1 << 20;
constexpr std::uint64_t kPolicyKnown = 0xffff | kPolicySmt | kPolicyMustBeOne | kPolicyDebug |
				       kPolicySingleSocket;

/* The lock that lets one command in at a time. */
using CommandLock = Guard<struct kvm, kapi_kvm_lock, kapi_kvm_unlock>;

/* One command: what it is about, and how the firmware answered. */
struct Command {
	struct kvm *vm;
	SnpPlatform &platform;
	kapi_sev_cmd cmd;
	kapi_u64 pages_done = 0;

	/* -EFAULT. */
	template <class T> Status read(T &args) const
	{
		return Status{ kapi_user_read(&args, reinterpret_cast<void *>(cmd.data),
					      sizeof(args)) };
	}
	template <class T> Status write(const T &args) const
	{
		return Status{ kapi_user_write(reinterpret_cast<void *>(cmd.data), &args,
					       sizeof(args)) };
	}
	/* The firmware is reached by the descriptor that the command names. */
	Status reach_firmware() const
	{
		return kapi_sev_node_is(cmd.sev_fd) ? Status{} : error(EBADF);
	}
	void note(SnpStatus status) { cmd.error = static_cast<unsigned>(status); }
};

/* Whatever the platform was too busy for can be tried again. */
Status try_again_if_busy(Status status)
{
	return status == error(EBUSY) ? error(EAGAIN) : status;
}

Status init(Command &command)
{
	kapi_sev_init args;

	if (command.platform.initialized())
		return error(EINVAL);
	GMEM_CHECK(command.read(args));
	/* KVM sets the bit itself, and lets nobody ask for it: who does knows the model. */
	const bool knowing = args.vmsa_features == kFeatureSnp ||
			     kapi_setting_snp_guests() != KAPI_SNP_GUESTS_ASKED;

	if (kapi_kvm_vcpus(command.vm) != 0 || args.flags || (args.vmsa_features & ~kFeatureSnp) ||
	    (knowing && !kapi_guests_can_know()) || args.ghcb_version > kGhcbVersionMax)
		return error(EINVAL);
	return command.platform.init(kFeatureSnp, args.ghcb_version, knowing);
}

bool policy_ok(std::uint64_t policy)
{
	constexpr std::uint64_t kNeeded = kPolicyMustBeOne | kPolicySmt;

	return !(policy & ~kPolicyKnown) && (policy & kNeeded) == kNeeded &&
	       !(policy & kPolicySingleSocket);
}

Status start(Command &command)
{
	kapi_snp_start args;
	SnpLaunchStart operands;
	SnpStatus status{};

	if (!command.platform.initialized())
		return error(ENOTTY);
	GMEM_CHECK(command.read(args));
	if (command.platform.started() || args.flags || !policy_ok(args.policy))
		return error(EINVAL);
	GMEM_CHECK(command.reach_firmware());
	operands.policy = args.policy;
	std::copy_n(args.gosvw, operands.gosvw.size(), operands.gosvw.begin());

	const Status result = command.platform.start(operands, status);

	command.note(status);
	return result;
}

/* VMSAs are not for user space to give. */
bool type_ok(unsigned type)
{
	return snp_page_type_known(type) && type != GMEM_PAGE_VMSA;
}

/* A page without content has no source; the others must have one. */
bool source_ok(const kapi_snp_update &args)
{
	return args.type == GMEM_PAGE_ZERO || (args.uaddr && args.uaddr % kPageSize == 0);
}

Status update(Command &command)
{
	kapi_snp_update args;

	if (!command.platform.started())
		return error(EINVAL);
	GMEM_CHECK(command.read(args));
	if (!args.len || args.len % kPageSize || args.flags || !type_ok(args.type) ||
	    !source_ok(args))
		return error(EINVAL);

	/* To the firmware each page is a command of its own. */
	const bool zero = args.type == GMEM_PAGE_ZERO;
	LaunchPages pages{ command.vm,
			   nullptr,
			   Gfn{ args.gfn_start },
			   args.len / kPageSize,
			   reinterpret_cast<void *>(zero ? 0 : args.uaddr),
			   { .type = args.type, .pages = 1, .measure = true } };

	/* It is reached a page at a time. */
	if (!command.reach_firmware().ok())
		return error(EIO);

	const long done = launch_pages(pages);

	if (!pages.found)
		return Status{ static_cast<int>(done) };
	if (done < 0) {
		command.cmd.error = static_cast<unsigned>(pages.content.firmware_error);
		return done == -EBUSY ? error(EAGAIN) : error(EIO);
	}
	command.pages_done = static_cast<std::uint64_t>(done);
	args.gfn_start += command.pages_done;
	args.len -= command.pages_done * kPageSize;
	if (!zero)
		args.uaddr += command.pages_done * kPageSize;
	return command.write(args);
}

/* Has the platform keep the save areas of @vcpus vCPUs, in the order in which these were made. */
Status read_vcpus(Command &command, int vcpus)
{
	using SaveArea = std::array<std::uint8_t, kPageSize>;
	GMEM_TRY(area, make<SaveArea>());

	for (int nr = vcpus; nr-- > 0;) {
		GMEM_CHECK(Status{ kapi_kvm_vmsa(command.vm, static_cast<unsigned>(nr),
						 command.platform.vmsa_features(), area->data()) });
		GMEM_CHECK(command.platform.push_vmsa(*area));
	}
	return Status{};
}

/*
 * None is measured before all have been read, and none twice: hardware would have encrypted
 * it by then.
 */
Status measure_vcpus(Command &command)
{
	const int vcpus = kapi_kvm_vcpus(command.vm);
	SnpStatus status{};

	if (vcpus <= 0)
		return Status{ vcpus };
	if (command.platform.vmsas_measured())
		return error(EINVAL);
	/* Of a finish that failed before. */
	command.platform.drop_vmsas();
	GMEM_CHECK(read_vcpus(command, vcpus));

	const Status measured = command.platform.measure_vmsas(status);

	command.note(status);
	return try_again_if_busy(measured);
}

/* The ID block that @args names; none if it is not to count. */
Result<Own<IdBlock>> read_id_block(const kapi_snp_finish &args)
{
	if (!args.id_block_en)
		return Own<IdBlock>{};

	GMEM_TRY(id, make<IdBlock>());
	const auto read = [](auto &to, kapi_u64 from) {
		return Status{ kapi_user_read(to.data(), reinterpret_cast<void *>(from),
					      to.size()) };
	};

	GMEM_CHECK(read(id->block, args.id_block_uaddr));
	GMEM_CHECK(read(id->auth, args.id_auth_uaddr));
	id->author = args.auth_key_en;
	return id;
}

Status finish(Command &command)
{
	kapi_snp_finish args;
	SnpLaunchFinish operands;
	SnpStatus status{};

	if (!command.platform.initialized())
		return error(ENOTTY);
	if (!command.platform.started())
		return error(EINVAL);
	GMEM_CHECK(command.read(args));
	if (args.flags)
		return error(EINVAL);
	GMEM_CHECK(command.reach_firmware());
	if (command.platform.knowing())
		GMEM_CHECK(give_c_bit(command.vm));
	GMEM_CHECK(measure_vcpus(command));

	GMEM_TRY(id, read_id_block(args));
	operands.id_block = id.get();
	operands.vcek_disabled = args.vcek_disabled;
	std::copy_n(args.host_data, operands.host_data.size(), operands.host_data.begin());

	const Status result = command.platform.finish(operands, status);

	command.note(status);
	if (result.ok())
		kapi_kvm_launched(command.vm);
	return result;
}

/* What KVM has no function for, whatever the VM. */
bool command_known(unsigned id)
{
	switch (id) {
	case KAPI_SEV_SEND_UPDATE_VMSA:
	case KAPI_SEV_RECEIVE_UPDATE_VMSA:
	case KAPI_SEV_CERT_EXPORT:
		return false;
	default:
		return id <= KAPI_SEV_INIT2;
	}
}

/* A command of SEV's before SNP. */
Status older(Command &command)
{
	if (command.platform.initialized())
		return error(EPERM);
	if (command.cmd.id < KAPI_SEV_LAUNCH_START || !command_known(command.cmd.id))
		return error(EINVAL);
	return error(ENOTTY);
}

/* @told: the firmware's answer is for user space to read. */
Status dispatch(Command &command, bool &told)
{
	told = true;
	switch (command.cmd.id) {
	case KAPI_SNP_LAUNCH_START:
		return start(command);
	case KAPI_SNP_LAUNCH_UPDATE:
		return update(command);
	case KAPI_SNP_LAUNCH_FINISH:
		return finish(command);
	case KAPI_SEV_INIT2:
		if (!command.platform.initialized())
			return init(command);
		break;
	}
	told = false;
	return command.cmd.id < KAPI_SNP_LAUNCH_START ? older(command) : error(EINVAL);
}

kapi_launch phase_of(unsigned id)
{
	switch (id) {
	case KAPI_SNP_LAUNCH_START:
		return KAPI_LAUNCH_START;
	case KAPI_SNP_LAUNCH_UPDATE:
		return KAPI_LAUNCH_POPULATE;
	case KAPI_SNP_LAUNCH_FINISH:
		return KAPI_LAUNCH_FINISH;
	default:
		return KAPI_LAUNCH_INIT;
	}
}

/* dispatch(), with its tracepoint if it is a command of a launch. */
Status traced_dispatch(Command &command, bool &told)
{
	return traced(
		KAPI_TRACE_LAUNCH, [&] { return dispatch(command, told); },
		[&](Status status, std::uint64_t ns) {
			const kapi_event_launch event{ command.vm,	   phase_of(command.cmd.id),
						       command.pages_done, command.cmd.error,
						       status.code(),	   ns };

			if (told)
				kapi_trace_launch(nullptr, &event);
		});
}

} /* namespace */

long serve_sev_command(struct kvm *kvm, unsigned long arg)
{
	void *const user = reinterpret_cast<void *>(arg);
	kapi_sev_cmd cmd;
	bool told;

	/* Whether there is SEV. */
	if (!user)
		return 0;
	if (kapi_user_read(&cmd, user, sizeof(cmd)) != 0)
		return -EFAULT;

	const SnpPlatformRef platform = snp_platform_of(kvm);
	const CommandLock lock{ kvm };

	if (!platform.get())
		return -ENOTTY;

	Command command{ kvm, *platform.get(), cmd };
	const Status status = traced_dispatch(command, told);

	if (told && kapi_user_write(user, &command.cmd, sizeof(command.cmd)) != 0)
		return -EFAULT;
	return status.code();
}

long serve_sev_region(struct kvm *kvm, unsigned long arg, bool add)
{
	kapi_enc_region region;
	const SnpPlatformRef platform = snp_platform_of(kvm);

	if (kapi_user_read(&region, reinterpret_cast<void *>(arg), sizeof(region)) != 0)
		return -EFAULT;

	const CommandLock lock{ kvm };

	if (!platform.get() || !platform.get()->initialized())
		return -ENOTTY;
	return add ? kapi_sev_region_add(kvm, region.addr, region.size)
		   : kapi_sev_region_remove(kvm, region.addr, region.size);
}

Status make_snp_vm(struct kvm *kvm)
{
	/* First, as nothing undoes what KVM does. */
	GMEM_CHECK(ModelVm::of(kvm, SnpPlatform::create_for_commands));

	const Status status{ kapi_stock_init_vm(kvm, KAPI_VM_DEFAULT) };

	if (!status.ok()) {
		ModelVm::vm_gone(kvm);
		return status;
	}
	kapi_kvm_make_snp_model(kvm);
	return Status{};
}

void snp_vm_gone(struct kvm *kvm)
{
	kapi_sev_regions_drop(kvm);
	ModelVm::vm_gone(kvm);
}

} /* namespace gmem */
