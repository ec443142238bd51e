/* SPDX-License-Identifier: BSD-3-Clause */
/* An arena that a worker died in, and damage to it (see damage.h). */
#include "damage.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/fs_fixture.h"
#include "arena_i.h"
#include "content/block_table.h"
#include "content/cluster.h"
#include "content/hot.h"
#include "content/settle.h"
#include "content/slot.h"
#include "fuzz.h"
#include "run_map.h"
#include "state/settings.h"
#include "state/snapshot.h"
#include "tree/reap.h"
#include "tree/xattr.h"

#define SIZE	   (UINT64_C(64) << 20)
#define MAX_RANGES 4096u

enum kind {
	CONTENT,
	CHECKSUM,
	HEAD,
	CELL,
	CLUSTER,
	HEADER,
	THREAD,
	POOL,
	SUPER,
	SLOT,
	REQUEST,
	META,
	NR_KINDS,
};

static const enum promise promises[NR_KINDS] = {
	[HEAD] = PROMISE_READS,	     [CELL] = PROMISE_READS,
	[CLUSTER] = PROMISE_READS,   [HEADER] = PROMISE_REFUSAL,
	[THREAD] = PROMISE_REFUSAL,  [POOL] = PROMISE_REFUSAL,
	[SUPER] = PROMISE_REFUSAL,   [SLOT] = PROMISE_REFUSAL,
	[REQUEST] = PROMISE_REFUSAL, [META] = PROMISE_VERIFY,
};

/* Bytes of the file. */
struct range {
	uint64_t off, len;
};

struct ranges {
	struct range r[MAX_RANGES];
	size_t n;
};

struct damage_file damage_files[NR_FILES];

static struct ranges of_kind[NR_KINDS];
static struct ranges backed; /* what the file holds */
static uint8_t *image;	     /* of all of it, SIZE bytes */
static uint8_t *view;	     /* the file that is damaged */
static int file = -1;

static struct zsfs *fs;
static struct zsfs_thread *th;

static void add(struct ranges *to, uint64_t off, uint64_t len)
{
	FUZZ_CHECK(to->n < MAX_RANGES && off + len <= SIZE);
	to->r[to->n++] = (struct range){off, len};
}

static void add_at(enum kind kind, const void *p, uint64_t len)
{
	add(&of_kind[kind], (uint64_t)(uintptr_t)p - ARENA_BASE, len);
}

/* ---- the file system ---- */

/* Of each 16 blocks: noise, one word, zeros, and such that compress. */
static void fill(struct damage_file *f, unsigned nr)
{
	uint32_t x = nr + 1;

	for (size_t k = 0; k < f->size; k++) {
		size_t block = k / ZSFS_BLOCK_SIZE;

		x = x * 1664525u + 1013904223u;
		if (block % 16 == 3)
			f->data[k] = (uint8_t)(x >> 24);
		else if (block % 16 == 5)
			f->data[k] = (uint8_t)(k % 8 + nr);
		else if (block % 16 != 7)
			f->data[k] =
				(uint8_t)(k % 13 ? k % 61 * block : x >> 24);
	}
}

static uint64_t make_file(unsigned nr)
{
	struct damage_file *f = &damage_files[nr];
	uint64_t nodeid;
	size_t done;

	snprintf(f->name, sizeof(f->name), "%c", 'a' + (int)nr);
	f->size = nr % 4 == 3 ? 3000 : FILE_SIZE - nr * 1000;
	fill(f, nr);
	nodeid = fixture_file(th, f->name);
	if (fixture_write(th, nodeid, f->data, f->size, 0, &done) ||
	    done != f->size)
		exit(2);
	return nodeid;
}

static void set_xattr(uint64_t nodeid, size_t size)
{
	struct tx *tx = tx_begin(th);

	if (fixture_end(tx, zsfs_setxattr(tx, nodeid, "user.x",
					  damage_files[0].data, size, 0)))
		exit(2);
}

static uint64_t make(const char *name, uint32_t mode)
{
	struct new_inode spec = {.mode = mode, .target = "a/b/c"};
	struct tx *tx = tx_begin(th);
	struct zinode *i;
	int err = zsfs_make(tx, ROOT_NODEID, name, &spec, &i);
	uint64_t nodeid = err ? 0 : inode_nodeid(fs, i);

	if (fixture_end(tx, err))
		exit(2);
	return nodeid;
}

