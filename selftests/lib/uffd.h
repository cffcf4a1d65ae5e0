/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page that whoever touches it waits for, until it is given: so the kernel can be kept
 * in the middle of a call. By userfaultfd.
 */
#ifndef SELFTESTS_UFFD_H
#define SELFTESTS_UFFD_H

struct late_page {
	void *at;	/* the page */
	int uffd;
};

/* As root, for everybody: faults of the kernel are not for an unprivileged one. */
void late_pages_allow(void);
struct late_page late_page_make(void);
/* Waits until somebody waits for the page. */
void late_page_await(const struct late_page *page);
/* It is zeros. */
void late_page_give(const struct late_page *page);
void late_page_free(struct late_page *page);

#endif
