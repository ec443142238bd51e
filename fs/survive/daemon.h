/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Daemon: going to the background, and protection of the process.
 *
 * The fork comes first, before anything is opened or any thread is started;
 * the parent waits for the child's verdict, so that whoever started the program
 * sees errors and knows, when it returns, that the mount works.
 */
#ifndef FS_DAEMON_H
#define FS_DAEMON_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct daemon {
	int verdict; /* write end of the pipe to the parent, -1 = foreground */
};

/*
 * Close all descriptors but the standard ones: a daemon that keeps the pipes
 * and files of its caller open makes scripts hang, and its workers could use
 * them. daemon_fork() does it for the child.
 */
void daemon_close_inherited(void);

/*
 * Fork. In the child returns 0 (or -errno without having forked); the parent
 * does not return: it ends with status 0 once daemon_ready() was called in the
 * child, else with 1.
 */
int daemon_fork(struct daemon *d);

/*
 * In the child, when it works: leave the terminal, let the parent go. Does
 * nothing in the foreground. 0 or -errno.
 */
int daemon_ready(struct daemon *d);

/*
 * For a child that has the standard files, too: log to syslog, and have @null,
 * which it opened while it could, in their place. 0 or -errno.
 */
int daemon_open_null(void);
int daemon_let_go_of_files(int null);

/*
 * The signals that tell a process of the daemon to do something: to end, and
 * SIGUSR2. They are blocked everywhere and read by one thread of each process.
 */
void daemon_signals(sigset_t *set);
void daemon_block_signals(void);

/*
 * Make the process a bad choice for the kernel to kill or to wait for: as far
 * as it is permitted. Before any thread is started. Fills process_notes.
 */
void daemon_protect(void);

#endif
