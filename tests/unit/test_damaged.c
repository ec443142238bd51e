/* SPDX-License-Identifier: BSD-3-Clause */
/* A takeover refuses what makes no sense, before it does anything by it. */
#include "check.h"

#include <errno.h>
#include <linux/fuse.h>
#include <unistd.h>

#include "fs_fixture.h"
#include "arena_i.h"
#include "content/block_table.h"
#include "content/slot.h"
#include "state/snapshot.h"
#include "tree/reap.h"
#include "tree/xattr.h"
#include "volume/verify_fs.h"
#include "zsmalloc_i.h"

static struct zsfs *fs;
static uint32_t live;	/* handle of an object */
static uint64_t nodeid; /* of its file */

static struct arena_header *header(void)
{
	return fs->arena->hdr;
}

static struct arena_thread_shared *thread_of(unsigned nr)
{
	return arena_thread(fs->arena, nr)->shared;
}

static struct arena_thread_shared *thread(void)
{
	return thread_of(1);
}

static struct zs_pool_root *pool(void)
{
	return fs->pool->root;
}

static struct zsfs_slot *slot(void)
{
	return fs->threads[0].slot;
}

static bool is_live(uint32_t handle)
{
	unsigned tag;

	return zs_obj_size(fs->pool, handle, &tag);
}

/* Recovery finds one word changed; all is well again when that is put back. */
#define CHECK_REFUSED(word, value)                                             \
	do {                                                                   \
		__typeof__(word) was_ = (word);                                \
                                                                               \
		(word) = (__typeof__(word))(value);                            \
		CHECK_EQ(zsfs_recover(fs), -EPROTO);                           \
		(word) = was_;                                                 \
	} while (0)

