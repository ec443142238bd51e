/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting: requests that were read and wait in the memory of this process. The
 * kernel still has them: if this process dies, they come once more. So none is
 * here that has no answer.
 *
 *   put aside  They may take long, and others were behind them (receive.h).
 *   put back   They were begun, find no memory, and have had their time for
 *              now (room.h).
 *   resent     They came again after a takeover: what threads had, and what
 *              waited.
 *
 * While one waits, the connection is O_NONBLOCK: nobody sleeps in read(2)
 * instead of taking it.
 *
 * They are taken by users in turns: of all, the one whose user was served the
 * longest time ago; of the same user, the oldest. As fair queueing (J. Nagle,
 * RFC 970), by requests. Every other time one that was put back and has little
 * content is first, if there is one, and always one whose time is over.
 */
#ifndef FS_WAITING_H
#define FS_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuse_in_header;

/*
 * Most bytes of memory and requests of what was put aside, and as many bytes
 * again of what was put back with content. Two mappings of the longest request
 * may be there besides, to be used again.
 */
#define WAITING_MAX_BYTES ((size_t)32 << 20)
#define WAITING_MAX	  256u
/* What is as long may have content; what is shorter has little. */
#define WAITING_LITTLE 4096u
/* For waiting_keep(): as many as there are. */
#define WAITING_ANY SIZE_MAX

/*
 * Drop all: a takeover begins, or the connection has ended, which is not
 * touched. While no request thread runs.
 */
void waiting_clear(void);

/*
 * Keep a copy of request @in of connection @fd, complete in its buffer, if
 * there are at most WAITING_MAX and @most bytes then, or any number for
 * WAITING_ANY. @until is kept with it: not 0 when it has been
 * begun, and until when on clock_ms() it may look for room. False when
 * there would be more, or for want of memory: the caller still has it.
 */
bool waiting_keep(int fd, const struct fuse_in_header *in, size_t most,
		  uint64_t until);

/*
 * What waiting_take() gave waits again, behind others, with @until. There may
 * be one more for each thread so than waiting_keep() allows.
 */
void waiting_return(struct fuse_in_header *in, uint64_t until);
/* What is kept with it, or 0. */
uint64_t waiting_until(const struct fuse_in_header *in);

/* Take the next one, with its body; NULL when none waits. The caller frees it.
 */
struct fuse_in_header *waiting_take(void);

/* NULL is allowed. */
void waiting_free(struct fuse_in_header *in);

/* Does one wait? May have changed when it is told. */
bool waiting_any(void);

/* Have the connection @fd be O_NONBLOCK, or not. 0 or -errno. */
int waiting_set_nonblocking(int fd, bool on);

#endif
