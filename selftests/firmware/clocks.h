/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages of the guest that KVM writes by itself. */
#ifndef GMEM_SELFTESTS_FIRMWARE_CLOCKS_H
#define GMEM_SELFTESTS_FIRMWARE_CLOCKS_H

/* Checks of what KVM offers of kvmclock, its wall clock and steal time; all in private memory. */
void check_clocks(void);

#endif /* GMEM_SELFTESTS_FIRMWARE_CLOCKS_H */
