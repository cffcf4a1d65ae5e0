// SPDX-License-Identifier: GPL-2.0-only
/*
 * What platforms need of the kernel: frames as bytes, user memory, waits, a
 * lock and reports. <linux/mm.h>, <linux/uaccess.h>, <linux/delay.h>.
 */
#define pr_fmt(fmt) "gmem: " fmt

#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/uaccess.h>

#include "kapi.h"

static DEFINE_MUTEX(platforms_lock);

void kapi_platforms_lock(void)
{
	mutex_lock(&platforms_lock);
}

void kapi_platforms_unlock(void)
{
	mutex_unlock(&platforms_lock);
}

void *kapi_frame(kapi_u64 pfn)
{
	return page_address(pfn_to_page(pfn));
}

void kapi_nap(void)
{
	usleep_range(20, 100);
}

int kapi_user_read(void *to, const void *from, size_t size)
{
	return copy_from_user(to, (const void __user *)from, size) ? -EFAULT : 0;
}

int kapi_user_write(void *to, const void *from, size_t size)
{
	return copy_to_user((void __user *)to, from, size) ? -EFAULT : 0;
}

void kapi_report(const char *format, ...)
{
	struct va_format vaf = { .fmt = format };
	va_list args;

	va_start(args, format);
	vaf.va = &args;
	pr_err("%pV\n", &vaf);
	va_end(args);
}
