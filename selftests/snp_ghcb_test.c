// SPDX-License-Identifier: GPL-2.0-only
/*
 * The GHCB of a guest that knows that it is SNP's, on a machine without SNP: each request of
 * the MSR protocol and each event of the page protocol, used well and badly. Page state changes
 * are in snp_psc_test.c.
 *
 * Tests: guest/vmgexit.cc, guest/events.cc, guest/ghcb.cc, guest/ghcb_msr.cc, kapi/ghcb.c.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "gmem.h"
#include "ghcb.h"
#include "guest.h"
#include "snp.h"

/* ---- the MSR protocol ------------------------------------------------------------------- */

static void test_msr_requests(void)
{
	struct ghcb_guest guest = ghcb_guest(2);
	u32 eax, ebx, ecx, edx;

	/* Behind the launch, which gives the guest no C-bit here. */
	snp_set_c_bit(&guest.vm->vcpus[1], 51);
	CHECK_EQ(ghcb_request(&guest, 0x002), 0x0002000100000001);
	CHECK_EQ(ghcb_request(&guest, 0x010), 0xfffffffffffff011);
	CHECK_EQ(ghcb_request(&guest, 0x7654012), 0x7654013);
	CHECK_EQ(ghcb_request(&guest, 0x080), 0x3081);
	asm volatile("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(0), "c"(0));
	CHECK_EQ(ghcb_request(&guest, 0x40000004), (u64)ebx << 32 | 0x40000005);
	CHECK_EQ(ghcb_request(&guest, 0x80000004), (u64)ecx << 32 | 0x80000005);
	CHECK_EQ(ghcb_request(&guest, 0xc0000004), (u64)edx << 32 | 0xc0000005);
	/* The other vCPU's. */
	guest.vcpu = &guest.vm->vcpus[1];
	CHECK_EQ(ghcb_request(&guest, 0x002), 0x0002000133000001);
	CHECK_EQ(ghcb_request(&guest, 0x8000001f00000004), 0x1a00000005);
	CHECK_EQ(ghcb_request(&guest, 0x8000001f40000004), 0x7340000005);
}

static void test_msr_unknown(void)
{
	static const u64 unknown[] = { 0x7fe, 0x001, 0x016, 0x1234567890abc013, 0x101, 0xfff };
	struct ghcb_guest guest = ghcb_guest(1);
	long reports = gmem_total("platform_reports");

	for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++)
		CHECK_EQ(ghcb_request(&guest, unknown[i]), unknown[i]);
	CHECK_EQ(gmem_total("platform_reports"), reports + (long)ARRAY_SIZE(unknown));
}

static void test_msr_terminate(void)
{
	struct ghcb_guest guest = ghcb_guest(1);

	ghcb_vmgexit(&guest, 0x21100);
	CHECK_EQ(guest.vcpu->error, 0);
	CHECK_EQ(guest.vcpu->run->exit_reason, KVM_EXIT_SYSTEM_EVENT);
	CHECK_EQ(guest.vcpu->run->system_event.type, KVM_SYSTEM_EVENT_SEV_TERM);
	CHECK_EQ(guest.vcpu->run->system_event.data[0], 0x21100);
	/* A VMM that runs it again all the same. */
	MUST(vcpu_run(guest.vcpu));
	ghcb_check_registers(&guest);
}

static void test_msr_reset_hold(void)
{
	struct ghcb_guest guest = ghcb_guest(1);

	ghcb_vmgexit(&guest, 0x006);
	CHECK_EQ(guest.vcpu->run->exit_reason, KVM_EXIT_AP_RESET_HOLD);
	MUST(vcpu_run(guest.vcpu));
	ghcb_check_registers(&guest);
	CHECK_EQ(guest.frame->msr, 0x007);
}

/* ---- the page --------------------------------------------------------------------------- */

