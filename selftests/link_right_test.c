// SPDX-License-Identifier: GPL-2.0-only
/*
 * The right to a VM's memory. A descriptor, which device backends are handed, is not
 * enough to link the memory to another VM or to convert it. The right to trace the VMM
 * is enough. Once the VMM is gone, it takes CAP_SYS_PTRACE.
 *
 * Tests: mmu/link.cc.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fds.h"
#include "gmem.h"
#include "guest.h"

#define FILE_SIZE	(2 * SZ_2M)
#define NOBODY		65534
#define PTRACE_SCOPE	"/proc/sys/kernel/yama/ptrace_scope"

/* What the taker tells the VMM to expect of its memory. */
enum { STAYS = 's', GONE = 'g' };

struct vmm {
	uid_t uid;
	bool dumpable;
	bool dead; /* before its memory is asked for */
	bool names_its_tracer;
};

static void become(uid_t uid)
{
	CHECK_OK(setresgid(uid, uid, uid));
	CHECK_OK(setresuid(uid, uid, uid));
}

/* The VMM: fills memory, hands it over, and looks at what it has left. */
static void run_vmm(const struct vmm *vmm, int peer)
{
	struct vm *vm = vm_create_private(1);
	int fd = gmem_add_mappable(vm, FILE_SIZE, PRIVATE_AT_FIRST);
	char verdict = 0;
	u64 value;

	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	become(vmm->uid);
	CHECK_OK(prctl(PR_SET_DUMPABLE, vmm->dumpable));
	if (vmm->names_its_tracer)
		CHECK_OK(prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY));
	fd_send(peer, fd);
	if (vmm->dead)
		return;
	CHECK_EQ(read(peer, &verdict, 1), 1);
	if (verdict == STAYS)
		MUST(guest_check(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	else
		CHECK_EQ(guest_read(&vm->vcpus[0], TEST_GPA, 8, &value), EXIT_MEMORY_FAULT);
}

static void run_taker(uid_t uid, int expected, int peer)
{
	struct vm *vm = vm_create_private(1);
	struct kvm_link_guest_memfd args = { 0 };
	int fd = fd_receive(peer), to;
	const char verdict = expected ? STAYS : GONE;
	char *p = gmem_map(fd, 0, FILE_SIZE);

	args.fd = fd;
	become(uid);
	if (expected) {
		CHECK_ERRNO(ioctl(vm->fd, KVM_LINK_GUEST_MEMFD, &args), -expected);
		CHECK_EQ(gmem_convert(fd, 0, FILE_SIZE, 0, NULL), expected);
		CHECK(mem_is_hidden(p) && mem_is_hidden(p + SZ_2M), "it can be read");
	} else {
		/* A page there and back: converted pages keep their content. */
		MUST(gmem_convert(fd, SZ_1M, PAGE_SIZE, 0, NULL));
		CHECK(mem_holds(p + SZ_1M, TEST_GPA + SZ_1M, PAGE_SIZE, 1), "other content");
		MUST(gmem_convert(fd, SZ_1M, PAGE_SIZE, KVM_MEMORY_ATTRIBUTE_PRIVATE, NULL));
		to = ioctl(vm->fd, KVM_LINK_GUEST_MEMFD, &args);
		CHECK(to >= 0, "link: %m");
		gmem_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, to, 0);
		MUST(guest_check(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	}
	/* A VMM that is gone does not read it. */
	send(peer, &verdict, 1, MSG_NOSIGNAL);
}

static void wait_for(pid_t pid, const char *who)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(status == 0, "the %s ended with status %#x", who, status);
}

/* @uid asks for the memory of @vmm: 0, or -EPERM and all is as before. */
static void take(struct vmm vmm, uid_t uid, int expected)
{
	int sockets[2];
	pid_t owner, taker;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	owner = fork();
	if (!owner) {
		run_vmm(&vmm, sockets[0]);
		_exit(0);
	}
	if (vmm.dead)
		wait_for(owner, "VMM");
	taker = fork();
	if (!taker) {
		run_taker(uid, expected, sockets[1]);
		_exit(0);
	}
	wait_for(taker, "taker");
	if (!vmm.dead)
		wait_for(owner, "VMM");
	close(sockets[0]);
	close(sockets[1]);
}

static void test_the_same_user(void)
{
	take((struct vmm){ .uid = 0, .dumpable = true }, 0, 0);
	take((struct vmm){ .uid = NOBODY, .dumpable = true }, NOBODY, 0);
}

static void test_another_user(void)
{
	take((struct vmm){ .uid = 0, .dumpable = true }, NOBODY, -EPERM);
	take((struct vmm){ .uid = NOBODY - 1, .dumpable = true }, NOBODY, -EPERM);
	/* Root may. */
	take((struct vmm){ .uid = NOBODY, .dumpable = true }, 0, 0);
}

static void test_not_dumpable(void)
{
	take((struct vmm){ .uid = NOBODY }, NOBODY, -EPERM);
	take((struct vmm){ .uid = NOBODY }, 0, 0);
}

static void test_the_vmm_is_gone(void)
{
	take((struct vmm){ .uid = NOBODY, .dumpable = true, .dead = true }, NOBODY, -EPERM);
	take((struct vmm){ .uid = 0, .dumpable = true, .dead = true }, NOBODY, -EPERM);
	take((struct vmm){ .uid = NOBODY, .dumpable = true, .dead = true }, 0, 0);
}

/* The process lives on, but the memory that made the VM is gone by exec. */
static void test_the_vmm_runs_another_program(void)
{
	struct vm *own = vm_create_private(0);
	int fd[2], sockets[2];
	struct kvm_link_guest_memfd args = { 0 };
	pid_t owner, taker;
	char byte;

	CHECK_OK(pipe2(fd, O_CLOEXEC));
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	owner = fork();
	if (!owner) {
		struct vm *vm = vm_create_private(1);

		fd_send(sockets[0], gmem_add_mappable(vm, FILE_SIZE, PRIVATE_AT_FIRST));
		become(NOBODY);
		execlp("sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	args.fd = fd_receive(sockets[1]);
	close(fd[1]);
	/* The owner's end of the pipe closes when it has become the other program. */
	CHECK_EQ(read(fd[0], &byte, 1), 0);
	taker = fork();
	if (!taker) {
		struct vm *vm = vm_create_private(0);

		become(NOBODY);
		CHECK_ERRNO(ioctl(vm->fd, KVM_LINK_GUEST_MEMFD, &args), EPERM);
		_exit(0);
	}
	wait_for(taker, "taker");
	CHECK_OK(ioctl(own->fd, KVM_LINK_GUEST_MEMFD, &args));
	CHECK_OK(kill(owner, SIGKILL));
	CHECK_EQ(waitpid(owner, NULL, 0), owner);
}

static void set_ptrace_scope(const char *scope)
{
	int fd = open(PTRACE_SCOPE, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && write(fd, scope, 1) == 1, PTRACE_SCOPE ": %m");
	close(fd);
}

/* The user is the same, but Yama does not let the taker attach to the VMM by ptrace(). */
static void test_an_lsm_objects(void)
{
	set_ptrace_scope("1");
	take((struct vmm){ .uid = NOBODY, .dumpable = true }, NOBODY, -EPERM);
	take((struct vmm){ .uid = NOBODY, .dumpable = true, .names_its_tracer = true }, NOBODY, 0);
	set_ptrace_scope("0");
}

static const struct tap_test tests[] = {
	TAP_TEST(test_the_same_user),
	TAP_TEST(test_another_user),
	TAP_TEST(test_not_dumpable),
	TAP_TEST(test_the_vmm_is_gone),
	TAP_TEST(test_the_vmm_runs_another_program),
	/* The last one: kernels without Yama have not got it. */
	TAP_TEST(test_an_lsm_objects),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests) - !!access(PTRACE_SCOPE, F_OK));
}
