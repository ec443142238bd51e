/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Client CPU: on which CPU a process ran last, from field 39 of its
 * /proc/PID/stat.
 *
 * The file stays open for the next question about the same process, which then
 * costs one pread(2).
 */
#ifndef FS_CLIENT_CPU_H
#define FS_CLIENT_CPU_H

#include <stdint.h>
#include <sys/types.h>

/* Begins as {.fd = -1}; of one thread at a time. */
struct client_cpu {
	pid_t pid;
	int fd; /* of its stat; -1 = none */
};

/*
 * The CPU that thread @pid runs on, or ran on last. -1: not known, because the
 * process has ended, or @pid is none that is visible from here (0 stands for
 * such a one in the header of a request). Waits while the process executes
 * another program or ends, which may wait for its files: not for a thread that
 * answers requests.
 */
int client_cpu_read(struct client_cpu *c, pid_t pid);

/* Close the file. */
void client_cpu_forget(struct client_cpu *c);

#endif
