/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device node of the SNP model (kapi/sev_node.c), for module init and exit.
 */
#ifndef GMEM_KAPI_SEV_NODE_H
#define GMEM_KAPI_SEV_NODE_H

/* Makes it unless the machine has SEV; what keeps it from being made is in the log. Sleeps. */
void gmem_sev_node_make(void);
/* Nobody has it open. */
void gmem_sev_node_drop(void);

#endif /* GMEM_KAPI_SEV_NODE_H */