/* What was unlinked waits to be freed; names in between have gone. */
static void remove_some(void)
{
	char name[8];

	for (unsigned k = 0; k < 60; k++) {
		snprintf(name, sizeof(name), "n%u", k);
		fixture_file(th, name);
	}
	for (unsigned k = 0; k < 60; k += 3) {
		struct tx *tx = tx_begin(th);

		snprintf(name, sizeof(name), "n%u", k);
		if (fixture_end(tx, zsfs_unlink(tx, ROOT_NODEID, name)))
			exit(2);
	}
}

/* The first files are settled, the next are warm, and the last hot. */
static uint64_t make_files(void)
{
	uint64_t first = 0;

	for (unsigned k = 0; k < NR_FILES; k++) {
		uint64_t nodeid = make_file(k);

		if (k == 0)
			first = nodeid;
		if (k == 0 || k == 1)
			set_xattr(nodeid, k ? 30000 : 100);
		if (k == 5 && zsfs_settle(th))
			exit(2);
		if (k != 8)
			continue;
		zsfs_set_hot(fs, 1 << 20);
		hot_may(th, 256);
		while (hot_step(th, false) == 1)
			;
	}
	return first;
}

static void make_fs(void)
{
	struct zsfs_params p = {
		.arena_size = SIZE,
		.comp = {ZCOMP_LZ4, 1},
		.chain_size = ZS_DEFAULT_CHAIN_SIZE,
		.nr_threads = 2,
		.mode = 0755,
		.no_huge = true,
		.xattr = true,
		.settle = SETTLE_MAX,
	};

	if (zsfs_create(&p, &fs))
		exit(2);
	memset(&fs->super->name_key, 1, sizeof(fs->super->name_key));
	fs->super->seed = 1;
	fs->super->salt = 1;
	th = &fs->threads[0];
}

/* ---- what its worker was at when it died ---- */

static void leave_request(struct zsfs_slot *slot, uint32_t opcode,
			  uint64_t nodeid, const void *body, size_t len)
{
	struct fuse_in_header in = {
		.len = (uint32_t)(sizeof(in) + len),
		.opcode = opcode,
		.unique = 2 + 2 * (uint64_t)zsfs_thread_nr(th),
		.nodeid = nodeid,
	};

	memcpy(slot->req, &in, sizeof(in));
	memcpy(slot->req + sizeof(in), body, len);
	slot->unique = in.unique;
	slot->opcode = opcode;
	slot->req_len = in.len;
}

/* It was making a directory, and had answered that. */
static void leave_answer(struct zsfs_slot *slot, uint64_t nodeid)
{
	struct {
		struct fuse_out_header head;
		struct fuse_entry_out entry;
	} out = {.head = {.len = sizeof(out), .unique = 40},
		 .entry = {.nodeid = nodeid}};
	struct {
		struct fuse_batch_forget_in head;
		struct fuse_forget_one one[2];
	} forget = {{.count = 2}, {{nodeid, 0}, {nodeid, 1}}};

	leave_request(slot, FUSE_BATCH_FORGET, 0, &forget, sizeof(forget));
	memcpy(slot->reply, &out, sizeof(out));
	slot->reply_len = sizeof(out);
	slot->done = 40;
	slot->opcode = FUSE_MKDIR;
}

/* Its transaction is left open. */
static struct tx *leave_write(uint64_t nodeid)
{
	struct fuse_write_in in = {.size = 100};
	struct tx *tx = tx_begin(th);
	size_t done;

	leave_request(th->slot, FUSE_WRITE, nodeid, &in, sizeof(in));
	th->slot->executing = 1;
	if (zsfs_write(tx, nodeid, damage_files[1].data, 30000, 5000, 0, &done))
		exit(2);
	return tx;
}

/* ---- what there is ---- */

static int note_object(uint32_t handle, void *arg)
{
	struct zs_obj_info info;
	const uint8_t *p = zs_obj_read_begin(fs->pool, th->at, handle, &info);
	const void *head = p - sizeof(uint64_t);

	FUZZ_CHECK(p);
	zs_obj_read_end(fs->pool, th->at);
	if (info.size >= fs->huge_size)
		head = &page_desc_of(addr_to_pfn(p))->head;
	add_at(CONTENT, p, info.size);
	/* That of a piece is also its cluster's. */
	add_at(info.tag == CLUSTER_TAG ? HEAD : CHECKSUM,
	       (const uint32_t *)head + 1, 4);
	add_at(HEAD, head, 4);
	add_at(CELL, arena_handle_cell(handle), 8);
	return 0;
}

