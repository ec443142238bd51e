/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers that need what the kernel has not written back.
 *
 * What a program stores through a shared mapping, and with the option writeback
 * what it writes at all, stays with the kernel for up to half a minute, and
 * until then the block table calls it a hole, or knows of no such place in the
 * file. The kernel does not write it back before it asks where data is (LSEEK)
 * or how much there is (GETATTR); it does when it is told to drop cached pages,
 * with WRITE requests that somebody has to answer meanwhile. So threads of this
 * pool tell it, only for what would be called a hole, and answer then. A page
 * with data stays cached.
 *
 * With that option (FUSE_WRITEBACK_CACHE; zsfs_super.writeback) the kernel is
 * the one that knows size, mtime and ctime of every regular file that it has
 * looked up. It takes none of them from an answer any more, and tells them with
 * SETATTR: the times when it has written back, when a file is closed, linked or
 * renamed, and before it forgets the file. So a WRITE leaves the times alone
 * (WRITE_KEEP_TIMES), a size here is one that may still grow, and all three are
 * right once the file was closed, whoever serves by then. What it does not keep
 * is how many blocks there are (state/late.h).
 *
 * A thread that waits there cannot be killed before it is answered. The
 * threads therefore only read the arena, are not among those whose death a
 * successor waits for (shared_page.h), and wait for a bounded range at a time.
 */
#ifndef FS_WRITEBACK_H
#define FS_WRITEBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuse_req;
struct writeback;
struct zsfs;

/* For the connection @fd. 0 or -errno; one thread waits, others follow. */
int writeback_start(struct zsfs *fs, int fd, struct writeback **out);
/* The connection has ended, or no request was ever deferred. */
void writeback_stop(struct writeback *w);

/*
 * Take over the answer to a request: to GETATTR, or to LSEEK from @off for a
 * hole or for data. False when there is no memory for it: then the caller
 * answers.
 */
bool writeback_getattr(struct writeback *w, struct fuse_req *req,
		       uint64_t nodeid);
bool writeback_seek(struct writeback *w, struct fuse_req *req, uint64_t nodeid,
		    uint64_t off, bool hole);
/* To the ioctl @cmd that gets flags, with room for @size bytes (ops.h). */
bool writeback_getflags(struct writeback *w, struct fuse_req *req,
			uint64_t nodeid, unsigned cmd, size_t size);

/*
 * A late WRITE of @len bytes at @off is about to be refused: drop the pages,
 * which hold what is not stored. Not done when there is no memory for it.
 */
void writeback_drop(struct writeback *w, uint64_t nodeid, uint64_t off,
		    uint64_t len);

/*
 * For a handler of a crash: no core is to be dumped while the kernel writes
 * back, because that would wait for a thread that waits for a successor.
 */
void writeback_before_crash(void);

#endif
