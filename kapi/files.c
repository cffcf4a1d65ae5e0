// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file type: a pseudo file system of its own, the file, inode and address
 * space operations, and descriptors. What they do is the core's; a file's
 * private_data is the core's object, an inode's i_private has another one.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/pseudo_fs.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include <linux/uaccess.h>

#include <uapi/gmem.h>

#include "fdinfo.h"
#include "files.h"
#include "kapi.h"
#include "symbols.h"

/* An inode's i_private. */
struct gmem_private {
	void *core; /* the core's object; NULL while the inode is made */
	struct mem_cgroup *memcg; /* the creator's, which pays (kapi/charge.c) */
	struct mm_struct *maker; /* the creator's memory, without its users; or NULL */
	struct shared_policy *policies; /* NULL if it cannot be mapped */
	u64 created; /* ktime_get_boottime_ns() */
	long __percpu *faults; /* pages handed out */
	atomic_long_t nodes[]; /* pages on each */
};

static struct gmem_private *private_of(struct inode *inode)
{
	return inode->i_private;
}

/* As guest_memfd's own file system of later kernels ("GMEM"). */
#define GUEST_MEMFD_MAGIC 0x474d454d

/* The stock backend's, as /proc/PID/fd and the policies of security modules have it. */
#define FILE_NAME "[kvm-gmem]"

static struct vfsmount *gmem_mnt;
static int gmem_mnt_users;

static int gmem_fop_release(struct inode *inode, struct file *file)
{
	gmem_file_release(file->private_data);
	/*
	 * The file's own reference keeps the mount, and with it the module, until
	 * the inode is gone.
	 */
	simple_release_fs(&gmem_mnt, &gmem_mnt_users);
	return 0;
}

static long gmem_fop_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	long ret;

	if (!(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (!PAGE_ALIGNED(offset) || !PAGE_ALIGNED(len))
		return -EINVAL;

	ret = gmem_file_fallocate(file->private_data, mode & FALLOC_FL_PUNCH_HOLE, offset, len);
	if (!ret)
		file_modified(file);
	return ret;
}

/* The argument of a file's ioctl. */
union file_args {
	struct gmem_launch_populate populate;
	struct gmem_launch_finish finish;
	struct gmem_launch_measurement measurement;
	struct gmem_get_map map;
};

static long serve_populate(struct file *file, union file_args *args)
{
	return gmem_file_populate(file, file->private_data, &args->populate);
}

static long serve_finish(struct file *file, union file_args *args)
{
	return gmem_file_finish(file->private_data, &args->finish);
}

static long serve_measurement(struct file *file, union file_args *args)
{
	return gmem_file_measurement(file->private_data, &args->measurement);
}

static long serve_map(struct file *file, union file_args *args)
{
	return gmem_file_map(file->private_data, &args->map);
}

/* The ioctls of a file, but KVM_SET_MEMORY_ATTRIBUTES2. */
static const struct file_ioctl {
	unsigned int cmd;
	long (*serve)(struct file *file, union file_args *args);
} file_ioctls[] = {
	{ GMEM_POPULATE, serve_populate },
	{ GMEM_FINISH, serve_finish },
	{ GMEM_GET_MEASUREMENT, serve_measurement },
	{ GMEM_GET_MAP, serve_map },
};

/* NULL: nobody knows @cmd. */
static const struct file_ioctl *find_ioctl(unsigned int cmd)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(file_ioctls); i++) {
		if (file_ioctls[i].cmd == cmd)
			return &file_ioctls[i];
	}
	return NULL;
}

static long gmem_fop_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *const user = (void __user *)arg;
	const struct file_ioctl *ioctl;
	union file_args args;
	long ret;

	/* It reads and writes its argument itself, as the published one does. */
	if (cmd == KVM_SET_MEMORY_ATTRIBUTES2)
		return gmem_file_convert(file->private_data, (void *)arg);
	ioctl = find_ioctl(cmd);
	/* What nobody knows is -ENOTTY, whatever its argument is. */
	if (!ioctl)
		return -ENOTTY;
	memset(&args, 0, sizeof(args));
	if (_IOC_DIR(cmd) & _IOC_WRITE && copy_from_user(&args, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	ret = ioctl->serve(file, &args);
	/* What came out of it is told in case of errors, too. */
	return copy_to_user(user, &args, _IOC_SIZE(cmd)) ? -EFAULT : ret;
}

static void gmem_fop_show_fdinfo(struct seq_file *m, struct file *file)
{
	gmem_show_fdinfo(m, file);
}

static const struct file_operations gmem_fops = {
	.owner		= THIS_MODULE,
	.open		= generic_file_open,
	.release	= gmem_fop_release,
	.fallocate	= gmem_fop_fallocate,
	.mmap		= gmem_fop_mmap,
	.unlocked_ioctl	= gmem_fop_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.show_fdinfo	= gmem_fop_show_fdinfo,
};

static int gmem_iop_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat,
			    u32 request_mask, unsigned int query_flags)
{
	generic_fillattr(idmap, request_mask, path->dentry->d_inode, stat);
	return 0;
}

