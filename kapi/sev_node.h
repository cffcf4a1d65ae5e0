/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the SNP model shows: its device node (kapi/sev_node.c), its launches and what attestation
 * takes in debugfs (kapi/launches.c, kapi/attestation.c), for module init and exit.
 */
#ifndef GMEM_KAPI_SEV_NODE_H
#define GMEM_KAPI_SEV_NODE_H

/* Makes it unless the machine has SEV; what keeps it from being made is in the log. Sleeps. */
void gmem_sev_node_make(void);
/* It is not open. */
void gmem_sev_node_drop(void);

/* Files of the launches in @dir (kapi/launches.c). */
struct dentry;
void gmem_launches_debugfs(struct dentry *dir);
/* Those of attestation (kapi/attestation.c). */
void gmem_attestation_debugfs(struct dentry *dir);

#endif /* GMEM_KAPI_SEV_NODE_H */
