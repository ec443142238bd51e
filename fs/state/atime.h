/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Times of access: which reads set them.
 *
 * The kernel leaves that to whoever serves, and sends no flags of a mount with
 * a request. So those of the mount that was made are looked up in the mount
 * table, again whenever that has changed; bind mounts may have others, which
 * nobody sees here. What an ordinary user asked for is in no flag.
 */
#ifndef FS_ATIME_H
#define FS_ATIME_H

#include <pthread.h>
#include <stdbool.h>

struct mount_place;
struct zsfs;

/* In struct zsfs. */
struct atime {
	pthread_mutex_t lock;		 /* of looking; a leaf */
	const struct mount_place *place; /* NULL: there is no mount */
	int table;			 /* mountinfo, for poll(); -1 = none */
	unsigned mode; /* enum zsfs_atime | ATIME_NODIR; atomic */
};

#define ATIME_NODIR (1u << 8)

/* As the super says. */
void atime_init(struct zsfs *fs);
/* As the mount at @p says, which stays the caller's and in place. */
void atime_follow(struct zsfs *fs, const struct mount_place *p);
void atime_destroy(struct zsfs *fs);

/* Look at the flags again if the mount table has changed. Any thread. */
void atime_look(struct zsfs *fs);

/*
 * Shall this reading be stamped? @due: relatime would. Looks at the flags where
 * it may be so.
 */
bool atime_wanted(struct zsfs *fs, bool is_dir, bool due);

/* "relatime" and so on. */
const char *atime_word(const struct zsfs *fs);

#endif