static void test_pages_that_are_none(void)
{
	struct ghcb_guest guest = ghcb_guest(1);
	struct kvm_regs regs;

	/* Private, or no memory: the guest goes on, and nothing has happened. */
	MUST(ghcb_vmgexit(&guest, BLOCK));
	ghcb_check_registers(&guest);
	MUST(ghcb_vmgexit(&guest, NOWHERE));
	MUST(ghcb_vmgexit(&guest, ~0UL << 12));
	CHECK_EQ(guest.frame->msr, ~0UL << 12);
	MUST(ghcb_vmgexit(&guest, 0));
	/* Not registered. */
	ghcb_prepare(&guest, HV_FEATURES, 0, 0);
	ghcb_vmgexit(&guest, GHCB);
	CHECK_EQ(guest.vcpu->error, EINVAL);
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_REGS, &regs));
	CHECK_EQ(regs.rax, 0x1111);
	CHECK_EQ(ghcb_field(&guest, INFO_2), 0);
	/* Another one is; and then this one, which a second vCPU has not. */
	CHECK_EQ(ghcb_request(&guest, (GHCB + PAGE_SIZE) | 0x012), (GHCB + PAGE_SIZE) | 0x013);
	ghcb_vmgexit(&guest, GHCB);
	CHECK_EQ(guest.vcpu->error, EINVAL);
	CHECK_EQ(ghcb_request(&guest, GHCB | 0x012), GHCB | 0x013);
	ghcb_must(&guest, 0, 3);
}

/* A page of guest_memfd's, where it is shared. */
static void test_page_that_was_private(void)
{
	struct ghcb_guest guest = ghcb_guest(1);
	u64 value;

	CHECK_EQ(ghcb_request(&guest, BLOCK | 0x012), BLOCK | 0x013);
	MUST(guest_write(guest.vcpu, BLOCK + EVENT, 8, HV_FEATURES));
	MUST(guest_write(guest.vcpu, BLOCK + BITMAP + 14, 2, 0x001c));
	MUST(ghcb_vmgexit(&guest, BLOCK));
	/* What the guest has there, nobody has looked at. */
	MUST(guest_check_zero(guest.vcpu, BLOCK + INFO_2, 8));
	vm_make_shared(guest.vm, BLOCK, PAGE_SIZE);
	MUST(guest_write(guest.vcpu, BLOCK + EVENT, 8, HV_FEATURES));
	MUST(guest_write(guest.vcpu, BLOCK + BITMAP + 14, 2, 0x001c));
	MUST(ghcb_vmgexit(&guest, BLOCK));
	MUST(guest_read(guest.vcpu, BLOCK + INFO_2, 8, &value));
	CHECK_EQ(value, 3);
}

static void test_malformed_pages(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);
	long reports;

	ghcb_prepare(&guest, HV_FEATURES, 0, 0);
	ghcb_must(&guest, 0, 3);
	ghcb_prepare(&guest, HV_FEATURES, 0, 0);
	guest.ghcb[USAGE] = 1;
	ghcb_must(&guest, 2, ERR_USAGE);
	/* Nothing is valid. */
	ghcb_prepare(&guest, HV_FEATURES, 0, 0);
	memset(guest.ghcb + BITMAP, 0, 16);
	ghcb_must(&guest, 2, ERR_MISSING);
	ghcb_prepare(&guest, CPUID, 0, 0);
	ghcb_set(&guest, RAX, 0xd);
	ghcb_set(&guest, RCX, 0);
	ghcb_must(&guest, 2, ERR_MISSING);
	for (unsigned int i = 0; i < 2; i++) {
		static const u64 events[] = { 0x80000017, 0x80000018 };

		ghcb_prepare(&guest, events[i], 0, 0);
		ghcb_set(&guest, RAX, 1);
		ghcb_must(&guest, 2, ERR_EVENT);
	}
	/* A version that was not agreed on is for the log alone. */
	reports = gmem_total("platform_reports");
	ghcb_prepare(&guest, HV_FEATURES, 0, 0);
	guest.ghcb[VERSION] = 3;
	ghcb_must(&guest, 0, 3);
	CHECK_EQ(gmem_total("platform_reports"), reports + 1);
}

