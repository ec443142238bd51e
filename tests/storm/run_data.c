/* SPDX-License-Identifier: BSD-3-Clause */
/* Storm: steps as system calls: content, by every way that there is. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "state/inode.h"
#include "storm.h"

enum way { PLAIN, VECTOR, DIRECT, MAP, MAP_LATER, NR_WAYS };

static enum way way_of(const struct step *s)
{
	return (enum way)((s->seed >> 33) % (NR_WAYS + 1) % NR_WAYS);
}

static bool is_kept(const struct storm *st, unsigned id)
{
	return model_get(st->m, id)->flags & STORM_KEPT;
}

/* A descriptor that was not there before: *@own. */
static int again(struct storm *st, unsigned id, int flags, bool *own)
{
	*own = true;
	return open_again(storm_hold(st, id)->fd, flags);
}

/*
 * To write with. What is immutable or append-only is opened anew, since some
 * systems ask for the flags only then.
 */
static int writer(struct storm *st, unsigned id, int flags, bool *own)
{
	const struct hold *h = storm_hold(st, id);

	*own = false;
	if (!flags && h->writable && !is_kept(st, id))
		return h->fd;
	return again(st, id, O_WRONLY | flags, own);
}

static void done_with(int fd, bool own)
{
	int saved = errno;

	if (own && fd >= 0)
		close(fd);
	errno = saved;
}

/* ---- mappings ---- */

static bool can_map(struct storm *st, const struct step *s)
{
	const struct minode *i = model_get(st->m, s->id);
	struct hold *h = storm_hold(st, s->id);
	void *p;

	/* At a limit it is told late whether there was room. */
	if (st->m->max_blocks || !h->writable || i->flags & STORM_KEPT ||
	    s->off >= i->size || s->size > i->size - s->off ||
	    s->off + s->size > STORM_MAP)
		return false;
	if (h->map)
		return true;
	p = mmap(NULL, STORM_MAP, PROT_READ | PROT_WRITE, MAP_SHARED, h->fd, 0);
	h->map = p == MAP_FAILED ? NULL : p;
	return h->map;
}

void run_unmap(struct storm *st, const struct step *s)
{
	unsigned id = (unsigned)(s->seed % st->m->nr_ids);
	struct hold *h = storm_hold(st, id);

	if (h->map)
		munmap(h->map, STORM_MAP);
	h->map = NULL;
	st->res.err = 0;
}

/* ---- writing ---- */

static ssize_t write_pieces(int fd, const struct step *s, uint8_t *buf)
{
	size_t third = s->size / 3;
	struct iovec v[3] = {
		{buf, third},
		{buf + third, third},
		{buf + 2 * third, s->size - 2 * third},
	};

	return pwritev(fd, v, 3, (off_t)s->off);
}

static ssize_t write_to(int fd, const struct step *s, uint8_t *buf)
{
	if (fd < 0)
		return -1;
	if (s->flags & MWRITE_APPEND)
		return write(fd, buf, s->size);
	if (way_of(s) == VECTOR)
		return write_pieces(fd, s, buf);
	return pwrite(fd, buf, s->size, (off_t)s->off);
}

/*
 * Behind the end of the file, which must not come to light when it grows after
 * that was written back; before, it does.
 */
static void store_behind(uint8_t *map, uint64_t size)
{
	memset(map + size, 0xa5, MODEL_BLOCK - size % MODEL_BLOCK);
}

/* Does the step write to the last page, of which there is more than the file?
 */
static bool is_at_end(const struct step *s, uint64_t size)
{
	return size % MODEL_BLOCK &&
	       (s->off + s->size - 1) / MODEL_BLOCK == size / MODEL_BLOCK;
}

static void write_map(struct storm *st, const struct step *s)
{
	struct hold *h = storm_hold(st, s->id);
	uint64_t size = model_get(st->m, s->id)->size;

	memcpy(h->map + s->off, st->out.buf, s->size);
	if (!st->tmpfs && way_of(s) == MAP && is_at_end(s, size))
		store_behind(h->map, size);
	h->dirty = true;
	result_of(st, (int64_t)s->size);
	if (way_of(s) == MAP && msync(h->map, STORM_MAP, MS_SYNC))
		result_of(st, -1);
}

/* A store through a mapping does not take capabilities away. */
static bool writes_map(struct storm *st, const struct step *s)
{
	return way_of(s) >= MAP && !s->flags && can_map(st, s) &&
	       !model_find_xattr(model_get(st->m, s->id),
				 "security.capability");
}