static int note_clusters(void *inode, void *arg)
{
	const struct zinode *i = inode;
	uint64_t idx = 0, slot;

	if (!S_ISREG(i->mode))
		return 0;
	for (; table_next(&i->file.blocks, &idx, &slot); idx++)
		if (slot_kind(slot) == SLOT_DENSE)
			add_at(CLUSTER, slot_cluster(slot),
			       cluster_size(slot_cluster(slot)->len));
	return 0;
}

static void note_slots(void)
{
	for (unsigned k = 0; k < fs->nr_threads; k++) {
		struct zsfs_slot *s = fs->threads[k].slot;
		uint64_t logged = s->undo.n * sizeof(struct undo_entry);

		add_at(SLOT, s, offsetof(struct zsfs_slot, alloc));
		add_at(SLOT, s->alloc, (s->nr_alloc + 1) * 8);
		add_at(SLOT, s->free, (s->nr_free + 1) * 8);
		add_at(SLOT, s->stat, sizeof(s->stat));
		add_at(SLOT, &s->undo, sizeof(s->undo) + logged);
		if (k + 1 == fs->nr_threads)
			break;
		add_at(REQUEST, s->req, 128);
		add_at(REQUEST, s->reply, 256);
	}
}

/* Pages in use that hold no objects, and all that is known of pages. */
static void note_meta(const struct arena_header *h)
{
	for (uint32_t seg = 0; seg < h->nr_segs; seg++)
		for (unsigned k = 0; k < ARENA_SEG_PAGES; k++) {
			uint64_t pfn = seg_pfn(seg) + k;

			if (!pfn_in_use(fs->arena, pfn))
				continue;
			add_at(META, page_desc_of(pfn),
			       sizeof(struct page_desc));
			if (page_desc_of(pfn)->type == ARENA_PAGE_SLAB)
				add_at(META, pfn_to_addr(pfn), 4096);
		}
	for (uint32_t seg = 0; seg < h->nr_segs; seg++)
		add_at(META, segment_of(seg), offsetof(struct segment, desc));
}

static void note_kinds(void)
{
	const struct arena_header *h = fs->arena->hdr;
	size_t shared = sizeof(struct arena_thread_shared);

	zs_for_each_handle(fs->pool, note_object, NULL);
	slab_for_each_record(fs->arena, note_clusters, NULL);
	add_at(HEADER, h, sizeof(*h));
	for (unsigned k = 0; k < h->nr_threads; k++)
		add(&of_kind[THREAD], h->threads_off + k * shared, shared);
	add_at(POOL, (uint8_t *)fs->super + layout_pool_offset(),
	       zs_pool_root_size());
	add_at(SUPER, fs->super, sizeof(*fs->super));
	note_slots();
	note_meta(h);
	for (unsigned k = 0; k < NR_KINDS; k++)
		FUZZ_CHECK(of_kind[k].n);
}

/* Runs of pages that are in the file. */
static void note_backed(void)
{
	const struct arena_header *h = fs->arena->hdr;

	add(&backed, 0, h->root_bytes);
	add(&backed, h->window_low, h->window_high - h->window_low);
	for (uint32_t seg = 0; seg < h->nr_segs; seg++) {
		const struct segment *s = segment_of(seg);
		unsigned from = 0, to = 0;

		while (from < ARENA_SEG_PAGES) {
			from = map_next(s->present, to, true);
			to = from < ARENA_SEG_PAGES
				     ? map_next(s->present, from, false)
				     : from;
			if (to > from)
				add(&backed, seg_page_offset(seg, from),
				    (to - from) * ARENA_PAGE_SIZE);
		}
	}
}

static void take_image(void)
{
	image = malloc(SIZE);
	FUZZ_CHECK(image);
	for (size_t k = 0; k < backed.n; k++)
		memcpy(image + backed.r[k].off,
		       (uint8_t *)(uintptr_t)ARENA_BASE + backed.r[k].off,
		       backed.r[k].len);
}

