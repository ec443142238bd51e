/* SPDX-License-Identifier: BSD-3-Clause */
/* An arena's life: made, attached to, recovered, closed. */
#include "arena_i.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The process's half. */

static void destroy_private(struct arena *a)
{
	close(a->fd);
	free(a->threads);
	free(a);
}

/* Takes @fd over when it succeeds. */
static struct arena *make_private(int fd, unsigned nr_threads)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->threads = calloc(nr_threads, sizeof(*a->threads));
	if (!a->threads) {
		free(a);
		return NULL;
	}
	a->nr_threads = nr_threads;
	a->fd = fd;
	a->hdr = (struct arena_header *)(uintptr_t)ARENA_BASE;
	pthread_mutex_init(&a->grow_lock, NULL);
	pthread_mutex_init(&a->run_lock, NULL);
	for (unsigned i = 0; i < SLAB_NR_CACHES; i++)
		pthread_mutex_init(&a->slab_lock[i], NULL);
	return a;
}

/* Give every thread its shared half; needs a header. */
static void bind_threads(struct arena *a)
{
	struct arena_thread_shared *shared =
		(void *)(uintptr_t)(ARENA_BASE + a->hdr->threads_off);

	for (unsigned i = 0; i < a->nr_threads; i++) {
		a->threads[i].shared = &shared[i];
		a->threads[i].nr = i;
	}
}

/* Creation. */

static void describe_layout(struct arena_header *h, uint64_t size)
{
	h->magic = ARENA_MAGIC;
	h->version = ARENA_VERSION;
	h->page_size = ARENA_PAGE_SIZE;
	h->base = ARENA_BASE;
	h->size = size;
	h->header_size = sizeof(struct arena_header);
	h->thread_size = sizeof(struct arena_thread_shared);
	h->segment_size = sizeof(struct segment);
	h->desc_size = sizeof(struct page_desc);
	h->record_size = SLAB_RECORD_SIZE;
	h->nr_caches = SLAB_NR_CACHES;
}

/* The header that a new arena shall begin with. */
static int plan_arena(const struct arena_params *p,
		      const struct arena_place *place, bool huge, uint64_t step,
		      struct arena_header *h)
{
	uint64_t first = arena_first_step(step);

	memset(h, 0, sizeof(*h));
	describe_layout(h, place->size);
	h->huge = huge;
	h->step = step;
	h->nr_threads = p->nr_threads;
	h->threads_off = ARENA_PAGE_SIZE;
	h->root_off = arena_root_offset(p->nr_threads);
	h->root_size = p->root_size;
	h->root_bytes = round_up(h->root_off + p->root_size, h->step);
	h->limit = p->limit;
	h->window_low = place->window - first;
	h->window_high = place->window + first;
	h->handles_backed = first / sizeof(uint64_t);
	h->used = h->root_bytes + 2 * first;
	h->used_max = h->used;
	return p->limit && p->limit < h->used + ARENA_SEG_SIZE ? -EINVAL : 0;
}

static int back_fixed_parts(int fd, const struct arena_header *h)
{
	int err;

	if (zs_should_fail())
		return -ENOSPC;
	err = arena_back_fixed(fd, h, 0, h->root_bytes);
	if (!err)
		err = arena_back_fixed(fd, h, h->window_low,
				       h->window_high - h->window_low);
	return err;
}

/* Fill the fixed parts of a new, mapped file. */
static void init_fixed_parts(struct arena *a, const struct arena_header *h)
{
	*a->hdr = *h;
	bind_threads(a);
	for (unsigned i = 0; i < h->nr_threads; i++)
		a->threads[i].shared->undo.max = UNDO_ROOM;
}

/* In a new file that is mapped. */
static int create_mapped(int fd, const struct arena_params *params,
			 const struct arena_place *place, bool huge,
			 struct arena **out)
{
	uint64_t step =
		huge && !arena_probe_small(fd) ? ARENA_HUGE_STEP : ARENA_STEP;
	struct arena_header h;
	struct arena *a;
	int err = plan_arena(params, place, huge, step, &h);

	if (!err)
		err = back_fixed_parts(fd, &h);
	if (err)
		return err;
	a = make_private(fd, params->nr_threads);
	if (!a)
		return -ENOMEM;
	init_fixed_parts(a, &h);
	*out = a;
	return 0;
}

