// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem_view.ko: guest memory for debugging, read-only and for root, by
 * <gmem/consumer.h> alone. A process opens /sys/kernel/debug/gmem_view, writes the
 * number of its descriptor of a guest_memfd, and reads the file's shared pages
 * (docs/consumers.md). Private ones are -EACCES.
 *
 * A page is copied while a reference of it is held, so that it cannot become private
 * meanwhile, and under the view's lock, so that unmap() finds no copy under way.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include <gmem/consumer.h>

struct view {
	struct mutex setup; /* of the next two, which are set once */
	struct gmem_consumer *consumer;
	loff_t size;

	struct mutex lock; /* of the next two, and of each copy; none of our calls are in it */
	unsigned int changing; /* invalidations under way */
	u64 changes;
	wait_queue_head_t unchanging;
};

static void view_begin(void *data, u64 start, u64 end)
{
	struct view *const view = data;

	mutex_lock(&view->lock);
	view->changing++;
	view->changes++;
	mutex_unlock(&view->lock);
}

/* begin() was here: no copy of before is going on. */
static void view_unmap(void *data, u64 start, u64 end)
{
}

static void view_end(void *data, u64 start, u64 end)
{
	struct view *const view = data;

	mutex_lock(&view->lock);
	view->changing--;
	mutex_unlock(&view->lock);
	wake_up(&view->unchanging);
}

/* Reads are -ESTALE from now on. */
static void view_released(void *data)
{
}

static const struct gmem_consumer_ops ops = {
	.owner		= THIS_MODULE,
	.begin		= view_begin,
	.unmap		= view_unmap,
	.end		= view_end,
	.release	= view_released,
};

static u64 changes_of(struct view *view)
{
	u64 changes;

	mutex_lock(&view->lock);
	changes = view->changes;
	mutex_unlock(&view->lock);
	return changes;
}

/* Copies the page unless something of the file has changed since @changes. */
static bool copy_if_unchanged(struct view *view, u64 changes, struct page *page, void *to)
{
	bool unchanged;

	mutex_lock(&view->lock);
	unchanged = !view->changing && view->changes == changes;
	if (unchanged)
		memcpy_from_page(to, page, 0, PAGE_SIZE);
	mutex_unlock(&view->lock);
	return unchanged;
}

static int copy_page_at(struct view *view, u64 index, void *to)
{
	for (;;) {
		const u64 changes = changes_of(view);
		unsigned int order;
		struct page *page;
		bool copied;
		int ret;

		ret = gmem_consumer_get_page(view->consumer, index, false, &page, &order);
		if (ret)
			return ret == -EAGAIN ? -EACCES : ret;
		copied = copy_if_unchanged(view, changes, page, to);
		gmem_consumer_put_page(page);
		if (copied)
			return 0;
		if (wait_event_killable(view->unchanging, !READ_ONCE(view->changing)) ||
		    fatal_signal_pending(current))
			return -EINTR;
	}
}

static ssize_t view_read(struct file *self, char __user *user, size_t size, loff_t *pos)
{
	struct view *const view = self->private_data;
	ssize_t done = 0;
	void *buffer;
	int ret = 0;

	if (!READ_ONCE(view->consumer) || *pos < 0)
		return -EINVAL;
	buffer = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	while (done < size && *pos < view->size && !ret) {
		const size_t offset = offset_in_page(*pos);
		const size_t part = min(size - done, PAGE_SIZE - offset);

		ret = copy_page_at(view, *pos >> PAGE_SHIFT, buffer);
		if (!ret && copy_to_user(user + done, buffer + offset, part))
			ret = -EFAULT;
		if (!ret) {
			done += part;
			*pos += part;
		}
		cond_resched();
	}
	kfree_sensitive(buffer);
	return done ? done : ret;
}

static ssize_t view_write(struct file *self, const char __user *user, size_t size, loff_t *pos)
{
	struct view *const view = self->private_data;
	struct file *file;
	unsigned int fd;
	int ret;

	ret = kstrtouint_from_user(user, size, 10, &fd);
	if (ret)
		return ret;
	ret = gmem_file_get(fd, &file);
	if (ret)
		return ret;
	mutex_lock(&view->setup);
	if (view->consumer) {
		ret = -EBUSY;
	} else {
		view->size = i_size_read(file_inode(file));
		ret = gmem_consumer_bind(file, 0, view->size >> PAGE_SHIFT, &ops, view,
					 GMEM_CONSUMER_SHARED, &view->consumer);
	}
	mutex_unlock(&view->setup);
	gmem_file_put(file);
	return ret ? ret : size;
}

static loff_t view_llseek(struct file *self, loff_t offset, int whence)
{
	return fixed_size_llseek(self, offset, whence, ((struct view *)self->private_data)->size);
}

static int view_open(struct inode *inode, struct file *self)
{
	struct view *const view = kzalloc(sizeof(*view), GFP_KERNEL);

	if (!view)
		return -ENOMEM;
	mutex_init(&view->setup);
	mutex_init(&view->lock);
	init_waitqueue_head(&view->unchanging);
	self->private_data = view;
	return 0;
}

static int view_close(struct inode *inode, struct file *self)
{
	struct view *const view = self->private_data;

	if (view->consumer)
		gmem_consumer_unbind(view->consumer);
	kfree(view);
	return 0;
}

static const struct file_operations view_fops = {
	.owner		= THIS_MODULE,
	.open		= view_open,
	.release	= view_close,
	.read		= view_read,
	.write		= view_write,
	.llseek		= view_llseek,
};

static struct dentry *entry;

static int __init view_init(void)
{
	entry = debugfs_create_file("gmem_view", 0600, NULL, NULL, &view_fops);
	return PTR_ERR_OR_ZERO(entry);
}

static void __exit view_exit(void)
{
	/* An open descriptor keeps the module. */
	debugfs_remove(entry);
}

module_init(view_init);
module_exit(view_exit);

MODULE_DESCRIPTION("Shared guest memory for debugging, read-only");
MODULE_LICENSE("GPL");