static void make_base(void)
{
	uint64_t first, dir;
	struct tx *tx;

	make_fs();
	first = make_files();
	dir = make("dir", S_IFDIR | 0755);
	make("link", S_IFLNK | 0777);
	remove_some();
	leave_answer(fs->threads[1].slot, dir);
	tx = leave_write(first);
	note_kinds();
	note_backed();
	take_image();
	file = dup(arena_fd(fs->arena));
	view = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	FUZZ_CHECK(file >= 0 && view != MAP_FAILED);
	tx_abort(tx, 0);
	zsfs_close(fs);
}

/* ---- each time ---- */

static bool is_zeros(const uint8_t *p)
{
	static const uint8_t zeros[ARENA_PAGE_SIZE];

	return !memcmp(p, zeros, sizeof(zeros));
}

static void restore(void)
{
	arena_unback(file, 0, SIZE);
	for (size_t k = 0; k < backed.n; k++) {
		uint64_t end = backed.r[k].off + backed.r[k].len;

		FUZZ_CHECK(!arena_back(file, backed.r[k].off, backed.r[k].len));
		for (uint64_t at = backed.r[k].off; at < end;
		     at += ARENA_PAGE_SIZE)
			if (!is_zeros(image + at))
				memcpy(view + at, image + at, ARENA_PAGE_SIZE);
	}
}

/* One of 8 bytes, as a record says. */
struct record {
	uint8_t kind, how;
	uint16_t where, at, value;
};

/* Number @where of the ranges of @kind. */
static const struct range *range_of(enum kind kind, unsigned where)
{
	const struct ranges *all = &of_kind[kind];

	return &all->r[where % all->n];
}

static uint8_t *byte_of(enum kind kind, unsigned where, unsigned at)
{
	const struct range *r = range_of(kind, where);

	return view + r->off + at % r->len;
}

/* What the record has in place of @old, a word in which @bit is hit. */
static uint64_t damaged(enum kind kind, const struct record *r, uint64_t old,
			unsigned bit)
{
	uint64_t value = r->value;

	switch (r->how % 8) {
	case 0:
		return old ^ UINT64_C(1) << (bit + value % 8);
	case 1:
		return (old & ~(UINT64_C(0xff) << bit)) | (value & 0xff) << bit;
	case 2:
		return value;
	case 3:
		return old + value - 128;
	case 4:
		return UINT64_MAX - value;
	case 5: /* what another one has there */
		return (old & ~(UINT64_C(0xff) << bit)) |
		       (uint64_t)*byte_of(kind, r->where + r->value, r->at)
			       << bit;
	case 6:
		return old ^ UINT64_C(1) << value % 64;
	default: /* an address */
		return ARENA_BASE + value * 1024;
	}
}

/* Of the word only what is in the range. */
static void damage_one(enum kind kind, const struct record *r)
{
	const struct range *range = range_of(kind, r->where);
	uint64_t off = range->off + r->at % range->len, word = off & ~7ul, val;
	uint8_t bytes[8];

	memcpy(&val, view + word, sizeof(val));
	val = damaged(kind, r, val, (unsigned)(off % 8) * 8);
	memcpy(bytes, &val, sizeof(bytes));
	for (unsigned k = 0; k < 8; k++)
		if (word + k - range->off < range->len)
			view[word + k] = bytes[k];
}

/* Of the records only those that are of META, or only the others. */
static enum promise damage(const uint8_t *data, size_t size, bool meta)
{
	enum promise promise = PROMISE_ALL;

	for (; size >= DAMAGE_RECORD; size -= DAMAGE_RECORD) {
		enum kind kind = data[0] % NR_KINDS;
		struct record r;

		memcpy(&r, data, sizeof(r));
		data += DAMAGE_RECORD;
		if ((kind == META) != meta)
			continue;
		damage_one(kind, &r);
		if (promises[kind] > promise)
			promise = promises[kind];
	}
	return promise;
}

int damage_make(const uint8_t *data, size_t size, enum promise *promise)
{
	if (file < 0)
		make_base();
	restore();
	*promise = damage(data, size, false);
	return file;
}

enum promise damage_in_use(const uint8_t *data, size_t size)
{
	return damage(data, size, true);
}