static void test_cpuid(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);
	u32 eax, ebx, ecx, edx;

	asm volatile("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(0), "c"(0));
	ghcb_prepare(&guest, CPUID, 0, 0);
	ghcb_set(&guest, RAX, 0);
	ghcb_set(&guest, RCX, 0);
	ghcb_must(&guest, 0, 0);
	CHECK_EQ(ghcb_field(&guest, RBX), ebx);
	CHECK_EQ(ghcb_field(&guest, RCX), ecx);
	CHECK_EQ(ghcb_field(&guest, RDX), edx);
}

static void test_events_without_work(void)
{
	static const u64 events[] = { INVD, WBINVD, MONITOR, MWAIT, NMI_COMPLETE };
	struct ghcb_guest guest = ghcb_registered_guest(1);
	u64 tsc;

	for (unsigned int i = 0; i < ARRAY_SIZE(events); i++) {
		ghcb_prepare(&guest, events[i], 0, 0);
		ghcb_set(&guest, RAX, 1);
		ghcb_set(&guest, RCX, 2);
		ghcb_set(&guest, RDX, 3);
		ghcb_must(&guest, 0, 0);
		CHECK_EQ(ghcb_field(&guest, RAX), 1);
	}
	ghcb_prepare(&guest, RDTSC, 0, 0);
	ghcb_must(&guest, 0, 0);
	tsc = ghcb_field(&guest, RAX) | ghcb_field(&guest, RDX) << 32;
	ghcb_prepare(&guest, RDTSCP, 0, 0);
	ghcb_must(&guest, 0, 0);
	CHECK((ghcb_field(&guest, RAX) | ghcb_field(&guest, RDX) << 32) > tsc,
	      "time goes backwards");
	CHECK(tsc, "there is no time");
	ghcb_prepare(&guest, DR7_READ, 0, 0);
	ghcb_must(&guest, 0, 0);
	CHECK_EQ(ghcb_field(&guest, RAX), 0x400);
	ghcb_prepare(&guest, DR7_WRITE, 0, 0);
	ghcb_set(&guest, RAX, 1UL << 32);
	ghcb_must(&guest, 1, INJECT_GP);
	ghcb_prepare(&guest, DR7_WRITE, 0, 0);
	ghcb_set(&guest, RAX, 0x400);
	ghcb_must(&guest, 0, 0);
	/* No such counter. */
	ghcb_prepare(&guest, RDPMC, 0, 0);
	ghcb_set(&guest, RCX, 0x12345);
	ghcb_must(&guest, 1, INJECT_GP);
	ghcb_prepare(&guest, GUEST_REQUEST, BLOCK, BLOCK + PAGE_SIZE);
	ghcb_must(&guest, 2, ERR_INPUT); /* private */
	ghcb_prepare(&guest, EXT_REQUEST, BLOCK, BLOCK);
	ghcb_must(&guest, 2, ERR_MISSING);
}

static void test_ends(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);

	ghcb_prepare(&guest, RESET_HOLD, 0, 0);
	ghcb_must_exit(&guest, KVM_EXIT_AP_RESET_HOLD);
	ghcb_must_go_on(&guest, 0, 0);
	ghcb_prepare(&guest, TERMINATE, 0x21, 5);
	ghcb_must_exit(&guest, KVM_EXIT_SYSTEM_EVENT);
	CHECK_EQ(guest.vcpu->run->system_event.type, KVM_SYSTEM_EVENT_SEV_TERM);
	CHECK_EQ(guest.vcpu->run->system_event.data[0], GHCB);
	ghcb_must_go_on(&guest, 0, 0);
	ghcb_prepare(&guest, UNSUPPORTED, 0x78, 0);
	ghcb_vmgexit(&guest, GHCB);
	CHECK_EQ(guest.vcpu->error, EINVAL);
}

