/* SPDX-License-Identifier: BSD-3-Clause */
/* Model: content. A file is a sorted array of the blocks that are not holes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model.h"
#include "state/inode.h"

/* Position of the first block at or after @index. */
static size_t position(const struct minode *i, uint64_t index)
{
	size_t lo = 0, hi = i->nr_blocks;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (i->blocks[mid].index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const uint8_t *model_block(const struct minode *i, uint64_t index)
{
	size_t at = position(i, index);

	if (at == i->nr_blocks || i->blocks[at].index != index)
		return NULL;
	return i->blocks[at].data;
}

/* The block at @index, made when there is none; NULL at the limit. */
static struct mblock *get_block(struct model *m, struct minode *i,
				uint64_t index)
{
	size_t at = position(i, index);
	uint8_t *data;

	if (at < i->nr_blocks && i->blocks[at].index == index)
		return &i->blocks[at];
	if (m->max_blocks && m->used_blocks >= m->max_blocks)
		return NULL;
	if (i->nr_blocks == i->room_blocks) {
		i->room_blocks = i->room_blocks * 2 + 4;
		i->blocks = realloc(i->blocks,
				    i->room_blocks * sizeof(i->blocks[0]));
	}
	data = calloc(1, MODEL_BLOCK);
	if (!data || !i->blocks)
		abort();
	memmove(&i->blocks[at + 1], &i->blocks[at],
		(i->nr_blocks - at) * sizeof(i->blocks[0]));
	i->blocks[at] = (struct mblock){.index = index, .data = data};
	i->nr_blocks++;
	m->used_blocks++;
	return &i->blocks[at];
}

static int check_file(const struct minode *i)
{
	if (S_ISDIR(i->mode))
		return -EISDIR;
	return S_ISREG(i->mode) ? 0 : -EINVAL;
}

static size_t part(uint64_t off, size_t left)
{
	size_t n = MODEL_BLOCK - off % MODEL_BLOCK;

	return left < n ? left : n;
}

int model_read(const struct model *m, unsigned id, void *buf, size_t size,
	       uint64_t off, size_t *done)
{
	struct minode *i = model_get(m, id);
	int err = check_file(i);

	*done = 0;
	if (err)
		return err;
	if (!(i->flags & INODE_NOATIME))
		i->atime = MODEL_CLOCK;
	if (off >= i->size)
		return 0;
	if (size > i->size - off)
		size = i->size - off;
	while (*done < size) {
		uint64_t at = off + *done;
		size_t n = part(at, size - *done);
		const uint8_t *data = model_block(i, at / MODEL_BLOCK);

		if (data)
			memcpy((char *)buf + *done, data + at % MODEL_BLOCK, n);
		else
			memset((char *)buf + *done, 0, n);
		*done += n;
	}
	return 0;
}

static bool may_write(const struct minode *i, uint64_t off, unsigned flags)
{
	if (i->flags & INODE_IMMUTABLE)
		return false;
	if (i->flags & INODE_APPEND)
		return flags & MWRITE_APPEND && off == i->size;
	return true;
}

int model_write(struct model *m, unsigned id, const void *buf, size_t size,
		uint64_t off, unsigned flags, size_t *done)
{
	struct minode *i = model_get(m, id);
	int err = 0;

	*done = 0;
	if (off > INT64_MAX || size > INT64_MAX - off)
		return -EFBIG;
	err = check_file(i);
	if (!err && !may_write(i, off, flags))
		err = -EPERM;
	if (err)
		return err;
	while (*done < size) {
		uint64_t at = off + *done;
		size_t n = part(at, size - *done);
		struct mblock *b = get_block(m, i, at / MODEL_BLOCK);

		if (!b)
			break;
		b->room = b->hole = false;
		memcpy(b->data + at % MODEL_BLOCK, (const char *)buf + *done,
		       n);
		*done += n;
	}
	if (*done == 0)
		return -ENOSPC;
	model_kill_caps(i);
	if (off + *done > i->size)
		i->size = off + *done;
	i->mtime = MODEL_CLOCK;
	if (flags & MWRITE_KILL_PRIV)
		model_kill_priv(i, flags & MWRITE_STRANGER);
	return 0;
}

static bool is_zero(const struct mblock *b)
{
	return !b->data[0] && !memcmp(b->data, b->data + 1, MODEL_BLOCK - 1);
}

bool model_has_room(const struct model *m, unsigned id, uint64_t off,
		    uint64_t size)
{
	const struct minode *i = model_get(m, id);
	uint64_t first = off / MODEL_BLOCK,
		 end = (off + size - 1) / MODEL_BLOCK;
	size_t at;

	if (off + size > INT64_MAX || check_file(i))
		return false;
	at = position(i, first);
	for (; first <= end; first++, at++)
		if (at == i->nr_blocks || i->blocks[at].index != first ||
		    !i->blocks[at].room)
			return false;
	return true;
}

static void give_room(struct model *m, struct minode *i, uint64_t index)
{
	bool hole = !model_block(i, index);
	struct mblock *b = get_block(m, i, index);

	b->hole |= hole;
	b->room |= hole || is_zero(b);
}

int model_allocate(struct model *m, unsigned id, uint64_t off, uint64_t size,
		   bool keep_size)
{
	struct minode *i = model_get(m, id);
	uint64_t first = off / MODEL_BLOCK;
	uint64_t end = (off + size + MODEL_BLOCK - 1) / MODEL_BLOCK;
	uint64_t holes = end - first;
	int err = off + size > INT64_MAX ? -EFBIG : check_file(i);

	if (!err && i->flags & INODE_IMMUTABLE)
		err = -EPERM;
	if (err)
		return err;
	holes -= position(i, end) - position(i, first);
	if (m->max_blocks && holes > m->max_blocks - m->used_blocks)
		return -ENOSPC;
	model_kill_caps(i);
	for (; first < end; first++)
		give_room(m, i, first);
	if (!keep_size && off + size > i->size)
		i->size = off + size;
	i->mtime = MODEL_CLOCK;
	return 0;
}

/* Zeros between @off and @end, in the block at position @at. */
static void clear_part(struct minode *i, size_t at, uint64_t off, uint64_t end)
{
	struct mblock *b = &i->blocks[at];
	uint64_t start = b->index * MODEL_BLOCK;
	uint64_t from = off > start ? off - start : 0;
	uint64_t to = end - start < MODEL_BLOCK ? end - start : MODEL_BLOCK;

	memset(b->data + from, 0, to - from);
}

static void drop_block(struct model *m, struct minode *i, size_t at)
{
	free(i->blocks[at].data);
	i->nr_blocks--;
	m->used_blocks--;
	memmove(&i->blocks[at], &i->blocks[at + 1],
		(i->nr_blocks - at) * sizeof(i->blocks[0]));
}

int model_punch(struct model *m, unsigned id, uint64_t off, uint64_t size)
{
	struct minode *i = model_get(m, id);
	uint64_t end = off + size;
	int err = end > INT64_MAX ? -EFBIG : check_file(i);
	size_t at;

	if (!err && i->flags & (INODE_IMMUTABLE | INODE_APPEND))
		err = -EPERM;
	if (err)
		return err;
	model_kill_caps(i);
	at = position(i, off / MODEL_BLOCK);
	while (at < i->nr_blocks && i->blocks[at].index * MODEL_BLOCK < end) {
		uint64_t start = i->blocks[at].index * MODEL_BLOCK;

		if (start >= off && start + MODEL_BLOCK <= end)
			drop_block(m, i, at);
		else
			clear_part(i, at++, off, end);
	}
	i->mtime = MODEL_CLOCK;
	return 0;
}

/* The end of the hole at @off, @off itself where there is none. */
static uint64_t hole_end(const struct minode *i, uint64_t off)
{
	size_t at = position(i, off / MODEL_BLOCK);

	while (at < i->nr_blocks && i->blocks[at].hole)
		at++;
	if (at == i->nr_blocks || i->blocks[at].index * MODEL_BLOCK >= i->size)
		return i->size;
	return i->blocks[at].index * MODEL_BLOCK > off
		       ? i->blocks[at].index * MODEL_BLOCK
		       : off;
}

/* Up to @n bytes that lie in one block of both; 0 at the limit. */
static uint64_t copy_data(struct model *m, struct minode *from, uint64_t off,
			  struct minode *to, uint64_t out, uint64_t n)
{
	const uint8_t *src = model_block(from, off / MODEL_BLOCK);
	size_t k = part(out, part(off, n));
	struct mblock *b = get_block(m, to, out / MODEL_BLOCK);

	if (!b)
		return 0;
	b->room = b->hole = false;
	memmove(b->data + out % MODEL_BLOCK, src + off % MODEL_BLOCK, k);
	return k;
}

int model_copy(struct model *m, unsigned id, uint64_t off, unsigned id2,
	       uint64_t off2, uint64_t size, uint64_t n, size_t *done)
{
	struct minode *from = model_get(m, id), *to = model_get(m, id2);
	uint64_t start = off, end, k;

	*done = 0;
	if (S_ISDIR(from->mode) || S_ISDIR(to->mode))
		return -EISDIR;
	if (!S_ISREG(from->mode) || !S_ISREG(to->mode))
		return -EINVAL;
	if (to->flags & (INODE_IMMUTABLE | INODE_APPEND))
		return -EPERM;
	if (size > INT64_MAX - off2)
		return -EFBIG;
	if (from == to && off < off2 + size && off2 < off + size)
		return -EINVAL;
	if (off >= from->size)
		return 0;
	size = size < from->size - off ? size : from->size - off;
	end = off + (n < size ? n : size);
	for (; off < end; off += k, off2 += k) {
		k = hole_end(from, off) - off;
		k = k < end - off ? k : end - off;
		if (k)
			model_punch(m, id2, off2, k);
		else
			k = copy_data(m, from, off, to, off2, end - off);
		if (!k)
			break;
	}
	*done = off - start;
	if (off == start)
		return size ? -ENOSPC : 0;
	if (!(from->flags & INODE_NOATIME))
		from->atime = MODEL_CLOCK;
	to->mtime = MODEL_CLOCK;
	model_kill_caps(to);
	if (off2 > to->size)
		to->size = off2;
	return 0;
}

void model_truncate(struct model *m, struct minode *i, uint64_t size)
{
	uint64_t keep = size / MODEL_BLOCK + (size % MODEL_BLOCK != 0);
	size_t at = size <= i->size ? position(i, keep) : i->nr_blocks;

	for (size_t k = at; k < i->nr_blocks; k++)
		free(i->blocks[k].data);
	m->used_blocks -= i->nr_blocks - at;
	i->nr_blocks = at;
	/* What is cut off must not come back when the file grows again. */
	if (size < i->size && size % MODEL_BLOCK && at > 0 &&
	    i->blocks[at - 1].index == size / MODEL_BLOCK)
		memset(i->blocks[at - 1].data + size % MODEL_BLOCK, 0,
		       MODEL_BLOCK - size % MODEL_BLOCK);
	i->size = size;
	i->mtime = MODEL_CLOCK;
}

int model_seek(const struct model *m, unsigned id, uint64_t off, bool hole,
	       uint64_t *out)
{
	const struct minode *i = model_get(m, id);
	uint64_t block = off / MODEL_BLOCK;
	int err = check_file(i);
	size_t at;

	if (err)
		return err;
	if (off >= i->size)
		return -ENXIO;
	at = position(i, block);
	if (hole) {
		for (; at < i->nr_blocks && i->blocks[at].index == block &&
		       !i->blocks[at].hole;
		     at++)
			block++;
	} else {
		while (at < i->nr_blocks && i->blocks[at].hole)
			at++;
		if (at == i->nr_blocks)
			return -ENXIO;
		block = i->blocks[at].index;
	}
	if (block > off / MODEL_BLOCK)
		off = block * MODEL_BLOCK;
	*out = off < i->size ? off : i->size;
	return 0;
}
