// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem_consumer_test.ko: for tests only, a consumer by <gmem/consumer.h>. Writing
 * "FD START END COUNT SHARED" to /sys/kernel/debug/gmem_consumer binds COUNT
 * ranges, each as long as [START, END) and behind the one before; writing "unbind"
 * unbinds all, as unloading does. Reading shows how many there are, of how many
 * the file is gone, and what they were told.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <gmem/consumer.h>

static atomic_long_t begins, unmaps, ends, releases, bindings;

static void count_begin(void *data, u64 start, u64 end)
{
	atomic_long_inc(&begins);
}

static void count_unmap(void *data, u64 start, u64 end)
{
	atomic_long_inc(&unmaps);
}

static void count_end(void *data, u64 start, u64 end)
{
	atomic_long_inc(&ends);
}

static void count_release(void *data)
{
	atomic_long_inc(&releases);
}

static const struct gmem_consumer_ops ops = {
	.owner		= THIS_MODULE,
	.begin		= count_begin,
	.unmap		= count_unmap,
	.end		= count_end,
	.release	= count_release,
};

struct bound {
	struct list_head link;
	struct gmem_consumer *consumer;
};

static DEFINE_MUTEX(all_lock);
static LIST_HEAD(all);

static int bind_one(struct file *file, u64 start, u64 end, unsigned int flags)
{
	struct bound *const bound = kzalloc(sizeof(*bound), GFP_KERNEL);
	int ret;

	if (!bound)
		return -ENOMEM;
	ret = gmem_consumer_bind(file, start, end, &ops, NULL, flags, &bound->consumer);
	if (ret) {
		kfree(bound);
		return ret;
	}
	list_add(&bound->link, &all);
	atomic_long_inc(&bindings);
	return 0;
}

static void unbind_all(void)
{
	struct bound *bound, *next;

	mutex_lock(&all_lock);
	list_for_each_entry_safe(bound, next, &all, link) {
		gmem_consumer_unbind(bound->consumer);
		kfree(bound);
		atomic_long_dec(&bindings);
		cond_resched();
	}
	INIT_LIST_HEAD(&all);
	mutex_unlock(&all_lock);
}

static ssize_t bind_write(struct file *self, const char __user *user, size_t size, loff_t *pos)
{
	u64 start, end, count, shared;
	struct file *file;
	char text[80] = {};
	unsigned int fd;
	int ret;

	if (size >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, user, size))
		return -EFAULT;
	if (sysfs_streq(text, "unbind")) {
		unbind_all();
		return size;
	}
	if (sscanf(text, "%u %llu %llu %llu %llu", &fd, &start, &end, &count, &shared) != 5)
		return -EINVAL;
	ret = gmem_file_get(fd, &file);
	if (ret)
		return ret;
	mutex_lock(&all_lock);
	for (u64 i = 0; i < count && !ret; i++) {
		ret = bind_one(file, start + i * (end - start), end + i * (end - start),
			       shared ? GMEM_CONSUMER_SHARED : 0);
		cond_resched();
	}
	mutex_unlock(&all_lock);
	gmem_file_put(file);
	return ret ? ret : size;
}

static int consumer_show(struct seq_file *m, void *v)
{
	seq_printf(m, "bindings %ld\nreleases %ld\nbegins %ld\nunmaps %ld\nends %ld\n",
		   atomic_long_read(&bindings), atomic_long_read(&releases),
		   atomic_long_read(&begins), atomic_long_read(&unmaps), atomic_long_read(&ends));
	return 0;
}

static int consumer_open(struct inode *inode, struct file *file)
{
	return single_open(file, consumer_show, NULL);
}

static const struct file_operations consumer_fops = {
	.owner		= THIS_MODULE,
	.open		= consumer_open,
	.release	= single_release,
	.read		= seq_read,
	.write		= bind_write,
};

static struct dentry *entry;

static int __init consumer_init(void)
{
	entry = debugfs_create_file("gmem_consumer", 0600, NULL, NULL, &consumer_fops);
	return PTR_ERR_OR_ZERO(entry);
}

static void __exit consumer_exit(void)
{
	debugfs_remove(entry);
	/* Only bindings whose files are gone are left: the others keep the module loaded. */
	unbind_all();
}

module_init(consumer_init);
module_exit(consumer_exit);

MODULE_DESCRIPTION("A consumer of guest memory, for tests");
MODULE_LICENSE("GPL");
