/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages to the system's log, as syslog(3) sends them, through a socket that
 * is opened once: who confines itself can open none. The log daemon is looked
 * up for every message, so it may be started anew at any time; what is said
 * meanwhile is lost, as with syslog(3).
 */
#ifndef FS_SYSLOG_SOCKET_H
#define FS_SYSLOG_SOCKET_H

/*
 * Open the socket, and read the time zone; again it does nothing. @path: of the
 * log daemon's socket, NULL = where it always is. Before threads are started.
 */
void syslog_socket_open(const char *path);

/* One line of @level as the program "zsfs", facility daemon. Any thread. */
void syslog_socket_send(int level, const char *text);

#endif
