/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest_memfds that user space maps, their conversion in place, reading what may be
 * private, and the counters of gmem.ko. Functions named after a call of the kernel
 * return its answer, like those of vm.h. The ioctls are in include/uapi/gmem.h;
 * include/gmem/gmem.h, for modules of the kernel, is not used here.
 */
#ifndef SELFTESTS_GMEM_H
#define SELFTESTS_GMEM_H

#include "../../include/uapi/gmem.h"
#include "vm.h"

#define SHARED_AT_FIRST		(GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED)
#define PRIVATE_AT_FIRST	GUEST_MEMFD_FLAG_MMAP

/* A file with @flags; skips the test where the VM has no such files. */
int gmem_mappable(struct vm *vm, u64 size, u64 flags);
/* MAP_SHARED, readable and writable. */
void *gmem_map(int fd, u64 offset, u64 size);
/* A memslot on @fd, with no user memory but that. */
void gmem_add_slot(struct vm *vm, u32 slot, u64 gpa, u64 size, int fd, u64 offset);
/* The usual beginning: a file of @size in TEST_SLOT at TEST_GPA. */
int gmem_add_mappable(struct vm *vm, u64 size, u64 flags);

/* KVM_SET_MEMORY_ATTRIBUTES2; *@error_offset is ~0 unless the kernel sets it. */
int gmem_convert(int fd, u64 offset, u64 size, u64 attributes, u64 *error_offset);
void gmem_make_private(int fd, u64 offset, u64 size);
void gmem_make_shared(int fd, u64 offset, u64 size);

/* The platform of software-protected VMs. Without the module the program bails out. */
const char *gmem_platform(void);
/* Whether converted pages keep their content; those of modelled hardware do not. */
bool gmem_keeps_content(void);
/*
 * Require KVM's attributes of every @step-th of the pages at @gpa, which are slot
 * @slot's, to be private or not. There is no slot @slot afterwards.
 */
void gmem_check_attributes(struct vcpu *vcpu, u32 slot, u64 gpa, const bool *private,
			   u64 npages, u64 step);

/*
 * One access of 8 bytes by this thread: 0, or the signal it raised, whose code is in
 * gmem_signal_code().
 */
int mem_read(const void *p, u64 *value);
int mem_write(void *p, u64 value);
int gmem_signal_code(void);
/* Whether a touch of the page at @p is a SIGBUS for there being nothing to see. */
bool mem_is_hidden(const void *p);

/* As guest_fill() and guest_check(), through a mapping of the memory at @gpa. */
void mem_fill(void *p, u64 gpa, u64 len, u64 seed);
bool mem_holds(const void *p, u64 gpa, u64 len, u64 seed);
bool mem_is_zero(const void *p, u64 len);

/* A total of gmem.ko's; -1 without the module, or if it has none of that name. */
long gmem_total(const char *name);
/* A counter of the file's, likewise. */
long gmem_counter(int fd, const char *name);
/* Whether huge=always, not never; the test is skipped where it is neither. */
bool gmem_huge(void);

#endif
