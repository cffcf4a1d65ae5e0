/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A descriptor handed to another process, over one end of a socketpair().
 */
#ifndef SELFTESTS_FDS_H
#define SELFTESTS_FDS_H

void fd_send(int socket, int fd);
int fd_receive(int socket);

#endif
