/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtual files: .zsstats/ and .zsctl/ in the root.
 *
 * They are found by name and not listed with the root. Opening does not reach
 * the daemon, so the snapshot of a file's text is taken at LOOKUP: every LOOKUP
 * makes a new nodeid with the rendered text and its exact size, which lives
 * until the kernel forgets it. Snapshots live in the arena.
 */
#ifndef FS_VFILE_H
#define FS_VFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "knobs.h"

struct zsfs;
struct zsfs_thread;
struct tx;

/*
 * Snapshots of other builds have these numbers: a new file comes last, or it is
 * another ZSFS_LAYOUT.
 */
#define VF_CONTROL_ID(id, ...) VF_##id,
#define VF_NO_FILE(...)
enum vfile_id {
	VF_STATS_DIR,
	VF_CTL_DIR,
	VF_CLASSES,
	VF_FULLNESS,
	VF_MM_STAT,
	VF_IO_STAT,
	VF_STATS_JSON,
	VF_TIERS,
	KNOBS(VF_NO_FILE, VF_NO_FILE, VF_CONTROL_ID, VF_CONTROL_ID) VF_METRICS,
	VF_NR,
};
#undef VF_CONTROL_ID
#undef VF_NO_FILE

/*
 * The same as writing a value to a file of .zsctl, also where the mount is
 * read-only. The text ends with its first NUL, or the array.
 */
#define VFILE_VALUE_SIZE 64u
#define VFILE_SET	 _IOW('z', 1, char[VFILE_VALUE_SIZE])

/* Nodeids from here on are virtual. */
#define VFILE_NODEID (UINT64_C(1) << 62)

static inline bool vfile_is(uint64_t nodeid)
{
	return nodeid >= VFILE_NODEID;
}

/*
 * Is @name in directory @parent one of ours, which nobody may make or remove?
 */
bool vfile_reserved(uint64_t parent, const char *name);
/* May the kernel remember that @name is not in @parent? */
bool vfile_no_negative(uint64_t parent, const char *name);

struct vfile_entry {
	uint64_t nodeid;
	struct stat st;
	bool volatile_entry; /* look it up anew each time */
};

/*
 * Look @name up in the root or a virtual directory for user @uid; takes the
 * snapshot of a file, an empty one of what is hidden from that user. A complete
 * transaction of @th by itself unless it fails. The reply must be built from
 * @out by @reply before the commit. Uses the thread's stage_buf. -ENOENT,
 * -ENFILE (too many snapshots, see snapshot.h), -ENOTDIR.
 */
int vfile_lookup(struct zsfs_thread *th, uint64_t parent, const char *name,
		 uint32_t uid,
		 void (*reply)(void *arg, const struct vfile_entry *e),
		 void *arg);

int vfile_getattr(struct zsfs *fs, uint64_t nodeid, struct stat *st);
/* Text of a snapshot; good until the kernel forgets the nodeid. */
int vfile_text(struct zsfs *fs, uint64_t nodeid, const char **text,
	       size_t *len);
/*
 * By user @uid. Values are set as the mounter's where both who looked the file
 * up and who writes are that user, or root: a program with more rights can be
 * made to write to a descriptor that somebody else has opened.
 */
int vfile_write(struct zsfs_thread *th, uint64_t nodeid, const char *buf,
		size_t len, uint64_t off, uint32_t uid);
/* Entry number @pos (from 0) of a virtual directory; false at the end. */
bool vfile_dir_entry(uint64_t nodeid, unsigned pos, const char **name,
		     struct stat *st);
/*
 * The text of the attribute STATS_NAME of the root, for user @uid: statistics
 * in one request. Those of a file take three, or four where somebody has looked
 * before: then the kernel asks whether its name is still the same file, which
 * no snapshot is. In @th's stage_buf, without a transaction. Its length, or
 * -EACCES where statistics are hidden from that user.
 */
#define STATS_NAME "zsfs.stats"
int vfile_summary(struct zsfs_thread *th, uint32_t uid, const char **text);
void vfile_forget(struct zsfs_thread *th, uint64_t nodeid, uint64_t n,
		  uint64_t *consumed);
/* All that the kernel knew of, when it has forgotten it. */
void vfile_forget_all(struct zsfs_thread *th);

/*
 * Render the text of a file (stats.c, control.c) into @buf of @size bytes.
 * Returns its length, or -errno: -ENOENT for a knob without a file. Files of
 * .zsstats must be consistent in themselves.
 */
int stats_render(struct zsfs *fs, enum vfile_id id, char *buf, size_t size);
int control_render(struct zsfs *fs, enum knob_id id, char *buf, size_t size);
/* stats.json without the classes, which are most of it. */
int stats_summary(struct zsfs *fs, char *buf, size_t size);

/* The value of a knob that is shown, as its option takes it. */
void control_show(struct zsfs *fs, enum knob_id id, struct textbuf *t);

/*
 * Execute a write of @len bytes (not terminated) to a control file. 0 or
 * -errno: -EINVAL for a value that is not allowed (nothing is changed), -EBUSY
 * when the same long work is already under way, -EPERM for a knob without a
 * file, or with @bounded for a value beyond what the mounter set
 * (state/ceiling.h), and then -EAGAIN for what would keep others waiting again
 * too soon. The log and last_cmd_status then say why. @th is the calling
 * thread's context, with no transaction open.
 */
int control_write(struct zsfs *fs, struct zsfs_thread *th, bool bounded,
		  enum knob_id id, const char *buf, size_t len);

/* A write was refused for what @why says: log and last_cmd_status say it. */
void control_refuse(struct zsfs *fs, const char *why);

#endif
