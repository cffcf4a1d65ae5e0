// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem_test.ko: for tests only, see gmem_test_abi.h. Knows nothing of gmem.ko:
 * it uses KVM's functions and the page cache's, so that both backends can be asked
 * the same.
 */
#include <crypto/hash.h>
#include <crypto/sha2.h>
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/ftrace.h>
#include <linux/highmem.h>
#include <linux/kprobes.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <compat/wq.h>

#include "gmem_test_abi.h"
#include "kvm_calls.h"
#include "td.h"

/* The folio at @index of the file @fd, with a reference, or an ERR_PTR. */
static struct folio *get_folio(unsigned int fd, u64 index)
{
	struct file *const file = fget(fd);
	struct folio *folio;

	if (!file)
		return ERR_PTR(-EBADF);
	folio = filemap_get_folio(file->f_mapping, index);
	fput(file);
	return folio;
}

static long poison(void __user *arg)
{
	struct gmem_test_poison req;
	struct folio *folio;
	unsigned long pfn;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	folio = get_folio(req.fd, req.index);
	if (IS_ERR(folio))
		return PTR_ERR(folio);
	pfn = folio_pfn(folio);
	if (req.held)
		return memory_failure(pfn, MF_SW_SIMULATED | MF_COUNT_INCREASED);
	folio_put(folio);
	return memory_failure(pfn, MF_SW_SIMULATED);
}

struct failing_page {
	struct work_struct work;
	struct completion done;
	struct page *page;
	int ret;
};

static void fail_page(struct work_struct *work)
{
	struct failing_page *const failing = container_of(work, struct failing_page, work);

	failing->ret = memory_failure(page_to_pfn(failing->page), MF_SW_SIMULATED);
	complete(&failing->done);
}

/* The page is a driver's, say: of no file, on no list, and locked by its owner. */
static long poison_locked(void)
{
	struct failing_page failing = { .page = alloc_page(GFP_KERNEL) };
	bool in_time;

	if (!failing.page)
		return -ENOMEM;
	init_completion(&failing.done);
	INIT_WORK_ONSTACK(&failing.work, fail_page);
	lock_page(failing.page);
	queue_work(gmem_unbound_wq, &failing.work);
	in_time = wait_for_completion_timeout(&failing.done, 120 * HZ);
	unlock_page(failing.page);
	flush_work(&failing.work);
	destroy_work_on_stack(&failing.work);
	/* Poisoned: the allocator does not take it into use again. */
	put_page(failing.page);
	return in_time ? failing.ret : -ETIMEDOUT;
}

static long find_pfn(void __user *arg)
{
	struct gmem_test_pfn req;
	struct folio *folio;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	folio = get_folio(req.fd, req.index);
	if (IS_ERR(folio))
		return PTR_ERR(folio);
	req.pfn = folio_pfn(folio);
	folio_put(folio);
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
}

/* In SRCU, as all who look at memslots. */
static long get_page_at(struct kvm *kvm, struct gmem_test_get *req)
{
	struct kvm_memory_slot *const slot = KVM_CALL(gfn_to_memslot)(kvm, req->gfn);
	const u64 began = ktime_get_ns();
	struct kvm_frame frame;
	int ret;

	if (!slot)
		return -ENOENT;
	for (u32 i = 0; i < req->before; i++) {
		ret = kvm_frame_get(kvm, slot, req->gfn, req->shared, &frame);
		if (ret)
			return ret;
		kvm_frame_put(&frame);
		cond_resched();
	}
	req->ns = ktime_get_ns() - began;
	ret = kvm_frame_get(kvm, slot, req->gfn, req->shared, &frame);
	if (ret)
		return ret;
	req->pfn = frame.pfn;
	msleep(req->hold_ms);
	kvm_frame_put(&frame);
	return 0;
}

static long get(void __user *arg)
{
	struct gmem_test_get req;
	struct kvm *kvm;
	long ret;
	int idx;

	kvm = vm_asked_for(&req, sizeof(req), &req.vm_fd, arg);
	if (IS_ERR(kvm))
		return PTR_ERR(kvm);
	idx = srcu_read_lock(&kvm->srcu);
	ret = get_page_at(kvm, &req);
	srcu_read_unlock(&kvm->srcu, idx);
	kvm_put_kvm(kvm);
	if (!ret && copy_to_user(arg, &req, sizeof(req)))
		ret = -EFAULT;
	return ret;
}

