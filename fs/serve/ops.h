/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * FUSE operations: each takes a request apart, runs the operation (namei.h,
 * file.h) in a transaction, replies, and commits. One place turns -errno into
 * FUSE's sign, and every request gets exactly one reply.
 */
#ifndef FS_OPS_H
#define FS_OPS_H

#define FUSE_USE_VERSION 35
#include <fuse_lowlevel.h>

#include "content/file.h"
#include "state/inode.h"
#include "state/late.h"
#include "state/zsfs.h"

struct usage_walk;

/* The kernel may keep what it learned: nobody else changes the files. */
#define CACHE_FOREVER  (10.0 * 365 * 24 * 3600)
#define SHORTEST_CACHE 0.001

/*
 * What a mount answers to: all, or all but extended attributes. The kernel does
 * not ask again for what is not answered, and no longer asks by itself before
 * the first write to a file, a truncation or a chown either.
 */
struct fuse_lowlevel_ops ops_of(const struct zsfs *fs);

/* Reply with an error: @err is 0 or -errno. */
void reply_error(fuse_req_t req, int err);

/* Abort @tx and reply with @err. */
void reply_abort(fuse_req_t req, struct tx *tx, int err);

/* Reply with an error or success and no data, and end the transaction. */
void reply_done(fuse_req_t req, struct tx *tx, int err);

/* Reply with the entry of @i (NULL: the name does not exist), and commit. */
void reply_entry(fuse_req_t req, struct tx *tx, const struct zinode *i);

/* Reply to LSEEK for data or a hole. */
void reply_seek(fuse_req_t req, const struct seek *s, bool hole);

/*
 * Reply to who asked for the usage of a file or folder, with what @w found
 * (usage_walk.h) in @size bytes or @err.
 */
void reply_usage(fuse_req_t req, const struct usage_walk *w, int err,
		 size_t size);

/*
 * Is it a file of which nothing is stored? Then nobody may believe that for
 * long: the kernel may have pages of it (writeback.h), with a cache of writes
 * even of one that is empty here.
 */
static inline bool is_bare(const struct zsfs *fs, const struct zinode *i)
{
	return S_ISREG(i->mode) && !i->blocks &&
	       (i->size || fs->super->writeback);
}

/*
 * For how many seconds the kernel may keep the attributes of @i. While a new
 * file is being written each write(2) looks at them, so there it is one tick of
 * the kernel's clock.
 */
static inline double attr_timeout(struct zsfs *fs, const struct zinode *i)
{
	if (is_bare(fs, i))
		return i->size ? 0 : SHORTEST_CACHE;
	return late_is_recent(fs, inode_nodeid(fs, i)) ? LATE_MSECS / 1000.0
						       : CACHE_FOREVER;
}

void fill_entry(struct zsfs *fs, const struct zinode *i,
		struct fuse_entry_param *e);

/* ops_dir.c */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent,
		const char *name);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
	     const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t newparent, const char *newname, unsigned flags);

/* ops_readdir.c */
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		struct fuse_file_info *fi);
/*
 * Note for op_readdirplus() that a name was looked up in directory @ino: who
 * reads it wants more than names. For request threads, without locks.
 */
void readdir_note_lookup(struct zsfs *fs, fuse_ino_t ino);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi);

/*
 * The handle of a file that was opened for writing. Others have 0: no state is
 * kept for an open file, and RELEASE may never come.
 */
#define FH_WRITER 1u

/* ops_file.c */
/* An answer to OPEN or CREATE, but for what is special. */
void fill_open(struct fuse_file_info *fi);
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	     struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
	      off_t off, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off,
		  off_t len, struct fuse_file_info *fi);
void op_copy(fuse_req_t req, fuse_ino_t from, off_t from_off,
	     struct fuse_file_info *from_fi, fuse_ino_t to, off_t to_off,
	     struct fuse_file_info *to_fi, size_t len, int flags);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
	      struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	      struct fuse_file_info *fi);

/* ops_ioctl.c */
void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg,
	      struct fuse_file_info *fi, unsigned flags, const void *in_buf,
	      size_t in_size, size_t out_size);
/*
 * Reply to FS_IOC_GETFLAGS or FS_IOC_FSGETXATTR (@cmd), which has room for
 * @size bytes, with these flags.
 */
void reply_flags(fuse_req_t req, unsigned cmd, uint32_t flags, size_t size);

/* ops_attr.c */
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi);
void op_readlink(fuse_req_t req, fuse_ino_t ino);
void op_statfs(fuse_req_t req, fuse_ino_t ino);

/* ops_xattr.c */
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
