// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that come late, see uffd.h.
 */
#include "uffd.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vm.h"

void late_pages_allow(void)
{
	int fd = open("/proc/sys/vm/unprivileged_userfaultfd", O_WRONLY | O_CLOEXEC);

	CHECK_OK(fd);
	CHECK_EQ(write(fd, "1", 1), 1);
	close(fd);
}

struct late_page late_page_make(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct late_page page;

	page.at = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	CHECK(page.at != MAP_FAILED, "mmap: %m");
	page.uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	CHECK(page.uffd >= 0, "userfaultfd: %m");
	CHECK_OK(ioctl(page.uffd, UFFDIO_API, &api));
	range.range.start = (u64)page.at;
	range.range.len = PAGE_SIZE;
	CHECK_OK(ioctl(page.uffd, UFFDIO_REGISTER, &range));
	return page;
}

void late_page_await(const struct late_page *page)
{
	struct uffd_msg msg;

	CHECK_EQ(read(page->uffd, &msg, sizeof(msg)), sizeof(msg));
	CHECK_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
}

void late_page_give(const struct late_page *page)
{
	struct uffdio_zeropage zero = { .range = { (u64)page->at, PAGE_SIZE } };

	CHECK_OK(ioctl(page->uffd, UFFDIO_ZEROPAGE, &zero));
}

void late_page_free(struct late_page *page)
{
	close(page->uffd);
	munmap(page->at, PAGE_SIZE);
}