static int gmem_iop_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	return -EINVAL;
}

static const struct inode_operations gmem_iops = {
	.getattr	= gmem_iop_getattr,
	.setattr	= gmem_iop_setattr,
};

static int gmem_aop_migrate_folio(struct address_space *mapping, struct folio *dst,
				  struct folio *src, enum migrate_mode mode)
{
	WARN_ON_ONCE(1);
	return -EINVAL;
}

static int gmem_aop_error_remove_folio(struct address_space *mapping, struct folio *folio)
{
	gmem_inode_poisoned(private_of(mapping->host)->core, folio_page(folio, 0));
	return MF_DELAYED;
}

/* Clean pages of this file system hold guests' memory: never drop them. */
static bool gmem_aop_release_folio(struct folio *folio, gfp_t gfp)
{
	return false;
}

static const struct address_space_operations gmem_aops = {
	.dirty_folio		= noop_dirty_folio,
	.migrate_folio		= gmem_aop_migrate_folio,
	.error_remove_folio	= gmem_aop_error_remove_folio,
	.release_folio		= gmem_aop_release_folio,
};

bool gmem_folio_is_ours(struct folio *folio)
{
	struct address_space *const mapping = folio_mapping(folio);

	return mapping && mapping->a_ops == &gmem_aops;
}

bool gmem_mapping_looks_ours(const struct address_space *mapping)
{
	const struct address_space_operations *ops;

	return !copy_from_kernel_nofault(&ops, &mapping->a_ops, sizeof(ops)) && ops == &gmem_aops;
}

struct mem_cgroup *gmem_inode_memcg(struct inode *inode)
{
	return private_of(inode)->memcg;
}

u64 gmem_inode_created(struct inode *inode)
{
	return private_of(inode)->created;
}

void gmem_inode_count_node(struct inode *inode, int node, long npages)
{
	atomic_long_add(npages, &private_of(inode)->nodes[node]);
}

long gmem_inode_node_pages(struct inode *inode, int node)
{
	return atomic_long_read(&private_of(inode)->nodes[node]);
}

static DEFINE_PER_CPU(long, faults);

/* One function for both: a call more can be measured. */
void kapi_page_hand_out(struct page *page, struct inode *inode)
{
	get_page(page);
	this_cpu_inc(*private_of(inode)->faults);
	this_cpu_inc(faults);
}

static long sum_of(const long __percpu *counts)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(counts, cpu));
	return sum;
}

long gmem_inode_faults(struct inode *inode)
{
	return sum_of(private_of(inode)->faults);
}

long gmem_faults_total(void)
{
	return sum_of(&faults);
}

struct shared_policy *gmem_inode_policies(struct inode *inode)
{
	return private_of(inode)->policies;
}

bool gmem_inode_cpuset_allows(struct inode *inode, int node)
{
	bool allows = true;
#ifdef CONFIG_CPUSETS
	struct mm_struct *const maker = private_of(inode)->maker;
	struct task_struct *owner;

	rcu_read_lock();
	owner = maker ? rcu_dereference(maker->owner) : NULL;
	if (owner)
		allows = node_isset(node, owner->mems_allowed);
	rcu_read_unlock();
#endif
	return allows;
}

static struct gmem_private *private_new(bool mappable)
{
	struct gmem_private *const private =
		kzalloc(struct_size(private, nodes, nr_node_ids), GFP_KERNEL_ACCOUNT);

	if (!private)
		return NULL;
	private->faults = alloc_percpu_gfp(long, GFP_KERNEL_ACCOUNT);
	if (mappable)
		private->policies = gmem_policies_new();
	if (!private->faults || (mappable && !private->policies)) {
		gmem_policies_free(private->policies);
		free_percpu(private->faults);
		kfree(private);
		return NULL;
	}
	private->created = ktime_get_boottime_ns();
	private->memcg = get_mem_cgroup_from_mm(current->mm);
	private->maker = current->mm;
	if (private->maker)
		mmgrab(private->maker);
	return private;
}

static void private_free(struct gmem_private *private)
{
	mem_cgroup_put(private->memcg);
	if (private->maker)
		mmdrop(private->maker);
	gmem_policies_free(private->policies);
	free_percpu(private->faults);
	kfree(private);
}

