/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary by which root orders misdeeds of the SNP model (guest/misdeeds.h).
 */
#ifndef GMEM_KAPI_MISDEEDS_H
#define GMEM_KAPI_MISDEEDS_H

#ifdef __cplusplus
extern "C" {
#endif

/* The file of them in @dir, for module init (kapi/misdeeds.c). */
struct dentry;
void gmem_misdeeds_debugfs(struct dentry *dir);

/* ==== the core's entries (guest/misdeeds.cc) ================================================== */

/* @name is to be done @times times, after @after occasions. -EINVAL: there is none such. */
int gmem_misdeed_order(const char *name, unsigned int times, unsigned int after);
/* A line for each by kapi_seq_print(): name, times and occasions that are left, times done. */
void gmem_misdeeds_show(void *seq);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_MISDEEDS_H */