void run_write(struct storm *st, const struct step *s)
{
	int flags = s->flags & MWRITE_APPEND ? O_APPEND : 0, fd;
	bool own;

	step_content(s, st->out.buf);
	if (writes_map(st, s)) {
		write_map(st, s);
		return;
	}
	if (way_of(s) == DIRECT)
		flags |= O_DIRECT;
	fd = writer(st, s->id, flags, &own);
	result_of(st, write_to(fd, s, st->out.buf));
	if (st->cached)
		storm_hold(st, s->id)->dirty = true;
	done_with(fd, own);
}

/* ---- reading ---- */

static ssize_t read_pieces(int fd, const struct step *s, uint8_t *buf)
{
	size_t half = s->size / 2;
	struct iovec v[2] = {{buf, half}, {buf + half, s->size - half}};

	return preadv(fd, v, 2, (off_t)s->off);
}

void run_read(struct storm *st, const struct step *s)
{
	int fd = storm_hold(st, s->id)->fd;
	bool own = false;
	ssize_t n;

	if (way_of(s) >= MAP && can_map(st, s)) {
		memcpy(st->out.buf, storm_hold(st, s->id)->map + s->off,
		       s->size);
		n = (ssize_t)s->size;
	} else {
		if (way_of(s) == DIRECT)
			fd = again(st, s->id, O_RDONLY | O_DIRECT, &own);
		n = way_of(s) == VECTOR
			    ? read_pieces(fd, s, st->out.buf)
			    : pread(fd, st->out.buf, s->size, (off_t)s->off);
	}
	result_of(st, n);
	st->out.len = st->res.value;
	done_with(fd, own);
}

/* ---- ranges ---- */

/* Whatever it is: the path says no by itself to what is no file. */
static int cut_path(const struct hold *h, off_t size, bool file)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", h->fd);
	if (size || !file)
		return truncate(path, size);
	fd = open_again(h->fd, O_WRONLY | O_TRUNC);
	if (fd < 0)
		return -1;
	return close(fd);
}

/*
 * Room behind the end goes with a cut, but not when the file grows; and where
 * writes are cached the file system may not know yet which of both that is.
 */
static bool has_room_behind(const struct minode *i, uint64_t size)
{
	for (size_t k = i->nr_blocks; k > 0; k--) {
		const struct mblock *b = &i->blocks[k - 1];

		if (b->index < size / MODEL_BLOCK)
			break;
		if (b->room)
			return true;
	}
	return false;
}

void run_truncate(struct storm *st, const struct step *s)
{
	struct hold *h = storm_hold(st, s->id);
	off_t size = (off_t)s->attr.size;

	if (h->roomy || has_room_behind(model_get(st->m, s->id), s->attr.size))
		storm_clean(h);
	if (h->writable && !is_kept(st, s->id) && s->seed & 1)
		result_of(st, ftruncate(h->fd, size));
	else
		result_of(st, cut_path(h, size,
				       S_ISREG(model_get(st->m, s->id)->mode)));
}

static int mode_of(const struct step *s)
{
	int keep = s->flags & 1 ? FALLOC_FL_KEEP_SIZE : 0;

	if (s->op == STEP_ALLOCATE)
		return keep;
	if (s->flags & STORM_ZERO)
		return FALLOC_FL_ZERO_RANGE | keep;
	return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
}

void run_allocate(struct storm *st, const struct step *s)
{
	bool append = model_get(st->m, s->id)->flags & INODE_APPEND, own;
	int fd = writer(st, s->id, append ? O_APPEND : 0, &own);

	storm_hold(st, s->id)->roomy = true;
	result_of(st, fd < 0 ? -1
			     : fallocate(fd, mode_of(s), (off_t)s->off,
					 (off_t)s->size));
	done_with(fd, own);
}

void run_copy(struct storm *st, const struct step *s)
{
	off_t off = (off_t)s->off, off2 = (off_t)s->off2;
	bool own;
	int to = writer(st, s->id2, 0, &own);

	result_of(st, to < 0 ? -1
			     : copy_file_range(storm_hold(st, s->id)->fd, &off,
					       to, &off2, s->size, 0));
	done_with(to, own);
}

void run_seek(struct storm *st, const struct step *s)
{
	result_of(st, lseek(storm_hold(st, s->id)->fd, (off_t)s->off,
			    s->flags ? SEEK_HOLE : SEEK_DATA));
}

/* Some file's content is to come from the file system the next time. */
void run_flush(struct storm *st, const struct step *s)
{
	unsigned id = (unsigned)(s->seed % st->m->nr_ids);
	struct hold *h = storm_hold(st, id);

	st->res.err = 0;
	if (!model_get(st->m, id) || !S_ISREG(model_get(st->m, id)->mode) ||
	    h->fd < 0)
		return;
	storm_clean(h);
	result_of(st, posix_fadvise(h->fd, 0, 0, POSIX_FADV_DONTNEED));
}