static void check_sound(void)
{
	char msg[256] = "";

	CHECK_EQ(zsfs_recover(fs), 0);
	if (zsfs_verify(fs, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
}

/* ---- the arena ---- */

static void test_header(void)
{
	CHECK_REFUSED(header()->magic, 1);
	CHECK_REFUSED(header()->nr_threads, 2);
	CHECK_REFUSED(header()->nr_segs, 1 << 30);
	CHECK_REFUSED(header()->nr_segs, 5000);
	CHECK_REFUSED(header()->window_low, 4096);
	CHECK_REFUSED(header()->window_low, header()->window_low + 1);
	CHECK_REFUSED(header()->window_high, UINT64_MAX - 4095);
	CHECK_REFUSED(header()->handles_backed, header()->handles_backed + 1);
	CHECK_REFUSED(header()->hole_head, header()->nr_segs + 1);
	for (unsigned k = 0; k < NR_BINS; k++) {
		CHECK_REFUSED(header()->bin[k], UINT32_MAX);
		if (segment_of(0)->bin != k)
			CHECK_REFUSED(header()->bin[k], 1);
	}
	if (segment_of(0)->nr_present == ARENA_SEG_PAGES)
		CHECK_REFUSED(header()->hole_head, 1);
	for (unsigned k = 0; k < SLAB_NR_CACHES; k++) {
		CHECK_REFUSED(header()->slab[k].partial, 77);
		CHECK_REFUSED(header()->slab[k].spare, UINT32_MAX);
	}
	check_sound();
}

/* What is to be punched is in use, or nowhere. */
static void test_intent(void)
{
	CHECK_REFUSED(header()->intent, INTENT_MAKE(INTENT_PUNCH, 0, 0, 512));
	CHECK_REFUSED(header()->intent, INTENT_MAKE(INTENT_FILL, 0, 500, 100));
	CHECK_REFUSED(header()->intent,
		      INTENT_MAKE(INTENT_DROP, UINT32_MAX, 0, 1));
	CHECK_REFUSED(header()->intent,
		      INTENT_MAKE(INTENT_TRIM_HANDLES, 9999, 0, 0));
	CHECK_REFUSED(header()->intent,
		      INTENT_MAKE(INTENT_TRIM_DESCS, UINT32_MAX, 0, 0));
	CHECK_REFUSED(header()->intent, UINT64_MAX);
	check_sound();
}

static void test_logs(void)
{
	struct undo_log *u = &thread()->undo;

	CHECK_REFUSED(u->n, u->max + 1);
	CHECK_REFUSED(u->max, u->max + 1);
	u->e[0].old = header()->used;
	u->n = 1;
	CHECK_REFUSED(u->e[0].addr, 0);
	CHECK_REFUSED(u->e[0].addr, ARENA_BASE + header()->root_bytes);
	CHECK_REFUSED(u->e[0].addr, (uintptr_t)&header()->used + 1);
	CHECK_REFUSED(u->e[0].addr, ARENA_BASE + arena_place.size);
	CHECK_REFUSED(u->e[0].addr, (uintptr_t)&fs);
	CHECK_REFUSED(u->e[0].addr, (uintptr_t)&header()->nr_threads);
	CHECK_REFUSED(u->e[0].addr, (uintptr_t)&header()->limit);
	CHECK_REFUSED(u->e[0].addr, (uintptr_t)&thread_of(0)->undo);
	CHECK_REFUSED(u->e[0].addr, (uintptr_t)&u->e[0]);
	u->e[0].addr = (uintptr_t)&header()->used;
	CHECK_EQ(zsfs_recover(fs), 0);
	CHECK_EQ(u->n, 0);
	CHECK_REFUSED(thread()->pending_run, 1);
	CHECK_REFUSED(thread()->pending_run,
		      run_ref(arena_place.data_pfn + 511, 2));
	check_sound();
}

/* ---- the pool ---- */

static void test_handles(void)
{
	CHECK_REFUSED(thread()->nr_handles, ZS_MAGAZINE + 1);
	thread()->nr_handles = 1;
	CHECK_REFUSED(thread()->handles[0], live);
	CHECK_REFUSED(thread()->handles[0], 0);
	CHECK_REFUSED(thread()->handles[0], UINT32_MAX);
	thread()->nr_handles = 0;
	CHECK_REFUSED(pool()->handle_free, live);
	CHECK_REFUSED(pool()->handle_free, UINT32_MAX);
	CHECK_REFUSED(pool()->handle_next, 0);
	CHECK_REFUSED(pool()->handle_next, header()->handles_backed + 1);
	for (unsigned k = 0; k < fs->pool->nr_classes; k++)
		CHECK_REFUSED(pool()->class[k].group[3].head, 99);
	check_sound();
}

/* An object that thread() stores; its handle. */
static uint32_t store(void)
{
	static unsigned nr;
	uint64_t *ref = &fs->threads[1].slot->free[nr++];

	REQUIRE(!zs_store(fs->pool, arena_thread(fs->arena, 1), "abc", 4, 0, 0,
			  ref));
	return (uint32_t)REF_VALUE(*ref);
}

/* Each of the next has a handle of its own, and none that of @live. */
static void check_handles(unsigned nr)
{
	uint64_t cell = cell_load(live);
	uint32_t had[64];

	for (unsigned k = 0; k < nr; k++) {
		had[k] = store();
		CHECK(had[k] != live);
		for (unsigned n = 0; n < k; n++)
			CHECK(had[n] != had[k]);
	}
	CHECK_EQ(cell_load(live), cell);
}

static void test_a_handle_twice(void)
{
	store();
	REQUIRE(thread()->nr_handles > 8);
	for (unsigned k = 0; k < 4; k++)
		thread()->handles[thread()->nr_handles - 1 - k] =
			thread()->handles[0];
	thread()->handles[thread()->nr_handles - 1] = live;
	thread()->handles[thread()->nr_handles - 3] = UINT32_MAX;
	check_handles(40);
}

/* The list leads to what is in use, and to where nothing is. */
static void test_links_of_handles(void)
{
	uint32_t free = thread_of(0)->handles[0];

	thread_of(0)->nr_handles = thread()->nr_handles = 0;
	for (unsigned k = 0; k < 2; k++) {
		pool()->handle_free = free;
		pool()->handles_free = 9;
		cell_set_free(free, k ? ZS_MAX_HANDLE : live);
		thread()->nr_handles = 0;
		check_handles(2);
		free = thread()->handles[0];
	}
	CHECK_EQ(pool()->handles_free, 0);
}

static void test_new_handles(void)
{
	thread_of(0)->nr_handles = thread()->nr_handles = 0;
	pool()->handle_free = pool()->handles_free = 0;
	pool()->handle_next = live;
	check_handles(40);
}

static void test_handles_given_back(void)
{
	uint64_t *ref = &fs->threads[1].slot->free[0], cell = cell_load(live);

	store();
	for (unsigned k = 0; k < ZS_MAGAZINE; k++)
		thread()->handles[k] = live;
	thread()->nr_handles = ZS_MAGAZINE;
	zs_free(fs->pool, arena_thread(fs->arena, 1), ref);
	CHECK_EQ(cell_load(live), cell);
}

/* Where chunks are taken from next. */
static struct zspage zspage_of(uint32_t handle)
{
	return zspage_of_cell(cell_load(handle));
}

/* From level 3 on each zspage that changes is verified at once, and not mended.
 */
#if ZS_DEBUG_LEVEL < 3

static void check_pool(void)
{
	char msg[256] = "";

	if (zs_pool_verify(fs->pool, msg, sizeof(msg)))
		CHECK_FAILED("%s", msg);
}

/* The list of free chunks leads to one in use, to itself, and to nowhere. */
static void test_links_of_chunks(void)
{
	uint32_t handle = store();
	const struct size_class *class =
		cell_class(fs->pool, cell_load(handle));
	struct zspage zp = zspage_of(handle);
	static const uint16_t links[] = {0, 999, NO_FREE_OBJ};

	for (unsigned k = 0; k < 3; k++) {
		REQUIRE(zp.desc->inuse + 8u < class->objs);
		*chunk_head(class, zspage_chunk(class, zp, zp.desc->freeobj)) =
			link_make(links[k]);
		store();
		store();
		check_pool();
		zp.desc->freeobj = links[k];
		store();
		check_pool();
	}
	*chunk_head(class, zspage_chunk(class, zp, zp.desc->freeobj)) |= 1;
	store();
	check_pool();
}

#endif

/* What no cell points at cannot be moved, and compaction ends all the same. */
static void test_compact(void)
{
	uint32_t handle[600];
	struct zspage zp;

	for (unsigned k = 0; k < 600; k++)
		handle[k] = store();
	for (unsigned k = 0; k < 600; k++)
		if (k % 3)
			zs_free(fs->pool, arena_thread(fs->arena, 1),
				&fs->threads[1].slot->free[k]);
	zp = zspage_of(handle[0]);
	for (unsigned k = 0; k < 600; k += 3)
		if (zspage_of(handle[k]).pfn != zp.pfn || k % 2)
			*(uint64_t *)cell_chunk(cell_load(handle[k])) ^= 16;
	zs_compact(fs->pool, arena_thread(fs->arena, 1));
	CHECK(is_live(live));
}

static void test_books(void)
{
	uint32_t pfn = zspage_of(live).pfn;
	struct slab_head *slab = header()->slab;

	CHECK_REFUSED(thread()->pending_run, run_ref(pfn, 1));
	CHECK_REFUSED(thread()->pending_run,
		      run_ref(addr_to_pfn(inode_resolve(fs, nodeid)), 1));
	CHECK_REFUSED(header()->nr_segs, header()->nr_segs - 1);
	CHECK_REFUSED(slab[SLAB_RECORD].spare, slab[SLAB_RECORD].partial);
	CHECK_REFUSED(page_desc_of(slab[SLAB_RECORD].partial)->freeobj,
		      NO_FREE_OBJ);
	CHECK_REFUSED(page_desc_of(slab[SLAB_RECORD].partial)->inuse, 0);
	for (unsigned k = 0; k < fs->pool->nr_classes; k++)
		for (unsigned g = 2; g < ZS_GROUP_FULL; g++)
			if (pool()->class[k].group[g].head)
				CHECK_REFUSED(
					pool()->class[k].group[g - 1].head,
					pool()->class[k].group[g].head);
	check_sound();
}

#ifdef NDEBUG
/* A cell that names no place in a zspage: what is there is not freed. */
static void test_cells(void)
{
	static const uint64_t bits[] = {UINT64_C(1) << 37, 1 << 20, 1 << 8};
	struct arena_thread *t = arena_thread(fs->arena, 1);

	for (unsigned k = 0; k < 3; k++) {
		uint64_t ref = REF_MAKE(REF_OBJ, store());
		uint64_t *cell = arena_handle_cell((uint32_t)REF_VALUE(ref));

		*cell ^= bits[k];
		fs->threads[1].slot->free[699] = ref;
		zs_free(fs->pool, t, &fs->threads[1].slot->free[699]);
		CHECK_EQ(fs->threads[1].slot->free[699], 0);
		*cell ^= bits[k];
	}
	CHECK(is_live(live));
}
#endif

/* ---- the file system ---- */

/* What transactions never change. */
static void check_undo(void)
{
	uint64_t cell = (uintptr_t)arena_handle_cell(live);
	struct undo_entry *e = &slot()->undo.e[0];

	slot()->undo.n = 1;
	e->addr = (uintptr_t)&slot()->stat[0];
	CHECK_REFUSED(e->addr, (uintptr_t)&header()->used);
	CHECK_REFUSED(e->addr, (uintptr_t)&fs->super->comp);
	CHECK_REFUSED(e->addr, (uintptr_t)&fs->super->magic);
	CHECK_REFUSED(e->addr, (uintptr_t)&slot()->undo.n);
	CHECK_REFUSED(e->addr, (uintptr_t)&slot()->nr_alloc);
	CHECK_REFUSED(e->addr, (uintptr_t)&fs->threads[1].slot->undo.n);
	CHECK_REFUSED(e->addr, (uintptr_t)&fs->threads[1].slot->reply);
	CHECK_REFUSED(e->addr, (uintptr_t)pool());
	CHECK_REFUSED(e->addr, cell);
	CHECK_REFUSED(e->addr, (uintptr_t)cell_chunk(cell_load(live)));
	slot()->undo.n = 0;
}

static void test_slot(void)
{
	CHECK_REFUSED(slot()->state, TX_ANSWERED + 1);
	CHECK_REFUSED(slot()->nr_alloc, TX_MAX_ALLOC + 1);
	CHECK_REFUSED(slot()->nr_free, TX_MAX_FREE + 1);
	CHECK_REFUSED(slot()->undo.max, TX_MAX_UNDO + 1);
	CHECK_REFUSED(slot()->req_len, ZSFS_REQ_SIZE + 1);
	CHECK_REFUSED(slot()->reply_len, ZSFS_REPLY_SIZE + 1);
	CHECK_REFUSED(slot()->reap, ARENA_BASE);
	slot()->state = TX_ACTIVE;
	CHECK_REFUSED(slot()->undo.n, TX_MAX_UNDO + 1);
	check_undo();
	slot()->nr_alloc = 1;
	CHECK_REFUSED(slot()->alloc[0], REF_MAKE(REF_SLAB, ARENA_BASE));
	CHECK_REFUSED(slot()->alloc[0], REF_MAKE(REF_RUN, 1));
	CHECK_REFUSED(slot()->alloc[0], REF_MAKE(REF_OBJ, UINT32_MAX));
	CHECK_REFUSED(slot()->alloc[0], 5);
	slot()->nr_alloc = 0;
	slot()->state = TX_COMMITTED;
	slot()->nr_free = 1;
	CHECK_REFUSED(slot()->free[0], REF_MAKE(REF_OBJ, 0));
	slot()->nr_free = 0;
	check_sound();
}

/* The state says what the rest of the slot does not. */
static void test_state(void)
{
	struct fuse_out_header *out = (void *)slot()->reply;

	slot()->undo.n = 1;
	slot()->undo.e[0] = (struct undo_entry){(uintptr_t)&fs->super->hot, 0};
	CHECK_REFUSED(slot()->state, TX_IDLE);
	slot()->undo.n = 0;
	slot()->unique = 8;
	*out = (struct fuse_out_header){.len = sizeof(*out), .unique = 8};
	slot()->reply_len = sizeof(*out) - 1;
	CHECK_REFUSED(slot()->state, TX_ANSWERED);
	slot()->reply_len = sizeof(*out);
	out->unique = 6;
	CHECK_REFUSED(slot()->state, TX_ANSWERED);
	out->unique = 8;
	slot()->state = TX_ANSWERED;
	check_sound();
	CHECK_EQ(slot()->done, 8);
}

/* Each begins with lists of nothing: no count makes old refs new ones. */
static void test_counts(void)
{
	struct tx *tx = tx_begin(&fs->threads[0]);
	void *p;

	CHECK_EQ(tx_slab_alloc(tx, SLAB_BUF_64, &p), 0);
	slot()->nr_alloc = TX_MAX_ALLOC;
	check_sound();
	slot()->state = TX_COMMITTED;
	slot()->nr_free = TX_MAX_FREE;
	check_sound();
	/* One that was put down, but not counted, when it was killed. */
	slot()->state = TX_ACTIVE;
	slot()->free[0] = REF_MAKE(REF_OBJ, live);
	check_sound();
	slot()->state = TX_COMMITTED;
	slot()->nr_free = 1;
	check_sound();
}

static void test_super(void)
{
	CHECK_REFUSED(fs->super->magic, 1);
	CHECK_REFUSED(fs->super->nr_slots, fs->super->nr_slots + 1);
	CHECK_REFUSED(fs->super->root, ARENA_BASE);
	CHECK_REFUSED(fs->super->root, fs->super->root + 16);
	CHECK_REFUSED(fs->super->reap_head, 8);
	CHECK_REFUSED(fs->super->snap_head, 8);
	CHECK_REFUSED(fs->super->snap_head, ARENA_BASE);
	CHECK_REFUSED(fs->super->comp, 250);
	CHECK_REFUSED(fs->super->init_req_len, 257);
	CHECK_REFUSED(fs->super->init_reply_len, 129);
	check_sound();
}

static bool is_there(const char *name)
{
	struct tx *tx = tx_begin(&fs->threads[0]);
	struct zinode *i = NULL;

	CHECK_EQ(zsfs_lookup(tx, ROOT_NODEID, name, &i), 0);
	tx_abort(tx, 0);
	return i != NULL;
}

/* One that is in use is not freed, wherever the list names it. */
static void test_what_is_freed(void)
{
	struct zinode *i = inode_resolve(fs, nodeid);
	uint64_t addr = (uint64_t)(uintptr_t)i;

	CHECK_REFUSED(fs->super->reap_head, addr);
	CHECK_REFUSED(slot()->reap, addr);
	CHECK_REFUSED(slot()->reap, fs->super->root);
	fs->super->reap_head = addr;
	reap_all(zsfs_background(fs));
	CHECK_EQ(fs->super->reap_head, 0);
	CHECK_EQ(slot()->reap, 0);
	CHECK(is_there("a"));
	check_sound();
}

/* More than its share of the area for them: it is in a run. */
static struct snapshot *add_snapshot(void)
{
	static const char text[ARENA_PAGE_SIZE * (ARENA_MAX_RUN - 1)];
	struct snapshot_spec spec = {
		.uid = 12345, .text = text, .len = sizeof(text)};
	struct snapshot *s = NULL;

	for (unsigned k = 0; k < 3; k++) {
		struct tx *tx = tx_begin(&fs->threads[0]);

		REQUIRE(!fixture_end(tx, snapshot_add(tx, &spec, &s)));
	}
	REQUIRE(s->ref);
	return s;
}

static void test_snapshots(void)
{
	const struct snapshot *s = add_snapshot();
	struct page_desc *d = page_desc_of(addr_to_pfn(s));

	CHECK_REFUSED(fs->super->snap_head, s->next + 8);
	CHECK_REFUSED(d[0].type, ARENA_PAGE_SLAB);
	CHECK_REFUSED(d[1].run_off, 0);
	CHECK_REFUSED(d[15].run_off, 3);
	CHECK_EQ(zsfs_recover(fs), 0);
}

/* ---- what is verified ---- */

/* The check finds one word changed; all is well when that is put back. */
#define CHECK_FOUND(word, value)                                               \
	do {                                                                   \
		__typeof__(word) was_ = (word);                                \
		char msg_[256] = "";                                           \
                                                                               \
		(word) = (__typeof__(word))(value);                            \
		CHECK_EQ(zsfs_verify(fs, msg_, sizeof(msg_)), -EUCLEAN);       \
		CHECK(*msg_);                                                  \
		(word) = was_;                                                 \
	} while (0)

static void set_xattr(const char *name, size_t size)
{
	static const char value[30000];
	struct tx *tx = tx_begin(&fs->threads[0]);

	REQUIRE(!fixture_end(tx,
			     zsfs_setxattr(tx, nodeid, name, value, size, 0)));
}

static void test_attributes(void)
{
	struct zinode *i = inode_resolve(fs, nodeid);
	uint32_t *size;

	set_xattr("user.x", 30000);
	/* What its only entry begins with, behind the head of its node. */
	size = (uint32_t *)slab_addr(i->xattrs) + 4;
	REQUIRE(*size == 30000);
	CHECK_FOUND(*size, 20000);
	CHECK_FOUND(*size, 5000);
	CHECK_FOUND(*size, 40000);
	check_sound();
}

static void test_inodes(void)
{
	struct zinode *root = inode_resolve(fs, ROOT_NODEID);
	struct zinode *i = inode_resolve(fs, fixture_file(fs->threads, "b"));
	struct tx *tx;

	CHECK_FOUND(root->dir.buckets.mark, 0);
	CHECK_FOUND(i->size, UINT64_C(1) << 63);
	CHECK_FOUND(i->size, UINT64_MAX);
	/* No name tells its type any more. */
	tx = tx_begin(fs->threads);
	CHECK_EQ(fixture_end(tx, zsfs_unlink(tx, ROOT_NODEID, "b")), 0);
	CHECK_FOUND(i->mode, i->mode & 07777);
	CHECK_FOUND(i->mode, i->mode ^ S_IFIFO);
	check_sound();
}

static const struct check_case cases[] = {
	CHECK_CASE(test_header),
	CHECK_CASE(test_intent),
	CHECK_CASE(test_logs),
	CHECK_CASE(test_handles),
	CHECK_CASE(test_a_handle_twice),
	CHECK_CASE(test_links_of_handles),
	CHECK_CASE(test_new_handles),
	CHECK_CASE(test_handles_given_back),
#if ZS_DEBUG_LEVEL < 3
	CHECK_CASE(test_links_of_chunks),
#endif
	CHECK_CASE(test_compact),
	CHECK_CASE(test_books),
#ifdef NDEBUG
	CHECK_CASE(test_cells),
#endif

	CHECK_CASE(test_slot),
	CHECK_CASE(test_state),
	CHECK_CASE(test_counts),
	CHECK_CASE(test_super),
	CHECK_CASE(test_what_is_freed),
	CHECK_CASE(test_snapshots),
	CHECK_CASE(test_attributes),
	CHECK_CASE(test_inodes),
};

static void make_some(void)
{
	struct zsfs_thread *th = &fs->threads[0];
	char text[5000];
	size_t done;

	nodeid = fixture_file(th, "a");
	for (unsigned k = 0; k < sizeof(text); k++)
		text[k] = (char)(k % 50 + k / 700);
	CHECK_EQ(fixture_write(th, nodeid, text, sizeof(text), 0, &done), 0);
	live = slot_handle(
		table_get(&inode_resolve(fs, nodeid)->file.blocks, 0));
	CHECK(is_live(live));
}

int main(int argc, char **argv)
{
	int ret;

	fs = fixture_fs_of(2);
	make_some();
	ret = CHECK_MAIN(cases, argc, argv);
	zsfs_close(fs);
	return ret;
}