static void gmem_sop_evict_inode(struct inode *inode)
{
	struct gmem_private *const private = private_of(inode);

	if (private && private->core)
		gmem_inode_evict(private->core);
	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (private)
		private_free(private);
}

static const struct super_operations gmem_sops = {
	.statfs		= simple_statfs,
	.evict_inode	= gmem_sop_evict_inode,
};

static int gmem_init_fs_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, GUEST_MEMFD_MAGIC);

	if (!ctx)
		return -ENOMEM;
	ctx->ops = &gmem_sops;
	return 0;
}

static struct file_system_type gmem_fs = {
	.owner			= THIS_MODULE,
	.name			= "guest_memfd",
	.init_fs_context	= gmem_init_fs_context,
	.kill_sb		= kill_anon_super,
};

/* On success the file has the caller's references of the inode and of the mount. */
static struct file *file_on(struct inode *inode, void *core_file)
{
	struct file *file;

	/* The caller has a reference; this one is put by __fput() through gmem_fops.owner. */
	__module_get(THIS_MODULE);
	file = alloc_file_pseudo(inode, gmem_mnt, FILE_NAME, O_RDWR | O_LARGEFILE, &gmem_fops);
	if (IS_ERR(file))
		module_put(THIS_MODULE);
	else
		file->private_data = core_file;
	return file;
}

int kapi_file_create(kapi_u64 size, bool mappable, void *core_inode, void *core_file,
		     struct file **file, struct inode **inode_out)
{
	struct inode *inode;
	int ret;

	ret = simple_pin_fs(&gmem_fs, &gmem_mnt, &gmem_mnt_users);
	if (ret)
		return ret;

	/* Not alloc_anon_inode(): security modules never see its inodes. */
	inode = gmem_anon_inode_make_secure_inode(gmem_mnt->mnt_sb, FILE_NAME);
	if (IS_ERR(inode)) {
		ret = PTR_ERR(inode);
		goto err_fs;
	}
	inode->i_private = private_new(mappable);
	if (!inode->i_private) {
		ret = -ENOMEM;
		iput(inode);
		goto err_fs;
	}
	inode->i_op = &gmem_iops;
	inode->i_mapping->a_ops = &gmem_aops;
	inode->i_mode |= S_IFREG;
	inode->i_size = size;
	mapping_set_gfp_mask(inode->i_mapping, GFP_HIGHUSER);
	mapping_set_inaccessible(inode->i_mapping);
	mapping_set_release_always(inode->i_mapping);
	/* Open for writing, for good: no huge pages of the page cache's own, which are copies. */
	atomic_inc(&inode->i_writecount);
	/* Unmovable mappings are supposed to be marked unevictable as well. */
	WARN_ON_ONCE(!mapping_unevictable(inode->i_mapping));

	*file = file_on(inode, core_file);
	if (IS_ERR(*file)) {
		ret = PTR_ERR(*file);
		iput(inode);
		goto err_fs;
	}
	private_of(inode)->core = core_inode;
	*inode_out = inode;
	return 0;

err_fs:
	simple_release_fs(&gmem_mnt, &gmem_mnt_users);
	return ret;
}

int kapi_file_link(struct inode *inode, void *core_file, struct file **file)
{
	kapi_inode_hold(inode);
	*file = file_on(inode, core_file);
	if (!IS_ERR(*file))
		return 0;
	kapi_inode_put(inode);
	return PTR_ERR(*file);
}

int kapi_link_read(struct kvm_link_guest_memfd *args, unsigned long arg)
{
	return copy_from_user(args, (void __user *)arg, sizeof(*args)) ? -EFAULT : 0;
}

int kapi_fd_reserve(void)
{
	return get_unused_fd_flags(0);
}

void kapi_fd_install(int fd, struct file *file)
{
	fd_install(fd, file);
}

void kapi_fd_cancel(int fd)
{
	put_unused_fd(fd);
}

struct file *kapi_file_from_fd(unsigned int fd)
{
	return fget(fd);
}

void kapi_file_put(struct file *file)
{
	fput(file);
}

void *kapi_file_core(struct file *file)
{
	return file->f_op == &gmem_fops ? file->private_data : NULL;
}

void kapi_inode_hold(struct inode *inode)
{
	/* Cannot fail: the inode's mount is there. It stays until the inode is gone. */
	WARN_ON_ONCE(simple_pin_fs(&gmem_fs, &gmem_mnt, &gmem_mnt_users));
	ihold(inode);
}

void kapi_inode_put(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&gmem_mnt, &gmem_mnt_users);
}

kapi_u64 kapi_inode_size(struct inode *inode)
{
	return i_size_read(inode);
}