/* ---- I/O -------------------------------------------------------------------------------- */

static void test_port_io(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);

	for (unsigned int size = 1; size <= 4; size *= 2) {
		u64 mask = (1UL << 8 * size) - 1, value = 0xa1b2c3d4e5f60718, got = 0;

		ghcb_prepare(&guest, IOIO, IO_PORT(PORT) | IO_SIZE(size), 0);
		ghcb_set(&guest, RAX, value);
		ghcb_must_exit(&guest, KVM_EXIT_IO);
		memcpy(&got, ghcb_io_data(&guest, size, 1, false), size);
		CHECK_EQ(got, value & mask);
		ghcb_must_go_on(&guest, 0, 0);
		/* What an input leaves of RAX is the processor's rule. */
		ghcb_prepare(&guest, IOIO, IO_PORT(PORT) | IO_SIZE(size) | IO_IN, 0);
		ghcb_set(&guest, RAX, value);
		ghcb_must_exit(&guest, KVM_EXIT_IO);
		got = 0x0123456789abcdef;
		memcpy(ghcb_io_data(&guest, size, 1, true), &got, size);
		ghcb_must_go_on(&guest, 0, 0);
		CHECK_EQ(ghcb_field(&guest, RAX), (size < 4 ? value & ~mask : 0) | (got & mask));
	}
	ghcb_prepare(&guest, IOIO, IO_PORT(PORT) | IO_SIZE(0), 0);
	ghcb_set(&guest, RAX, 1);
	ghcb_must(&guest, 0, 0);
	ghcb_prepare(&guest, IOIO, IO_PORT(PORT) | IO_SIZE(3), 0);
	ghcb_set(&guest, RAX, 1);
	ghcb_must(&guest, 2, ERR_INPUT);
}

static void test_string_io(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);
	u64 out = IO_PORT(PORT) | IO_SIZE(2) | IO_STRING, in = out | IO_IN;

	ghcb_prepare(&guest, IOIO, out, 5);
	ghcb_set(&guest, SCRATCH, BUFFER);
	memcpy(guest.ghcb + 0x800, "0123456789", 11);
	ghcb_must_exit(&guest, KVM_EXIT_IO);
	CHECK(!memcmp(ghcb_io_data(&guest, 2, 5, false), "0123456789", 10), "another string");
	ghcb_must_go_on(&guest, 0, 0);
	ghcb_prepare(&guest, IOIO, in, 5);
	ghcb_set(&guest, SCRATCH, BUFFER + 0x100);
	ghcb_must_exit(&guest, KVM_EXIT_IO);
	memcpy(ghcb_io_data(&guest, 2, 5, true), "abcdefghij", 10);
	ghcb_must_go_on(&guest, 0, 0);
	CHECK(!memcmp(guest.ghcb + 0x8ff, "\0abcdefghij\0", 12), "it is not where it should be");
	/* All of the buffer; one more; nothing; more than can be counted. */
	ghcb_prepare(&guest, IOIO, in, 0x7f0 / 2);
	ghcb_set(&guest, SCRATCH, BUFFER);
	ghcb_must_exit(&guest, KVM_EXIT_IO);
	memset(ghcb_io_data(&guest, 2, 0x7f0 / 2, true), 0x42, 0x7f0);
	ghcb_must_go_on(&guest, 0, 0);
	CHECK_EQ(guest.ghcb[0x800] + guest.ghcb[0xfef] + guest.ghcb[0xff0], 0x84);
	ghcb_prepare(&guest, IOIO, in, 0x7f0 / 2 + 1);
	ghcb_set(&guest, SCRATCH, BUFFER);
	ghcb_must(&guest, 2, ERR_SCRATCH);
	ghcb_prepare(&guest, IOIO, in, 0);
	ghcb_set(&guest, SCRATCH, BUFFER);
	ghcb_must(&guest, 0, 0);
	ghcb_prepare(&guest, IOIO, out, 1UL << 63 | 1);
	ghcb_set(&guest, SCRATCH, BUFFER);
	ghcb_must(&guest, 2, ERR_SCRATCH);
	/* Elsewhere. */
	for (unsigned int i = 0; i < 4; i++) {
		static const u64 elsewhere[] = { 0, GHCB, BLOCK, BUFFER + 0x7e8 };

		ghcb_prepare(&guest, IOIO, in, 5);
		ghcb_set(&guest, SCRATCH, elsewhere[i]);
		ghcb_must(&guest, 2, ERR_SCRATCH);
	}
}

