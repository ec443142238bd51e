/* SPDX-License-Identifier: BSD-3-Clause */
/* Making a file system in an arena, and taking one up again. */
#include "state/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/memlock.h"
#include "base/textbuf.h"
#include "content/block.h"
#include "content/crew.h"
#include "content/hot.h"
#include "content/warm.h"
#include "state/atime.h"
#include "state/ceiling.h"
#include "state/counters.h"
#include "state/inode.h"
#include "state/late.h"
#include "state/reserve.h"
#include "state/settings.h"
#include "state/shared_page.h"
#include "state/snapshot.h"
#include "state/tx.h"
#include "state/wake.h"
#include "state/zsfs.h"
#include "tree/reap.h"
#include "verify_tx.h"
#include "volume.h"

#define STAGE_SIZE ((ZSFS_MAX_BLOCKS + 1) * (size_t)ZSFS_BLOCK_SIZE)
_Static_assert(STAGE_SIZE == READ_BUF_HEAD + ZSFS_MAX_WRITE,
	       "what is staged and what is read have the same room");

uint64_t zsfs_min_arena_size(unsigned nr_threads, unsigned nr_helpers)
{
	return arena_min_size(nr_threads + 1 + nr_helpers,
			      layout_root_size(nr_threads));
}

static void *root_at(const struct zsfs *fs, size_t off)
{
	return (char *)arena_root(fs->arena) + off;
}

/* ---- the private half ---- */

uint64_t zsfs_buffers_size(unsigned nr_threads)
{
	return nr_threads * STAGE_SIZE;
}

static uint8_t *private_buffers(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size, MADV_DONTDUMP);
	memory_lock(p, size, false);
	return p;
}

/*
 * Memory that is present before it is used: a page fault while the kernel
 * copies a request or a reply could fail it.
 */
static int init_buffers(struct zsfs *fs)
{
	size_t size = zsfs_buffers_size(fs->nr_threads);

	fs->buffers = fs->shared ? shared_page_map_buffers(fs->shared, size)
				 : private_buffers(size);
	return fs->buffers ? 0 : -errno;
}

/* The same for the slots, which are mapped with the rest of the root area. */
static void lock_root(struct zsfs *fs)
{
	uint8_t *start = (uint8_t *)(uintptr_t)ARENA_BASE;
	uint8_t *end =
		(uint8_t *)fs->super + layout_root_size(fs->nr_threads - 1);

	memory_lock(start, layout_page_up((size_t)(end - start)),
		    arena_is_huge(fs->arena));
}

static void free_buffers(struct zsfs *fs)
{
	if (fs->buffers && fs->shared)
		shared_page_unmap_buffers(fs->shared, fs->buffers);
	else if (fs->buffers)
		munmap(fs->buffers, zsfs_buffers_size(fs->nr_threads));
}

static int init_thread_buffers(struct zsfs_thread *th, unsigned nr)
{
	struct thread_buffers *b = &th->buf;

	b->stage = th->fs->buffers + nr * STAGE_SIZE;
	b->read = b->stage;
	b->staged = calloc(ZSFS_MAX_BLOCKS + 1, sizeof(b->staged[0]));
	b->block = malloc(ZSFS_BLOCK_SIZE);
	return b->staged && b->block ? 0 : -ENOMEM;
}

static int init_thread(struct zsfs *fs, unsigned nr)
{
	struct zsfs_thread *th = &fs->threads[nr];

	th->fs = fs;
	pthread_mutex_init(&th->gate, NULL);
	th->slot = (struct zsfs_slot *)root_at(fs, layout_slots_offset()) + nr;
	th->at = arena_thread(fs->arena, nr);
	th->zc = zcomp_ctx_create();
	if (!th->zc)
		return -ENOMEM;
	return init_thread_buffers(th, nr);
}

static void free_thread(struct zsfs_thread *th)
{
	if (!th->fs)
		return;
	pthread_mutex_destroy(&th->gate);
	zcomp_ctx_destroy(th->zc);
	free(th->buf.staged);
	free(th->buf.block);
}

