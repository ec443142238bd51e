/* SPDX-License-Identifier: BSD-3-Clause */
/* Is what was read a request (see request_check.h)? */
#include "request_check.h"

#include <linux/fuse.h>
#include <stdint.h>
#include <string.h>

#include "control/vfile.h"
#include "forget.h"
#include "init_reply.h"
#include "state/layout.h"
#include "statx.h"

enum names {
	NO_NAME,
	ENTRY,	/* of a directory */
	LOOKUP, /* the same, or one of the dots */
	ENTRIES,
	TARGET, /* of a symlink, behind its entry */
	WORD,	/* any */
};

/* What is behind the header. */
static const struct shape {
	uint8_t fixed; /* bytes */
	uint8_t names; /* enum names */
} shapes[] = {
	[FUSE_LOOKUP] = {0, LOOKUP},
	[FUSE_FORGET] = {sizeof(struct fuse_forget_in), NO_NAME},
	[FUSE_GETATTR] = {sizeof(struct fuse_getattr_in), NO_NAME},
	[FUSE_SETATTR] = {sizeof(struct fuse_setattr_in), NO_NAME},
	[FUSE_SYMLINK] = {0, TARGET},
	[FUSE_MKNOD] = {sizeof(struct fuse_mknod_in), ENTRY},
	[FUSE_MKDIR] = {sizeof(struct fuse_mkdir_in), ENTRY},
	[FUSE_UNLINK] = {0, ENTRY},
	[FUSE_RMDIR] = {0, ENTRY},
	[FUSE_RENAME] = {sizeof(struct fuse_rename_in), ENTRIES},
	[FUSE_LINK] = {sizeof(struct fuse_link_in), ENTRY},
	[FUSE_OPEN] = {sizeof(struct fuse_open_in), NO_NAME},
	[FUSE_READ] = {sizeof(struct fuse_read_in), NO_NAME},
	[FUSE_WRITE] = {sizeof(struct fuse_write_in), NO_NAME},
	[FUSE_RELEASE] = {sizeof(struct fuse_release_in), NO_NAME},
	[FUSE_FSYNC] = {sizeof(struct fuse_fsync_in), NO_NAME},
	[FUSE_SETXATTR] = {FUSE_COMPAT_SETXATTR_IN_SIZE, WORD},
	[FUSE_GETXATTR] = {sizeof(struct fuse_getxattr_in), WORD},
	[FUSE_LISTXATTR] = {sizeof(struct fuse_getxattr_in), NO_NAME},
	[FUSE_REMOVEXATTR] = {0, WORD},
	[FUSE_FLUSH] = {sizeof(struct fuse_flush_in), NO_NAME},
	[FUSE_INIT] = {4 * sizeof(uint32_t), NO_NAME},
	[FUSE_OPENDIR] = {sizeof(struct fuse_open_in), NO_NAME},
	[FUSE_READDIR] = {sizeof(struct fuse_read_in), NO_NAME},
	[FUSE_RELEASEDIR] = {sizeof(struct fuse_release_in), NO_NAME},
	[FUSE_FSYNCDIR] = {sizeof(struct fuse_fsync_in), NO_NAME},
	[FUSE_GETLK] = {sizeof(struct fuse_lk_in), NO_NAME},
	[FUSE_SETLK] = {sizeof(struct fuse_lk_in), NO_NAME},
	[FUSE_SETLKW] = {sizeof(struct fuse_lk_in), NO_NAME},
	[FUSE_ACCESS] = {sizeof(struct fuse_access_in), NO_NAME},
	[FUSE_CREATE] = {sizeof(struct fuse_create_in), ENTRY},
	[FUSE_INTERRUPT] = {sizeof(struct fuse_interrupt_in), NO_NAME},
	[FUSE_BMAP] = {sizeof(struct fuse_bmap_in), NO_NAME},
	[FUSE_IOCTL] = {sizeof(struct fuse_ioctl_in), NO_NAME},
	[FUSE_POLL] = {sizeof(struct fuse_poll_in), NO_NAME},
	[FUSE_NOTIFY_REPLY] = {sizeof(struct fuse_notify_retrieve_in), NO_NAME},
	[FUSE_BATCH_FORGET] = {sizeof(struct fuse_batch_forget_in), NO_NAME},
	[FUSE_FALLOCATE] = {sizeof(struct fuse_fallocate_in), NO_NAME},
	[FUSE_READDIRPLUS] = {sizeof(struct fuse_read_in), NO_NAME},
	[FUSE_RENAME2] = {sizeof(struct fuse_rename2_in), ENTRIES},
	[FUSE_LSEEK] = {sizeof(struct fuse_lseek_in), NO_NAME},
	[FUSE_COPY_FILE_RANGE] = {sizeof(struct fuse_copy_file_range_in),
				  NO_NAME},
	[FUSE_TMPFILE] = {sizeof(struct fuse_create_in), WORD},
	[OPCODE_STATX] = {sizeof(struct fuse_getattr_in), NO_NAME},
	[OPCODE_COPY_FILE_RANGE_64] = {sizeof(struct fuse_copy_file_range_in),
				       NO_NAME},
};

