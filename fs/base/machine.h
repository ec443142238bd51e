/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Environment: what the machine and the daemon's control group offer.
 *
 * Everything is read below a root directory ("" for the real one), so that
 * tests can set up any machine.
 */
#ifndef FS_MACHINE_H
#define FS_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

struct environment {
	uint64_t ram; /* bytes of the machine; 0 = could not be read */
	/*
	 * Smallest memory limit of the process's control group and all groups
	 * above it, version 1 and 2; 0 = none.
	 */
	uint64_t cgroup;
	unsigned cpus;	 /* this process may run on, >= 1 */
	bool privileged; /* effective uid 0 */
	bool selinux;	 /* is in use */
};

/* Never fails: what cannot be read is left at its "none" value. */
void machine_read(const char *root, struct environment *env);

/* Bytes of RAM the machine has, and bytes it could still give; 0 = unknown. */
uint64_t machine_ram(const char *root);
uint64_t machine_ram_available(const char *root);

/* The limit of all control groups the process is in, as above. */
uint64_t machine_cgroup_limit(const char *root);

/*
 * Bytes that could be had now, page cache that would be dropped for them
 * included: of the RAM and of every limit above. 0 = unknown.
 */
uint64_t machine_room(const char *root);

/*
 * Processes that the kernel has killed for want of memory: of this process's
 * control group, where that has a count of it, else of the machine. A
 * descriptor to read it by, the caller's, or -1; and the number, 0 when it
 * cannot be read.
 */
int machine_open_oom(const char *root);
uint64_t machine_read_oom(int fd);

/* Half of the smaller of RAM and control group limit: mem_limit's default. */
uint64_t machine_default_mem_limit(const struct environment *env);

/* As many as that has pages: nr_inodes's default, as on tmpfs; 0 = unknown. */
uint64_t machine_default_nr_inodes(const struct environment *env);

/* Undo the octal escapes of mountinfo in place. */
void machine_unescape(char *s);

/* CPUs this process may run on. */
unsigned machine_cpus(void);

/*
 * What was possible for this process, for stats.json. Set by main() before any
 * thread is started, only read afterwards.
 */
struct process_notes {
	bool privileged;    /* started by root */
	bool oom_protected; /* oom_score_adj lowered */
	bool io_flusher;    /* PR_SET_IO_FLUSHER granted */
	unsigned helpers;   /* of the compression crew, as asked for */
};

extern struct process_notes process_notes;

#endif
