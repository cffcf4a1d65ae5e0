// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device node of SEV's firmware, for the SNP model: <linux/miscdevice.h>,
 * <linux/psp-sev.h>. A VMM asks it for the platform's status, and names it in the launch
 * commands of its VM. Whatever it answers that can carry a text says that this is a model.
 * Where the machine has SEV, there is none.
 */
#define pr_fmt(fmt) "gmem: " fmt

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/psp-sev.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <asm/cpufeature.h>

#include "kapi.h"
#include "sev.h"
#include "sev_node.h"

static char *sev_node = "sev";
module_param(sev_node, charp, 0444);
MODULE_PARM_DESC(sev_node,
		 "name of the device node that platform=snp-model makes (default sev), or nothing");

/* Of the version of the firmware that the model follows. */
#define API_MAJOR 1
#define API_MINOR 55
#define STATE_INIT 1
/* "gmem" in ASCII, where a build has its number. */
#define BUILD_ID 0x6d656d67

static const char id_text[] = "gmem.ko: a model of SEV-SNP in software, which protects nothing";

static int answer(u64 to, const void *data, size_t size)
{
	return copy_to_user(u64_to_user_ptr(to), data, size) ? -EFAULT : 0;
}

static int platform_status(struct sev_issue_cmd *cmd)
{
	const struct sev_user_data_status status = {
		.api_major = API_MAJOR,
		.api_minor = API_MINOR,
		.state = STATE_INIT,
		.flags = SEV_STATUS_FLAGS_CONFIG_ES,
	};

	return answer(cmd->data, &status, sizeof(status));
}

static int snp_platform_status(struct sev_issue_cmd *cmd)
{
	const struct sev_user_data_snp_status status = {
		.api_major = API_MAJOR,
		.api_minor = API_MINOR,
		.state = STATE_INIT,
		.is_rmp_initialized = 1,
		.build_id = BUILD_ID,
	};

	return answer(cmd->data, &status, sizeof(status));
}

/* An id of 64 bytes, as of a machine with one socket. */
static int get_id(struct sev_issue_cmd *cmd)
{
	static_assert(sizeof(id_text) <= 64);
	struct sev_user_data_get_id2 id;
	char bytes[64] = {};
	const u32 room = sizeof(bytes);

	if (copy_from_user(&id, u64_to_user_ptr(cmd->data), sizeof(id)))
		return -EFAULT;
	if (id.address && id.length >= room) {
		strscpy(bytes, id_text, sizeof(bytes));
		if (answer(id.address, bytes, sizeof(bytes)))
			return -EFAULT;
	} else {
		cmd->error = SEV_RET_INVALID_LEN;
	}
	id.length = room;
	if (answer(cmd->data, &id, sizeof(id)))
		return -EFAULT;
	return cmd->error ? -EIO : 0;
}

static int serve(struct sev_issue_cmd *cmd)
{
	cmd->error = SEV_RET_SUCCESS;
	switch (cmd->cmd) {
	case SEV_PLATFORM_STATUS:
		return platform_status(cmd);
	case SNP_PLATFORM_STATUS:
		return snp_platform_status(cmd);
	case SEV_GET_ID2:
		return get_id(cmd);
	default:
		cmd->error = SEV_RET_UNSUPPORTED;
		return -EIO;
	}
}

static long node_ioctl(struct file *file, unsigned int ioctl, unsigned long arg)
{
	void __user *const user = (void __user *)arg;
	struct sev_issue_cmd cmd;
	int ret;

	if (ioctl != SEV_ISSUE_CMD)
		return -EINVAL;
	if (copy_from_user(&cmd, user, sizeof(cmd)))
		return -EFAULT;
	if (cmd.cmd >= SEV_MAX)
		return -EINVAL;
	ret = serve(&cmd);
	return copy_to_user(user, &cmd, sizeof(cmd)) ? -EFAULT : ret;
}

static const struct file_operations node_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = node_ioctl,
};

static struct miscdevice node = {
	.minor = MISC_DYNAMIC_MINOR,
	.fops = &node_fops,
};
static bool made;

bool kapi_sev_node_is(int fd)
{
	struct file *const file = fget(fd);
	const bool is = file && file->f_op == &node_fops;

	if (file)
		fput(file);
	return is;
}

/* The driver of a real one has it, or something else of that name is there. */
static bool taken(const char *name)
{
	char *const at = kasprintf(GFP_KERNEL, "/dev/%s", name);
	struct path path;
	int ret;

	if (!at)
		return true;
	ret = kern_path(at, 0, &path);
	if (!ret)
		path_put(&path);
	kfree(at);
	return !ret;
}

void gmem_sev_node_make(void)
{
	int ret;

	if (!*sev_node)
		return;
	if (boot_cpu_has(X86_FEATURE_SEV)) {
		pr_warn("this machine has SEV: no device node for the SNP model\n");
		return;
	}
	if (taken(sev_node)) {
		pr_warn("/dev/%s is there already: no device node for the SNP model\n", sev_node);
		return;
	}
	node.name = sev_node;
	ret = misc_register(&node);
	if (ret) {
		pr_warn("no device node /dev/%s for the SNP model (error %d)\n", sev_node, ret);
		return;
	}
	made = true;
	pr_info("/dev/%s is a model of SEV-SNP's firmware, which protects nothing\n", sev_node);
}

void gmem_sev_node_drop(void)
{
	if (made)
		misc_deregister(&node);
}