static long populate(void __user *arg)
{
	struct gmem_test_populate req;
	struct kvm *kvm;
	long ret;

	kvm = vm_asked_for(&req, sizeof(req), &req.vm_fd, arg);
	if (IS_ERR(kvm))
		return PTR_ERR(kvm);
	mutex_lock(&kvm->slots_lock);
	ret = kvm_populate(kvm, req.gfn, u64_to_user_ptr(req.source), req.npages, req.fail_gfn);
	mutex_unlock(&kvm->slots_lock);
	kvm_put_kvm(kvm);
	return ret;
}

static long read_frame(void __user *arg)
{
	struct gmem_test_frame req;
	long ret;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	if (!pfn_valid(req.pfn))
		return -EINVAL;
	ret = copy_to_user(u64_to_user_ptr(req.to), page_address(pfn_to_page(req.pfn)), PAGE_SIZE);
	return ret ? -EFAULT : 0;
}

/* Hashes the user page at @addr and a header; adds to *@ns. */
static int hash_page(struct shash_desc *desc, unsigned long addr, u64 *ns)
{
	u8 header[112] = {}, digest[SHA384_DIGEST_SIZE];
	struct page *page;
	u64 from;
	int ret;

	if (get_user_pages_fast(addr, 1, 0, &page) != 1)
		return -EFAULT;
	from = ktime_get_ns();
	ret = crypto_shash_digest(desc, page_address(page), PAGE_SIZE, digest);
	memcpy(header, digest, sizeof(digest));
	ret = ret ?: crypto_shash_digest(desc, header, sizeof(header), digest);
	*ns += ktime_get_ns() - from;
	put_page(page);
	return ret;
}

static long hash_pages(void __user *arg)
{
	struct crypto_shash *const tfm = crypto_alloc_shash("sha384", 0, 0);
	struct gmem_test_sha384 req;
	struct shash_desc *desc;
	long ret = 0;

	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	desc = kzalloc(sizeof(*desc) + crypto_shash_descsize(tfm), GFP_KERNEL);
	if (!desc) {
		crypto_free_shash(tfm);
		return -ENOMEM;
	}
	desc->tfm = tfm;
	if (copy_from_user(&req, arg, sizeof(req)))
		ret = -EFAULT;
	req.ns = 0;
	for (u64 i = 0; i < req.npages && !ret; i++) {
		ret = hash_page(desc, req.source + i * PAGE_SIZE, &req.ns);
		cond_resched();
	}
	if (!ret && copy_to_user(arg, &req, sizeof(req)))
		ret = -EFAULT;
	kfree(desc);
	crypto_free_shash(tfm);
	return ret;
}

/* Pages that a descriptor of this module has pinned. */
struct pinned {
	unsigned long npages;
	struct page *pages[];
};

static long pin(struct file *file, void __user *arg)
{
	struct gmem_test_pin req;
	struct pinned *pinned;
	int got;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	if (!req.npages || req.npages > SZ_1M)
		return -EINVAL;
	pinned = kvmalloc(struct_size(pinned, pages, req.npages), GFP_KERNEL);
	if (!pinned)
		return -ENOMEM;
	got = pin_user_pages_fast(req.addr, req.npages, FOLL_WRITE | FOLL_LONGTERM, pinned->pages);
	pinned->npages = max(got, 0);
	if (got == req.npages && !cmpxchg(&file->private_data, NULL, pinned))
		return 0;
	unpin_user_pages(pinned->pages, pinned->npages);
	kvfree(pinned);
	return got < 0 ? got : got < req.npages ? -EFAULT : -EBUSY;
}

/* The function that fails, and for whom; failing_mutex. */
static DEFINE_MUTEX(failing_mutex);
static struct gmem_test_fail failing;
static atomic_t failing_left;
static struct file *failing_for;

static noinline notrace void return_at_once(void)
{
}

/* Before the function's first instruction: as if it were return_at_once(). */
static int fail_call(struct kprobe *probe, struct pt_regs *regs)
{
	if (atomic_dec_if_positive(&failing_left) < 0)
		return 0;
	regs->ax = failing.rax;
	regs->dx = failing.rdx;
	instruction_pointer_set(regs, (unsigned long)return_at_once);
	return 1;
}
NOKPROBE_SYMBOL(fail_call);

/* Before the function's first instruction: nobody else has this processor meanwhile. */
static int delay_call(struct kprobe *probe, struct pt_regs *regs)
{
	if (atomic_dec_if_positive(&failing_left) >= 0)
		mdelay(failing.rax);
	return 0;
}
NOKPROBE_SYMBOL(delay_call);

/* Whoever has one is not made a jump, which could not change where to go on. */
static void after_call(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}
NOKPROBE_SYMBOL(after_call);

