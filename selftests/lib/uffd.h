/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page that comes late: a task that touches it waits until the test gives it. So the
 * kernel can be kept in the middle of a call. By userfaultfd.
 */
#ifndef SELFTESTS_UFFD_H
#define SELFTESTS_UFFD_H

struct late_page {
	void *at;	/* the page */
	int uffd;
};

/* As root: all users may have a userfaultfd that takes faults of the kernel. */
void late_pages_allow(void);
struct late_page late_page_make(void);
/* Waits until a task waits for the page. */
void late_page_await(const struct late_page *page);
/* Gives the page, which is zeros. */
void late_page_give(const struct late_page *page);
void late_page_free(struct late_page *page);

#endif
