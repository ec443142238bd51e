/* SPDX-License-Identifier: BSD-3-Clause */
/* Storm: where inodes are, and what is in directories. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "state/inode.h"
#include "storm.h"

/* ---- names ---- */

/* The name of @id in a directory, or NULL. */
static const char *name_in(const struct minode *dir, unsigned id)
{
	for (size_t k = 0; k < dir->nr_entries; k++)
		if (dir->entries[k].id == id)
			return dir->entries[k].name;
	return NULL;
}

/* Before what p->path is; false: it does not fit. */
static bool put_before(struct place *p, const char *name)
{
	size_t len = strlen(name), room = (size_t)(p->path - p->buf);
	bool slash = *p->path;
	char *at;

	if (len + 1 > room)
		return false;
	at = p->buf + (room - len - slash);
	memcpy(at, name, len);
	if (slash)
		at[len] = '/';
	p->path = at;
	return true;
}

static bool put_directories(struct storm *st, unsigned dir, struct place *p)
{
	while (dir != MODEL_ROOT) {
		const struct minode *d = model_get(st->m, dir);

		if (!d->nlink ||
		    !put_before(p, name_in(model_get(st->m, d->parent), dir)))
			return false;
		dir = d->parent;
	}
	p->fd = storm_hold(st, MODEL_ROOT)->fd;
	return true;
}

void place_of(struct storm *st, unsigned dir, const char *name, bool deep,
	      struct place *p)
{
	p->path = p->buf + sizeof(p->buf) - 1;
	p->buf[sizeof(p->buf) - 1] = '\0';
	put_before(p, name);
	if (deep && S_ISDIR(model_get(st->m, dir)->mode) &&
	    put_directories(st, dir, p))
		return;
	p->path = p->buf + sizeof(p->buf) - 1;
	put_before(p, name);
	p->fd = storm_hold(st, dir)->fd;
}

static bool place_in(struct storm *st, const struct minode *dir, unsigned id,
		     struct place *p)
{
	const char *name = name_in(dir, id);

	if (!name)
		return false;
	place_of(st, dir->id, name, true, p);
	return p->fd >= 0;
}

bool place_find(struct storm *st, unsigned id, struct place *p)
{
	for (unsigned dir = 0; dir < st->m->nr_ids; dir++) {
		const struct minode *d = model_get(st->m, dir);

		if (d && d->nlink && place_in(st, d, id, p))
			return true;
	}
	return false;
}

/* ---- descriptors ---- */

/* For writing as well, where the flags of the file let that be. */
static struct hold open_file(const struct place *p)
{
	struct hold h = {.writable = true};

	h.fd = openat(p->fd, p->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (h.fd >= 0 || errno != EPERM)
		return h;
	h.writable = false;
	h.fd = openat(p->fd, p->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return h;
}

struct hold place_open(const struct place *p, mode_t type)
{
	int flags = O_NOFOLLOW | O_CLOEXEC;

	if (S_ISREG(type))
		return open_file(p);
	flags |= S_ISDIR(type) ? O_RDONLY | O_DIRECTORY : O_PATH;
	return (struct hold){.fd = openat(p->fd, p->path, flags)};
}

int open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

/* ---- lists ---- */

struct name_record { /* as getdents64(2) has it */
	uint64_t number;
	int64_t next;
	uint16_t len;
	uint8_t type;
	char name[];
};

static void put_name(struct step_out *out, uint64_t number, const char *name)
{
	size_t len = strlen(name) + 1;

	memcpy(out->buf + out->len, &number, 8);
	memcpy(out->buf + out->len + 8, name, len);
	out->len += 8 + len;
}

static void take_record(struct storm *st, const struct minode *dir,
			const struct name_record *r)
{
	long at = model_find(dir, r->name);

	if (!strcmp(r->name, ".") || !strcmp(r->name, ".."))
		return;
	put_name(&st->out, r->number, r->name);
	if (at >= 0 &&
	    r->type != (model_get(st->m, dir->entries[at].id)->mode & S_IFMT) >>
			       12)
		storm_wrong(st, "%s has type %u", r->name, r->type);
}

/* The position of a name in what was read, or NULL. */
static uint8_t *find_name(uint8_t *p, const uint8_t *end, const char *name)
{
	for (; p < end; p += 9 + strlen((char *)p + 8))
		if (!strcmp((char *)p + 8, name))
			return p;
	return NULL;
}

/* tmpfs has them in another order: bring those that the model has to the front.
 */
static void sort_names(struct step_out *out, const struct minode *dir)
{
	uint8_t *to = out->buf, room[300];
	const uint8_t *end = out->buf + out->len;

	for (size_t k = 0; k < dir->nr_entries; k++) {
		uint8_t *p = find_name(to, end, dir->entries[k].name);
		size_t len;

		if (!p)
			return;
		len = 9 + strlen((char *)p + 8);
		memcpy(room, p, len);
		memmove(to + len, to, (size_t)(p - to));
		memcpy(to, room, len);
		to += len;
	}
}

int list_names(struct storm *st, unsigned id, int fd, size_t room)
{
	static uint8_t buf[32768] __attribute__((aligned(8)));
	const struct minode *dir = model_get(st->m, id);
	long n;

	st->out.len = 0;
	lseek(fd, 0, SEEK_SET);
	while ((n = syscall(SYS_getdents64, fd, buf, room)) > 0)
		for (long at = 0; at < n;) {
			const struct name_record *r = (const void *)(buf + at);

			take_record(st, dir, r);
			at += r->len;
		}
	if (n < 0 && !(errno == ENOENT && !dir->nlink))
		return -errno;
	if (st->tmpfs)
		sort_names(&st->out, dir);
	return 0;
}
