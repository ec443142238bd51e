/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scrub: all content is read and held against its checksums, so that damage is
 * found before somebody wants what it hit.
 *
 * Files are walked group by group (group.h), each under its inode's lock,
 * shared, and nothing else: who reads is not in the way, who writes waits for
 * one group, and what is written, moved or removed meanwhile is no damage. It
 * changes nothing, neither times nor what counts as use of a block. Words that
 * are repeated stand in the tables and have no checksum.
 */
#ifndef FS_SCRUB_H
#define FS_SCRUB_H

#include <stdint.h>

struct zsfs_thread;

/* Neighbouring blocks of a file that are damaged, stored in the same way. */
struct scrub_bad {
	uint64_t inode; /* number */
	uint64_t first, last;
	const char *form; /* slot_form_name() */
};

/* What who wants it is told, with nothing locked. */
struct scrub_watch {
	/* After each group: @blocks were read, of which @bad are damaged. */
	void (*read)(void *arg, unsigned blocks, unsigned bad);
	void (*bad)(void *arg, const struct scrub_bad *b);
	void *arg;
};

/*
 * Read all. @th has no transaction open, and nothing is locked; a check of all
 * that waits for it goes first. 0, also with damage; -EINTR as soon as
 * zsfs_is_interrupted(); -ENOMEM.
 */
int zsfs_scrub(struct zsfs_thread *th, const struct scrub_watch *watch);

#endif