static void test_mmio(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);

	ghcb_prepare(&guest, MMIO_READ, NOWHERE + 8, 4);
	ghcb_set(&guest, SCRATCH, BUFFER);
	memset(guest.ghcb + 0x800, 0xee, 16);
	ghcb_must_exit(&guest, KVM_EXIT_MMIO);
	CHECK_EQ(guest.vcpu->gpa, NOWHERE + 8);
	CHECK_EQ(guest.vcpu->size, 4);
	CHECK(!guest.vcpu->is_write, "a read is a write");
	vcpu_mmio_answer(guest.vcpu, 0x12345678);
	ghcb_must_go_on(&guest, 0, 0);
	CHECK_EQ(ghcb_field(&guest, 0x800), 0xeeeeeeee12345678);
	ghcb_prepare(&guest, MMIO_WRITE, NOWHERE, 8);
	ghcb_set(&guest, SCRATCH, BUFFER + 0x7e8);
	memcpy(guest.ghcb + 0xfe8, "01234567", 8);
	ghcb_must_exit(&guest, KVM_EXIT_MMIO);
	CHECK(guest.vcpu->is_write, "a write is a read");
	CHECK_EQ(guest.vcpu->data, 0x3736353433323130);
	ghcb_must_go_on(&guest, 0, 0);
	ghcb_prepare(&guest, MMIO_READ, NOWHERE, 9);
	ghcb_set(&guest, SCRATCH, BUFFER);
	ghcb_must(&guest, 2, ERR_INPUT);
	ghcb_prepare(&guest, MMIO_READ, NOWHERE, 8);
	ghcb_set(&guest, SCRATCH, BUFFER + 0x7e9);
	ghcb_must(&guest, 2, ERR_SCRATCH);
	ghcb_prepare(&guest, MMIO_WRITE, NOWHERE, 0);
	ghcb_set(&guest, SCRATCH, BUFFER);
	ghcb_must(&guest, 0, 0);
	ghcb_prepare(&guest, MMIO_WRITE, NOWHERE, 4);
	ghcb_must(&guest, 2, ERR_MISSING);
}

/* ---- MSRs and hypercalls ---------------------------------------------------------------- */

#define MSR_STAR	0xc0000081UL
#define MSR_NOTHING	0x12340000UL

static void test_msrs(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);

	ghcb_prepare(&guest, MSR, 1, 0);
	ghcb_set(&guest, RCX, MSR_STAR);
	ghcb_set(&guest, RAX, 0x89abcdef);
	ghcb_set(&guest, RDX, 0x1234567);
	ghcb_must(&guest, 0, 0);
	ghcb_prepare(&guest, MSR, 0, 0);
	ghcb_set(&guest, RCX, MSR_STAR);
	ghcb_must(&guest, 0, 0);
	CHECK_EQ(ghcb_field(&guest, RAX), 0x89abcdef);
	CHECK_EQ(ghcb_field(&guest, RDX), 0x1234567);
	/* #GP is for the guest's handler to raise. */
	for (u64 write = 0; write < 2; write++) {
		ghcb_prepare(&guest, MSR, write, 0);
		ghcb_set(&guest, RCX, MSR_NOTHING);
		ghcb_set(&guest, RAX, 1);
		ghcb_set(&guest, RDX, 1);
		ghcb_must(&guest, 1, INJECT_GP);
	}
}

