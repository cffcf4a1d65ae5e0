/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways in which the kernel comes to hold pages of user memory for longer than a
 * call, from a VMM's point of view. Knows nothing of guest_memfd.
 */
#ifndef SELFTESTS_PINS_H
#define SELFTESTS_PINS_H

#include <stdbool.h>
#include <stdint.h>

enum pin_kind {
	PIN_LONG_TERM,	/* as VFIO does, by gmem_test.ko */
	PIN_VMSPLICE,	/* pages lie in a pipe; at most 16 */
	PIN_IO_URING,	/* registered buffers */
	PIN_DIRECT_IO,	/* a write to a slow disk, over after DIRECT_IO_MS */
	NR_PIN_KINDS,
};

#define DIRECT_IO_MS	4000

struct pin {
	enum pin_kind kind;
	int fd, other_fd;
	void *buffer;
	uint64_t size;
};

const char *pin_name(enum pin_kind kind);
/* Whether this machine has what it takes. */
bool pin_possible(enum pin_kind kind);
/* Hold @npages pages at @p until pin_release(), which waits for their being let go. */
void pin_take(struct pin *pin, enum pin_kind kind, void *p, uint64_t npages);
void pin_release(struct pin *pin);

/*
 * A disk whose requests take @ms, opened for direct I/O; -1 where there is none. The
 * caller has no other open.
 */
int direct_disk(unsigned int ms);

#endif