static struct kprobe fail_probe;

/* How many calls were left. */
static u32 fail_no_more(void)
{
	if (!failing_for)
		return 0;
	unregister_kprobe(&fail_probe);
	failing_for = NULL;
	return atomic_read(&failing_left);
}

static int fail_calls(struct file *file, kprobe_pre_handler_t handler)
{
	int ret;

	fail_probe = (struct kprobe) {
		.symbol_name = failing.symbol,
		.pre_handler = handler,
		.post_handler = after_call,
	};
	atomic_set(&failing_left, failing.calls);
	ret = register_kprobe(&fail_probe);
	if (!ret)
		failing_for = file;
	return ret;
}

static long fail(struct file *file, void __user *arg, kprobe_pre_handler_t handler)
{
	struct gmem_test_fail req;
	long ret = 0;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	req.symbol[sizeof(req.symbol) - 1] = 0;
	mutex_lock(&failing_mutex);
	req.left = fail_no_more();
	failing = req;
	if (req.calls)
		ret = fail_calls(file, handler);
	mutex_unlock(&failing_mutex);
	if (!ret && copy_to_user(arg, &req, sizeof(req)))
		ret = -EFAULT;
	return ret;
}

static int test_release(struct inode *inode, struct file *file)
{
	struct pinned *const pinned = file->private_data;

	mutex_lock(&failing_mutex);
	if (failing_for == file)
		fail_no_more();
	mutex_unlock(&failing_mutex);
	if (pinned)
		unpin_user_pages(pinned->pages, pinned->npages);
	kvfree(pinned);
	return 0;
}

static long access_guest(struct kvm *kvm, const struct gmem_test_guest *req, void *page)
{
	void __user *const data = u64_to_user_ptr(req->data);
	long ret;
	int idx;

	if (req->write && copy_from_user(page, data, req->size))
		return -EFAULT;
	idx = srcu_read_lock(&kvm->srcu);
	ret = req->write ? KVM_CALL(kvm_write_guest)(kvm, req->gpa, page, req->size) :
			   KVM_CALL(kvm_read_guest)(kvm, req->gpa, page, req->size);
	srcu_read_unlock(&kvm->srcu, idx);
	if (!ret && !req->write && copy_to_user(data, page, req->size))
		return -EFAULT;
	return ret;
}

static long guest(void __user *arg)
{
	struct gmem_test_guest req;
	struct kvm *kvm;
	long ret = -ENOMEM;
	void *page;

	if (copy_from_user(&req, arg, sizeof(req)) || req.size > PAGE_SIZE)
		return -EFAULT;
	kvm = vm_get(req.vm_fd);
	if (IS_ERR(kvm))
		return PTR_ERR(kvm);
	page = (void *)__get_free_page(GFP_KERNEL);
	if (page)
		ret = access_guest(kvm, &req, page);
	free_page((unsigned long)page);
	kvm_put_kvm(kvm);
	return ret;
}

#define BLOCK_ORDER 9
#define BLOCK_PAGES BIT(BLOCK_ORDER)

static int copy_block(struct page *block, const void __user *source)
{
	for (unsigned int i = 0; i < BLOCK_PAGES; i++) {
		void *const to = kmap_local_page(block + i);
		const unsigned long left = copy_from_user(to, source + i * PAGE_SIZE, PAGE_SIZE);

		kunmap_local(to);
		if (left)
			return -EFAULT;
	}
	return 0;
}

/* Clears and copies to the blocks, a page at a time as backends do. */
static int use_blocks(struct gmem_test_yardsticks *req, struct page **blocks)
{
	u64 start = ktime_get_ns();
	int ret = 0;

	for (u64 i = 0; i < req->blocks; i++) {
		for (unsigned int k = 0; k < BLOCK_PAGES; k++)
			clear_highpage(blocks[i] + k);
		cond_resched();
	}
	req->clear_ns = ktime_get_ns() - start;
	start = ktime_get_ns();
	for (u64 i = 0; i < req->blocks && !ret; i++) {
		ret = copy_block(blocks[i], u64_to_user_ptr(req->source));
		cond_resched();
	}
	req->copy_ns = ktime_get_ns() - start;
	return ret;
}

