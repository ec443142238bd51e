/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Is what was read a request? libfuse and the operations believe lengths, and
 * that names end, so a request is looked at once before any of them is: that
 * nothing it says lies behind its end. The kernel makes no others.
 */
#ifndef FS_REQUEST_CHECK_H
#define FS_REQUEST_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuse_in_header;
struct zsfs_super;

/* Of the protocol since 7.45; older headers lack it. */
#define OPCODE_COPY_FILE_RANGE_64 53u

/*
 * @len bytes were read to @in, at least a header. True: that is its length; the
 * fixed part of its opcode is there, the names behind it end, name an entry of
 * a directory where they are to, and the data is as long as they say. Of an
 * opcode that nobody knows only the length counts. @super says what was agreed.
 */
bool request_is_sound(const struct zsfs_super *super,
		      const struct fuse_in_header *in, size_t len);

/*
 * May it take much longer than others? By what the request at @in says, which
 * has at least its fixed part's room and some bytes more in its buffer.
 */
bool request_may_take_long(const struct fuse_in_header *in);

/* Does the kernel wait for an answer to one with this @opcode? */
bool request_has_answer(uint32_t opcode);

#endif