static int init_locks(struct zsfs *fs)
{
	pthread_rwlockattr_t attr;

	fs->locks = aligned_alloc(64, NR_LOCK_STRIPES * sizeof(fs->locks[0]));
	if (!fs->locks)
		return -ENOMEM;
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(
		&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (unsigned i = 0; i < NR_LOCK_STRIPES; i++) {
		pthread_rwlock_init(&fs->locks[i].lock, &attr);
		fs->locks[i].turn = 0;
	}
	pthread_rwlockattr_destroy(&attr);
	for (unsigned i = 0; i < NR_COUNT_STRIPES; i++)
		pthread_mutex_init(&fs->count_locks[i], NULL);
	pthread_mutex_init(&fs->rename_lock, NULL);
	pthread_mutex_init(&fs->reap_lock, NULL);
	wake_init(&fs->wake);
	pthread_mutex_init(&fs->snap_lock, NULL);
	pthread_mutex_init(&fs->limit_lock, NULL);
	pthread_mutex_init(&fs->verify_lock, NULL);
	pthread_mutex_init(&fs->check_lock, NULL);
	pthread_cond_init(&fs->check_end, NULL);
	return 0;
}

static void destroy_locks(struct zsfs *fs)
{
	if (!fs->locks)
		return;
	for (unsigned i = 0; i < NR_LOCK_STRIPES; i++)
		pthread_rwlock_destroy(&fs->locks[i].lock);
	for (unsigned i = 0; i < NR_COUNT_STRIPES; i++)
		pthread_mutex_destroy(&fs->count_locks[i]);
	pthread_mutex_destroy(&fs->rename_lock);
	pthread_mutex_destroy(&fs->reap_lock);
	wake_destroy(&fs->wake);
	pthread_mutex_destroy(&fs->snap_lock);
	pthread_mutex_destroy(&fs->limit_lock);
	pthread_mutex_destroy(&fs->verify_lock);
	pthread_mutex_destroy(&fs->check_lock);
	pthread_cond_destroy(&fs->check_end);
	free(fs->locks);
}

/* Threads, locks and helpers for the file system that the arena holds. */
static int init_private(struct zsfs *fs, unsigned nr_helpers)
{
	int err;

	if (ZS_DEBUG_LEVEL >= 2)
		fs->verify_tx = verify_tx;
	fs->nr_threads = fs->super->nr_slots;
	fs->snap_area = root_at(fs, layout_snap_offset(fs->nr_threads - 1));
	fs->huge_size = zs_huge_class_size(fs->pool);
	atime_init(fs);
	late_init(fs);
	fs->stamp_fd = stamp_open();
	fs->hot = hot_create();
	fs->warm = warm_create();
	fs->threads = calloc(fs->nr_threads, sizeof(fs->threads[0]));
	if (!fs->threads || !fs->hot || !fs->warm)
		return -ENOMEM;
	err = init_locks(fs);
	/* First what has plain content, if not all can be locked in memory. */
	if (!err)
		err = init_buffers(fs);
	if (!err)
		lock_root(fs);
	for (unsigned i = 0; !err && i < fs->nr_threads; i++)
		err = init_thread(fs, i);
	if (!err && nr_helpers)
		err = crew_start(fs, nr_helpers, fs->nr_threads, &fs->crew);
	return err;
}

void zsfs_close(struct zsfs *fs)
{
	if (!fs)
		return;
	crew_stop(fs->crew);
	warm_destroy(fs->warm);
	hot_destroy(fs->hot);
	for (unsigned i = 0; fs->threads && i < fs->nr_threads; i++)
		free_thread(&fs->threads[i]);
	free(fs->threads);
	free_buffers(fs);
	if (fs->stamp_fd >= 0)
		close(fs->stamp_fd);
	destroy_locks(fs);
	if (fs->threads) {
		atime_destroy(fs);
		late_destroy(fs);
	}
	if (fs->pool)
		zs_close_pool(fs->pool);
	if (fs->arena)
		arena_close(fs->arena);
	free(fs);
}

/* ---- making ---- */

static void note_options(struct zsfs_super *s, const struct zsfs_params *p)
{
	struct textbuf t;

	textbuf_init(&t, s->fixed_options, sizeof(s->fixed_options));
	if (p->no_swap)
		textbuf_add(&t, "noswap");
	if (*p->huge)
		textbuf_add(&t, "%shuge=%s", t.len ? "," : "", p->huge);
	if (*p->mpol)
		textbuf_add(&t, "%smpol=%s", t.len ? "," : "", p->mpol);
	memcpy(s->idle_options, p->idle_options, sizeof(s->idle_options));
}

/* Early at boot the kernel may have none yet: it is waited for. */
static int draw(void *p, size_t size)
{
	ssize_t n;

	do {
		n = getrandom(p, size, 0);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)size ? 0 : -EIO;
}

static int draw_keys(struct zsfs_super *s)
{
	int err = draw(&s->name_key, sizeof(s->name_key));

	if (!err)
		err = draw(&s->seed, sizeof(s->seed));
	if (!err)
		err = draw(&s->salt, sizeof(s->salt));
	return err;
}

static void init_super(struct zsfs *fs, const struct zsfs_params *p)
{
	struct zsfs_super *s = fs->super;
	struct zsfs_slot *slots = root_at(fs, layout_slots_offset());

	s->layout = ZSFS_LAYOUT;
	s->nr_slots = p->nr_threads + 1;
	s->inode_size = sizeof(struct zinode);
	s->slot_size = sizeof(struct zsfs_slot);
	zsfs_set_size(fs, p->size_limit);
	s->inode_limit = p->inode_limit;
	s->follow_cpu = p->follow_cpu;
	s->mount_uid = p->owner_uid;
	s->mount_gid = p->owner_gid;
	s->mounter_uid = geteuid();
	s->created = stamp_coarse().sec;
	s->atime = p->atime;
	s->nodiratime = p->nodiratime;
	s->atime_is_own = p->atime_is_own;
	s->writeback = p->writeback;
	s->xattr = p->xattr;
	s->hidestats = p->hidestats;
	note_options(s, p);
	s->mem_limit = p->mem_limit;
	for (unsigned i = 0; i < s->nr_slots; i++)
		slots[i].undo.max = TX_MAX_UNDO;
	zsfs_set_comp(fs, &p->comp);
	zsfs_set_dense(fs, p->dense.level ? p->dense.level : DENSE_DEFAULT);
	s->settle = p->settle;
	zsfs_set_hot(fs, p->hot);
	for (unsigned c = 0; c < CEILING_NR; c++)
		ceiling_note(fs, c);
	s->magic = ZSFS_MAGIC;
}

static int make_root(struct zsfs *fs, const struct zsfs_params *p)
{
	struct tx *tx = tx_begin(zsfs_background(fs));
	struct zinode *root;
	int err = inode_new(tx, S_IFDIR | (p->mode & 07777), p->uid, p->gid, 0,
			    &root);

	if (err)
		return tx_abort(tx, err);
	inode_begin_counts(root, 2, 1);
	root->parent = inode_ino(root);
	inode_complete(tx, root);
	tx_set(tx, &fs->super->root, (uint64_t)(uintptr_t)root);
	tx_commit(tx);
	return 0;
}

int zsfs_create(const struct zsfs_params *p, struct zsfs **out)
{
	struct arena_params ap = {
		.size = p->arena_size,
		.limit = p->mem_limit,
		.nr_threads = p->nr_threads + 1 + p->nr_helpers,
		.root_size = layout_root_size(p->nr_threads),
		.no_huge = p->no_huge || !strcmp(p->huge, "never"),
		.no_swap = p->no_swap,
		.mpol = p->mpol,
	};
	struct zsfs *fs = calloc(1, sizeof(*fs));
	int err;

	if (!fs)
		return -ENOMEM;
	fs->stamp_fd = -1;
	err = arena_create(&ap, &fs->arena);
	if (err)
		goto err_close;
	fs->super = arena_root(fs->arena);
	err = zs_create_pool(fs->arena, root_at(fs, layout_pool_offset()),
			     p->chain_size, &fs->pool);
	if (err)
		goto err_close;
	err = draw_keys(fs->super);
	if (err)
		goto err_close;
	init_super(fs, p);
	zsfs_apply_reserve(fs, p->mem_limit);
	err = init_private(fs, p->nr_helpers);
	if (!err)
		err = make_root(fs, p);
	if (err)
		goto err_close;
	*out = fs;
	return 0;

err_close:
	zsfs_close(fs);
	return err;
}

/* ---- taking up ---- */

static int check_super(const struct zsfs *fs, unsigned nr_helpers)
{
	const struct zsfs_super *s = fs->super;

	if (s->magic != ZSFS_MAGIC || s->layout != ZSFS_LAYOUT ||
	    s->inode_size != sizeof(struct zinode) ||
	    s->slot_size != sizeof(struct zsfs_slot) || s->nr_slots < 2 ||
	    s->nr_slots > arena_nr_threads(fs->arena) ||
	    s->nr_slots + nr_helpers > arena_nr_threads(fs->arena) ||
	    layout_root_size(s->nr_slots - 1) != arena_root_size(fs->arena))
		return -EPROTO;
	return 0;
}

/* Settings that are indices, and texts that end. */
static bool has_sound_settings(struct zsfs_super *s)
{
	s->fixed_options[sizeof(s->fixed_options) - 1] = '\0';
	s->idle_options[sizeof(s->idle_options) - 1] = '\0';
	s->verify_text[sizeof(s->verify_text) - 1] = '\0';
	s->scrub_text[sizeof(s->scrub_text) - 1] = '\0';
	s->control_text[sizeof(s->control_text) - 1] = '\0';
	return (s->comp & 0xff) < ZCOMP_NR_ALGS && s->atime < ATIME_NR &&
	       s->init_req_len <= sizeof(s->init_req) &&
	       s->init_reply_len <= sizeof(s->init_reply);
}

static bool is_inode(const struct zsfs *fs, uint64_t addr)
{
	return inode_valid(fs, (const struct zinode *)(uintptr_t)addr);
}

/* Is there nothing at @addr, or an inode that may be freed? */
static bool may_be_freed(const struct zsfs *fs, uint64_t addr)
{
	return !addr ||
	       inode_has_ended(fs, (const struct zinode *)(uintptr_t)addr);
}

/* What there is to go by once transactions are at rest. */
static bool has_sound_roots(const struct zsfs *fs)
{
	const struct zsfs_super *s = fs->super;
	uint64_t pages;

	if (!is_inode(fs, s->root) ||
	    !S_ISDIR(((const struct zinode *)(uintptr_t)s->root)->mode) ||
	    !may_be_freed(fs, s->reap_head))
		return false;
	for (unsigned i = 0; i < fs->nr_threads; i++)
		if (!may_be_freed(fs, fs->threads[i].slot->reap))
			return false;
	return !snapshot_verify(fs, &pages);
}

static int recover_transactions(struct zsfs *fs)
{
	for (unsigned i = 0; i < fs->nr_threads; i++)
		if (!tx_is_sound(fs, &fs->threads[i]))
			return -EPROTO;
	for (unsigned i = 0; i < fs->nr_threads; i++)
		tx_recover(fs, &fs->threads[i]);
	return has_sound_roots(fs) ? 0 : -EPROTO;
}

int zsfs_recover(struct zsfs *fs)
{
	int err = arena_recover(fs->arena);

	if (!err)
		err = check_super(fs, 0);
	if (!err && !has_sound_settings(fs->super))
		err = -EPROTO;
	if (!err)
		err = zs_recover_pool(fs->pool, fs->threads[0].at);
	if (!err)
		err = recover_transactions(fs);
	if (err)
		return err;
	for (unsigned i = 0; i < fs->nr_threads; i++)
		reap_hand_over(&fs->threads[i]);
	fs->used_blocks = zsfs_stat_sum(fs, ST_BLOCKS);
	fs->used_inodes = zsfs_stat_sum(fs, ST_INODES);
	arena_set_promised(fs->arena,
			   zsfs_stat_get(fs, ST_ROOM) * ZSFS_ROOM_COST);
	arena_set_growth(fs->arena,
			 zsfs_stat_get(fs, ST_SAME) * ZSFS_ROOM_COST);
	return 0;
}

int zsfs_attach(int fd, unsigned nr_helpers, struct shared_page *shared,
		unsigned bank, struct zsfs **out)
{
	struct zsfs *fs = calloc(1, sizeof(*fs));
	int err;

	if (!fs)
		return -ENOMEM;
	fs->stamp_fd = -1;
	fs->shared = shared;
	fs->bank = bank;
	err = arena_attach(fd, &fs->arena);
	if (err)
		goto err_close;
	fs->super = arena_root(fs->arena);
	err = check_super(fs, nr_helpers);
	if (!err)
		err = zs_open_pool(fs->arena, root_at(fs, layout_pool_offset()),
				   &fs->pool);
	if (!err)
		err = init_private(fs, nr_helpers);
	if (err)
		goto err_close;
	*out = fs;
	return 0;

err_close:
	zsfs_close(fs);
	return err;
}

int zsfs_open(int fd, unsigned nr_helpers, struct zsfs **out)
{
	int err = zsfs_attach(fd, nr_helpers, NULL, 0, out);

	if (err)
		return err;
	err = zsfs_recover(*out);
	if (err)
		zsfs_close(*out);
	else
		reap_all(zsfs_background(*out));
	return err;
}