static long yardsticks(void __user *arg)
{
	struct gmem_test_yardsticks req;
	struct page **blocks;
	u64 start, nr;
	long ret = 0;

	if (copy_from_user(&req, arg, sizeof(req)))
		return -EFAULT;
	blocks = kvmalloc_array(req.blocks, sizeof(*blocks), GFP_KERNEL);
	if (!blocks)
		return -ENOMEM;
	start = ktime_get_ns();
	for (nr = 0; nr < req.blocks; nr++) {
		blocks[nr] = alloc_pages(GFP_HIGHUSER | __GFP_NORETRY | __GFP_NOWARN, BLOCK_ORDER);
		if (!blocks[nr]) {
			ret = -ENOMEM;
			break;
		}
	}
	req.alloc_ns = ktime_get_ns() - start;
	if (!ret)
		ret = use_blocks(&req, blocks);
	start = ktime_get_ns();
	while (nr)
		__free_pages(blocks[--nr], BLOCK_ORDER);
	req.free_ns = ktime_get_ns() - start;
	kvfree(blocks);
	if (!ret && copy_to_user(arg, &req, sizeof(req)))
		ret = -EFAULT;
	return ret;
}

static long tell_kernel(u64 __user *to)
{
	u64 bits = 0;

	if (GMEM_KVM_SHARED_SLOTS)
		bits |= GMEM_TEST_KERNEL_SHARED_SLOTS;
	if (GMEM_KVM_POPULATE_PAGES)
		bits |= GMEM_TEST_KERNEL_POPULATES_PAGES;
	return put_user(bits, to);
}

static long test_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case GMEM_TEST_POISON:
		return poison((void __user *)arg);
	case GMEM_TEST_POISON_LOCKED:
		return poison_locked();
	case GMEM_TEST_POPULATE:
		return populate((void __user *)arg);
	case GMEM_TEST_ADD:
		return add((void __user *)arg);
	case GMEM_TEST_VM_TYPE:
		return exchange_type((void __user *)arg);
	case GMEM_TEST_PFN:
		return find_pfn((void __user *)arg);
	case GMEM_TEST_GET:
		return get((void __user *)arg);
	case GMEM_TEST_FRAME:
		return read_frame((void __user *)arg);
	case GMEM_TEST_SHA384:
		return hash_pages((void __user *)arg);
	case GMEM_TEST_PIN:
		return pin(file, (void __user *)arg);
	case GMEM_TEST_GUEST:
		return guest((void __user *)arg);
	case GMEM_TEST_YARDSTICKS:
		return yardsticks((void __user *)arg);
	case GMEM_TEST_KERNEL:
		return tell_kernel((u64 __user *)arg);
	case GMEM_TEST_FAIL:
		return fail(file, (void __user *)arg, fail_call);
	case GMEM_TEST_DELAY:
		return fail(file, (void __user *)arg, delay_call);
	}
	return -ENOTTY;
}

static const struct file_operations test_fops = {
	.owner		= THIS_MODULE,
	.open		= nonseekable_open,
	.release	= test_release,
	.unlocked_ioctl	= test_ioctl,
};

/* A function to sit on, as a live patch would: nobody else can take it over. */
static char *occupy;
module_param(occupy, charp, 0444);

static void notrace do_nothing(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			       struct ftrace_regs *fregs)
{
}

static struct ftrace_ops occupier = {
	.func = do_nothing,
	.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY,
};

static int occupy_function(void)
{
	int ret = ftrace_set_filter(&occupier, occupy, strlen(occupy), 1);

	return ret ? ret : register_ftrace_function(&occupier);
}

/* ftrace stops for good, as after an error of the kernel's own: nothing is given back. */
static bool stop_ftrace;
module_param(stop_ftrace, bool, 0444);

static int stop_all_tracing(void)
{
	struct kprobe probe = { .symbol_name = "ftrace_kill", .flags = KPROBE_FLAG_DISABLED };
	const int ret = register_kprobe(&probe);
	void (*stop)(void) = (void *)probe.addr;

	if (ret)
		return ret;
	unregister_kprobe(&probe);
	stop();
	return 0;
}

static struct dentry *entry;

static int __init gmem_test_init(void)
{
	const int found = kvm_calls_find();

	if (found)
		return found;
	if (stop_ftrace) {
		const int ret = stop_all_tracing();

		if (ret)
			return ret;
	}
	if (occupy) {
		const int ret = occupy_function();

		if (ret)
			return ret;
	}
	entry = debugfs_create_file("gmem_test", 0600, NULL, NULL, &test_fops);
	return PTR_ERR_OR_ZERO(entry);
}

static void __exit gmem_test_exit(void)
{
	debugfs_remove(entry);
	if (occupy)
		unregister_ftrace_function(&occupier);
}

module_init(gmem_test_init);
module_exit(gmem_test_exit);

MODULE_DESCRIPTION("What tests of guest_memfd need and user space cannot do");
MODULE_LICENSE("GPL");