/* What is left of a request. */
struct rest {
	const char *at, *end;
};

/* The word that comes next, NULL: it does not end. */
static const char *take_word(struct rest *r)
{
	const char *word = r->at;
	const char *nul = memchr(word, '\0', (size_t)(r->end - word));

	if (!nul)
		return NULL;
	r->at = nul + 1;
	return word;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* What stands in a folder: "" is refused by who looks for it. */
static bool take_entry(struct rest *r, bool may_be_dots)
{
	const char *name = take_word(r);

	return name && !memchr(name, '/', (size_t)(r->at - name)) &&
	       (may_be_dots || !is_dots(name));
}

static bool take_names(struct rest *r, enum names names)
{
	switch (names) {
	case ENTRY:
		return take_entry(r, false);
	case LOOKUP:
		return take_entry(r, true);
	case ENTRIES:
		return take_entry(r, false) && take_entry(r, false);
	case TARGET:
		return take_entry(r, false) && take_word(r);
	case WORD:
		return take_word(r);
	default:
		return true;
	}
}

/* Content of so many bytes takes long. */
#define LONG_BYTES 65536u

/* Is there as much data as the fixed part says? */
static bool has_data(const struct fuse_in_header *in, size_t left)
{
	const void *body = in + 1;
	uint32_t n;

	switch (in->opcode) {
	case FUSE_WRITE:
		n = ((const struct fuse_write_in *)body)->size;
		return n <= left && n <= ZSFS_MAX_WRITE;
	case FUSE_SETXATTR:
		return ((const struct fuse_setxattr_in *)body)->size <= left;
	case FUSE_IOCTL:
		return ((const struct fuse_ioctl_in *)body)->in_size <= left;
	case FUSE_BATCH_FORGET:
		n = ((const struct fuse_batch_forget_in *)body)->count;
		return n <= left / sizeof(struct fuse_forget_one);
	default:
		return true;
	}
}

/* Bytes that come before names and data. */
static size_t fixed_size(const struct zsfs_super *s, uint32_t opcode)
{
	if (opcode == FUSE_SETXATTR &&
	    init_reply_has(s->init_reply, s->init_reply_len, FUSE_SETXATTR_EXT))
		return sizeof(struct fuse_setxattr_in);
	return shapes[opcode].fixed;
}

bool request_may_take_long(const struct fuse_in_header *in)
{
	const void *body = in + 1;

	if (vfile_is(in->nodeid))
		return true;
	switch (in->opcode) {
	case FUSE_READ:
		return ((const struct fuse_read_in *)body)->size >= LONG_BYTES;
	case FUSE_WRITE:
	case FUSE_BATCH_FORGET:
		return in->len >= LONG_BYTES;
	case FUSE_GETXATTR:
		/* Those that are made for who asks (ops_xattr.c). */
		return !strncmp((const char *)body +
					sizeof(struct fuse_getxattr_in),
				"zsfs.", 5);
	case FUSE_FALLOCATE:
	case FUSE_COPY_FILE_RANGE:
	case OPCODE_COPY_FILE_RANGE_64:
		return true;
	default:
		return false;
	}
}

bool request_has_answer(uint32_t opcode)
{
	return !forget_opcode(opcode) && opcode != FUSE_INTERRUPT &&
	       opcode != FUSE_NOTIFY_REPLY;
}

bool request_is_sound(const struct zsfs_super *super,
		      const struct fuse_in_header *in, size_t len)
{
	struct rest r = {.at = (const char *)(in + 1),
			 .end = (const char *)in + len};
	size_t fixed;

	if (in->len != len)
		return false;
	if (in->opcode >= sizeof(shapes) / sizeof(shapes[0]))
		return true;
	fixed = fixed_size(super, in->opcode);
	if ((size_t)(r.end - r.at) < fixed)
		return false;
	r.at += fixed;
	return take_names(&r, shapes[in->opcode].names) &&
	       has_data(in, (size_t)(r.end - r.at));
}
