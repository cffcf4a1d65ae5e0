// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module: parameters, init and exit.
 */
#define pr_fmt(fmt) "gmem: " fmt

#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/string.h>

#include "guest.h"
#include "hooks.h"
#include "misdeeds.h"
#include "reserve.h"
#include "sev_node.h"
#include "stats.h"
#include "vc.h"

static char *backend = "gmem";
module_param(backend, charp, 0444);
MODULE_PARM_DESC(backend, "who serves guest_memfd: gmem (default), or stock to leave it to KVM");

static char *huge = "always";
module_param(huge, charp, 0444);
MODULE_PARM_DESC(huge, "huge runs: never, advise or always (default)");

static bool extensions = true;
module_param(extensions, bool, 0444);
MODULE_PARM_DESC(extensions, "flags and ioctls that the running kernel has not (default y)");

static bool sw_protected = true;
module_param(sw_protected, bool, 0444);
MODULE_PARM_DESC(sw_protected, "make software-protected VMs where the kernel does not (default y)");

static unsigned int reserve_1g;
module_param(reserve_1g, uint, 0444);
MODULE_PARM_DESC(reserve_1g, "blocks of 1 GiB to set aside for guests (default 0)");

static unsigned int promotion_mib = 2048;
module_param(promotion_mib, uint, 0644);
MODULE_PARM_DESC(promotion_mib,
		 "MiB a second copied to make runs huge again (default 2048), 0 for none");

static const char *const backends[] = { "gmem", "stock" };
static const char *const huge_policies[] = {
	[KAPI_HUGE_NEVER] = "never",
	[KAPI_HUGE_ADVISE] = "advise",
	[KAPI_HUGE_ALWAYS] = "always",
};

static char *platform = "none";
module_param(platform, charp, 0444);
MODULE_PARM_DESC(platform,
		 "what software-protected VMs run on: none (default), snp-model or tdx-model");

static const char *const platforms[] = {
	[KAPI_PLATFORM_NONE] = "none",
	[KAPI_PLATFORM_SNP_MODEL] = "snp-model",
	[KAPI_PLATFORM_TDX_MODEL] = "tdx-model",
};

static char *snp_guests = "asked";
module_param(snp_guests, charp, 0444);
MODULE_PARM_DESC(snp_guests,
		 "which guests on snp-model know SNP: asked, those whose launch asks for it (default), aware, all, or aware-vc, all, and they get #VC");

static const char *const snp_guest_kinds[] = {
	[KAPI_SNP_GUESTS_ASKED] = "asked",
	[KAPI_SNP_GUESTS_AWARE] = "aware",
	[KAPI_SNP_GUESTS_AWARE_VC] = "aware-vc",
};

static enum kapi_platform vm_platform;
static enum kapi_snp_guests vm_snp_guests;
static enum kapi_huge huge_policy;
static bool backend_stock;
static struct dentry *debugfs;

enum kapi_huge kapi_setting_huge(void)
{
	return huge_policy;
}

enum kapi_platform kapi_setting_platform(void)
{
	return vm_platform;
}

enum kapi_snp_guests kapi_setting_snp_guests(void)
{
	return vm_snp_guests;
}

bool kapi_setting_backend_stock(void)
{
	return backend_stock;
}

unsigned int kapi_setting_promotion_mib(void)
{
	return READ_ONCE(promotion_mib);
}

bool kapi_self_get(void)
{
	return try_module_get(THIS_MODULE);
}

void kapi_self_put(void)
{
	module_put(THIS_MODULE);
}

static const char *str_y_n(bool yes)
{
	return yes ? "y" : "n";
}

static unsigned int wanted_features(void)
{
	unsigned int wanted = 0;

	if (!backend_stock)
		wanted |= KAPI_FEATURE_BACKEND;
	if (sw_protected)
		wanted |= KAPI_FEATURE_SW_PROTECTED;
	if (extensions)
		wanted |= KAPI_FEATURE_HOLES;
	if (extensions && !backend_stock)
		wanted |= KAPI_FEATURE_SHARED;
	if (vm_platform == KAPI_PLATFORM_SNP_MODEL && sw_protected && !backend_stock)
		wanted |= KAPI_FEATURE_SNP_VMS;
	if (wanted & KAPI_FEATURE_SNP_VMS && kapi_guests_get_vc())
		wanted |= KAPI_FEATURE_SNP_VC;
	return wanted;
}

static int __init gmem_init(void)
{
	const int backend_nr = match_string(backends, ARRAY_SIZE(backends), backend);
	const int platform_nr = match_string(platforms, ARRAY_SIZE(platforms), platform);
	const int huge_nr = match_string(huge_policies, ARRAY_SIZE(huge_policies), huge);
	const int guests_nr = match_string(snp_guest_kinds, ARRAY_SIZE(snp_guest_kinds),
					   snp_guests);
	int ret;

	if (backend_nr < 0) {
		pr_err("backend=%s: neither gmem nor stock\n", backend);
		return -EINVAL;
	}
	if (huge_nr < 0) {
		pr_err("huge=%s: neither never, advise nor always\n", huge);
		return -EINVAL;
	}
	huge_policy = huge_nr;
	if (platform_nr < 0) {
		pr_err("platform=%s: neither none, snp-model nor tdx-model\n", platform);
		return -EINVAL;
	}
	vm_platform = platform_nr;
	if (guests_nr < 0) {
		pr_err("snp_guests=%s: neither asked, aware nor aware-vc\n", snp_guests);
		return -EINVAL;
	}
	vm_snp_guests = guests_nr;

	backend_stock = backend_nr == 1;
	ret = gmem_attach(wanted_features());
	if (ret)
		return ret;
	/* From here on KVM's calls come to us, and loading must not fail. */
	if (gmem_reserve_fill(reserve_1g) < reserve_1g)
		pr_warn("reserve_1g=%u: only %u blocks to be had\n", reserve_1g,
			kapi_pages_reserved());
	debugfs = debugfs_create_dir("gmem", NULL);
	if (kapi_feature(KAPI_FEATURE_SNP_VMS)) {
		gmem_sev_node_make();
		gmem_launches_debugfs(debugfs);
		gmem_misdeeds_debugfs(debugfs);
		gmem_attestation_debugfs(debugfs);
	}
	gmem_calls_debugfs(debugfs);
	gmem_stats_debugfs(debugfs);
	pr_info("attached to KVM, backend=%s huge=%s platform=%s sw_protected=%s extensions=%s\n",
		backend, huge, platform, str_y_n(kapi_feature(KAPI_FEATURE_SW_PROTECTED)),
		str_y_n(kapi_feature(KAPI_FEATURE_HOLES)));
	if (!kapi_kvm_tdp_mmu())
		pr_warn("KVM runs without its TDP MMU: no software-protected VMs, %s\n",
			kapi_kvm_has_shared_slots() ? "no conversion in place" :
						      "no mappable files");
	return 0;
}

static void __exit gmem_exit(void)
{
	debugfs_remove(debugfs);
	gmem_sev_node_drop();
	gmem_detach();
	gmem_pci_hole_exit();
	gmem_reserve_drop();
	pr_info("detached from KVM\n");
}

module_init(gmem_init);
module_exit(gmem_exit);

MODULE_DESCRIPTION("guest_memfd for KVM: huge runs, in-place conversion, any in-kernel holder");
MODULE_VERSION(GMEM_VERSION);
MODULE_LICENSE("GPL");
