/* SPDX-License-Identifier: BSD-3-Clause */
/* Executed once (see request_once.h). */
#include "request_once.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <stdint.h>

#include "control/vfile.h"
#include "fuzz.h"
#include "inject_input.h"
#include "state/tx.h"
#include "state/zsfs.h"
#include "tree/namei.h"

/* The last request that changes names, 0: it is not known which. */
static uint64_t last;
static bool was_there; /* its name */

static struct zsfs *looked_in;
static const struct fuse_in_header *looked_for;

void once_forget(void)
{
	last = 0;
}

static bool makes_name(uint32_t opcode)
{
	return opcode == FUSE_MKDIR || opcode == FUSE_MKNOD ||
	       opcode == FUSE_SYMLINK || opcode == FUSE_LINK;
}

static bool removes_name(uint32_t opcode)
{
	return opcode == FUSE_UNLINK || opcode == FUSE_RMDIR;
}

static bool changes_others(uint32_t opcode)
{
	return opcode == FUSE_CREATE || opcode == FUSE_RENAME ||
	       opcode == FUSE_RENAME2;
}

/* Bytes of the body in front of the name. */
static size_t before_name(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_MKDIR:
		return sizeof(struct fuse_mkdir_in);
	case FUSE_MKNOD:
		return sizeof(struct fuse_mknod_in);
	case FUSE_LINK:
		return sizeof(struct fuse_link_in);
	default:
		return 0;
	}
}

/* Only a look: it is taken back. */
static void look(void)
{
	const struct fuse_in_header *in = looked_for;
	const char *name = (const char *)(in + 1) + before_name(in->opcode);
	struct tx *tx = tx_begin(zsfs_background(looked_in));
	struct zinode *i = NULL;
	int err = zsfs_lookup(tx, in->nodeid, name, &i);

	was_there = i;
	last = err || vfile_reserved(in->nodeid, name)
		       ? 0
		       : in->unique & ~UNIQUE_RESEND;
	tx_abort(tx, 0);
}

void once_ask(struct zsfs *fs, const struct fuse_in_header *in)
{
	bool is_one = makes_name(in->opcode) || removes_name(in->opcode);

	if (is_one || changes_others(in->opcode))
		once_forget();
	if (!is_one || vfile_is(in->nodeid))
		return;
	looked_in = fs;
	looked_for = in;
	inject_not_in(look);
}

void once_answer(const struct fuse_in_header *in, int error)
{
	if (!last || (in->unique & ~UNIQUE_RESEND) != last)
		return;
	last = 0;
	FUZZ_CHECK(!makes_name(in->opcode) || error != -EEXIST || was_there);
	FUZZ_CHECK(!removes_name(in->opcode) || error != -ENOENT || !was_there);
}