/* User space has what KVM has not. */
static void test_msrs_of_user_space(void)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_USER_SPACE_MSR,
		.args = { KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_INVAL },
	};
	struct ghcb_guest guest = ghcb_registered_guest(1);
	struct kvm_run *run = guest.vcpu->run;
	struct kvm_regs regs;

	CHECK_OK(ioctl(guest.vm->fd, KVM_ENABLE_CAP, &cap));
	ghcb_prepare(&guest, MSR, 0, 0);
	ghcb_set(&guest, RCX, MSR_NOTHING);
	ghcb_must_exit(&guest, KVM_EXIT_X86_RDMSR);
	CHECK_EQ(run->msr.index, MSR_NOTHING);
	/* The registers are the guest's own meanwhile, and user space may change them. */
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_REGS, &regs));
	CHECK_EQ(regs.rcx, 0x2222);
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_SET_REGS, &regs));
	run->msr.data = 0xfedcba9876543210;
	run->msr.error = 0;
	ghcb_must_go_on(&guest, 0, 0);
	CHECK_EQ(ghcb_field(&guest, RAX), 0x76543210);
	CHECK_EQ(ghcb_field(&guest, RDX), 0xfedcba98);
	ghcb_prepare(&guest, MSR, 1, 0);
	ghcb_set(&guest, RCX, MSR_NOTHING);
	ghcb_set(&guest, RAX, 0x11);
	ghcb_set(&guest, RDX, 0x22);
	ghcb_must_exit(&guest, KVM_EXIT_X86_WRMSR);
	CHECK_EQ(run->msr.data, 0x2200000011);
	run->msr.error = 1;
	ghcb_must_go_on(&guest, 1, INJECT_GP);
}

static void test_hypercalls(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);

	ghcb_prepare(&guest, VMMCALL, 0, 0);
	ghcb_set(&guest, RAX, 12345);
	ghcb_set(&guest, CPL, 0);
	ghcb_must(&guest, 0, 0);
	CHECK_EQ(ghcb_field(&guest, RAX), -1000);
	/* Users may not. */
	ghcb_prepare(&guest, VMMCALL, 0, 0);
	ghcb_set(&guest, RAX, 12345);
	ghcb_set(&guest, CPL, 3);
	ghcb_must(&guest, 0, 0);
	CHECK_EQ(ghcb_field(&guest, RAX), -1);
	/* One that user space answers. */
	vm_enable_map_gpa_exit(guest.vm);
	ghcb_prepare(&guest, VMMCALL, 0, 0);
	ghcb_set(&guest, RAX, KVM_HC_MAP_GPA_RANGE);
	ghcb_set(&guest, RBX, BLOCK);
	ghcb_set(&guest, RCX, 1);
	ghcb_set(&guest, RDX, MAP_PRIVATE_4K);
	ghcb_set(&guest, CPL, 0);
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, GHCB), BLOCK, 1, MAP_PRIVATE_4K);
	guest.vcpu->run->hypercall.ret = 77;
	ghcb_must_go_on(&guest, 0, 0);
	CHECK_EQ(ghcb_field(&guest, RAX), 77);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_msr_requests),
		TAP_TEST(test_msr_unknown),
		TAP_TEST(test_msr_terminate),
		TAP_TEST(test_msr_reset_hold),
		TAP_TEST(test_pages_that_are_none),
		TAP_TEST(test_page_that_was_private),
		TAP_TEST(test_malformed_pages),
		TAP_TEST(test_cpuid),
		TAP_TEST(test_events_without_work),
		TAP_TEST(test_ends),
		TAP_TEST(test_port_io),
		TAP_TEST(test_string_io),
		TAP_TEST(test_mmio),
		TAP_TEST(test_msrs),
		TAP_TEST(test_msrs_of_user_space),
		TAP_TEST(test_hypercalls),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