static int create_in(int fd, const struct arena_params *params,
		     const struct arena_place *place, struct arena **out)
{
	bool huge;
	int err = arena_probe_huge(fd, place, &huge);

	if (!err)
		err = arena_map(fd, place);
	if (err)
		return err;
	err = create_mapped(fd, params, place, huge, out);
	if (err)
		arena_unmap();
	return err;
}

int arena_create(const struct arena_params *params, struct arena **out)
{
	struct arena_place place;
	int fd, err;

	if (!params->nr_threads || params->nr_threads > ARENA_MAX_THREADS ||
	    params->root_size > ARENA_MAX_ROOT)
		return -EINVAL;
	err = arena_plan_place(params->size ? params->size : ARENA_SIZE,
			       arena_root_offset(params->nr_threads) +
				       params->root_size,
			       &place);
	if (err)
		return err;
	fd = arena_make_file(params, place.size);
	if (fd < 0)
		return fd;
	err = create_in(fd, params, &place, out);
	if (err)
		close(fd);
	return err;
}

/* Opening. */

static bool same_layout(const struct arena_header *h)
{
	struct arena_header want;

	/* The words that describe the layout are the first ones. */
	memset(&want, 0, sizeof(want));
	describe_layout(&want, h->size);
	return !memcmp(h, &want, offsetof(struct arena_header, nr_threads));
}

/* Do the fixed fields make sense together, so that they can be used? */
static bool sound_header(const struct arena_header *h, struct arena_place *p)
{
	uint64_t threads_end =
		h->threads_off + (uint64_t)h->nr_threads * h->thread_size;

	return h->nr_threads && h->nr_threads <= ARENA_MAX_THREADS &&
	       h->huge <= 1 && h->threads_off == ARENA_PAGE_SIZE &&
	       (h->step == ARENA_STEP ||
		(h->huge && h->step == ARENA_HUGE_STEP)) &&
	       h->root_size <= ARENA_MAX_ROOT &&
	       h->root_off == round_up(threads_end, ARENA_PAGE_SIZE) &&
	       h->root_bytes == round_up(h->root_off + h->root_size, h->step) &&
	       !arena_plan_place(h->size, h->root_off + h->root_size, p) &&
	       h->nr_segs <= p->max_segs;
}

/* Read before anything is mapped: a foreign file must not be touched. */
static int check_file(int fd, unsigned *nr_threads, struct arena_place *p)
{
	struct arena_header h;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EPROTO;
	n = pread(fd, &h, sizeof(h), 0);
	if (n < 0)
		return -errno;
	if (n != sizeof(h) || !same_layout(&h) || !sound_header(&h, p) ||
	    (uint64_t)st.st_size != h.size)
		return -EPROTO;
	*nr_threads = h.nr_threads;
	return 0;
}

/* Takes @fd over when it succeeds. */
static int attach_in(int fd, unsigned nr_threads, const struct arena_place *p,
		     struct arena **out)
{
	struct arena *a;
	int err = arena_map(fd, p);

	if (err)
		return err;
	a = make_private(fd, nr_threads);
	if (!a) {
		arena_unmap();
		return -ENOMEM;
	}
	arena_populate(0, a->hdr->root_bytes);
	bind_threads(a);
	*out = a;
	return 0;
}

int arena_attach(int fd, struct arena **out)
{
	struct arena_place p;
	unsigned nr_threads;
	int own, err = check_file(fd, &nr_threads, &p);

	if (err)
		return err;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return -errno;
	err = attach_in(own, nr_threads, &p, out);
	if (err)
		close(own);
	return err;
}

int arena_recover(struct arena *a)
{
	struct arena_place p;

	/* It may have been damaged since it was attached. */
	if (!same_layout(a->hdr) || !sound_header(a->hdr, &p) ||
	    p.size != arena_place.size || a->hdr->nr_threads != a->nr_threads)
		return -EPROTO;
	return arena_repair(a);
}

int arena_open(int fd, struct arena **out)
{
	int err = arena_attach(fd, out);

	if (err)
		return err;
	err = arena_recover(*out);
	if (err)
		arena_close(*out);
	return err;
}

void arena_close(struct arena *a)
{
	if (!a)
		return;
	arena_unmap();
	destroy_private(a);
}
