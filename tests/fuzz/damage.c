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
#include "content/prealloc.h"
#include "content/settle.h"
#include "content/slot.h"
#include "content/xattr_set.h"
#include "fuzz.h"
#include "run_map.h"
#include "state/settings.h"
#include "state/snapshot.h"
#include "tree/reap.h"
#include "tree/xattr.h"
#include "zsmalloc_i.h"

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
	/* Later ones: bytes from LATER_KINDS on. */
	FREE_CELL,
	FREE_CHUNK,
	SNAPSHOT,
	VALUE,
	LEAF,
	LINK,
	NR_KINDS,
};

#define NR_OLD_KINDS 12u
#define LATER_KINDS  0xf0u

/* Bits of how, beside the 8 ways in which a value changes. */
#define HOW_COPIES   0x08u /* a whole word of another range */
#define HOW_ATTACHED 0x40u /* after the successor has attached */

static const enum promise promises[NR_KINDS] = {
	[HEAD] = PROMISE_READS,	      [CELL] = PROMISE_READS,
	[CLUSTER] = PROMISE_READS,    [HEADER] = PROMISE_SERVES,
	[THREAD] = PROMISE_SERVES,    [POOL] = PROMISE_SERVES,
	[SUPER] = PROMISE_SERVES,     [SLOT] = PROMISE_SERVES,
	[REQUEST] = PROMISE_SERVES,   [META] = PROMISE_VERIFY,
	[FREE_CELL] = PROMISE_SERVES, [FREE_CHUNK] = PROMISE_SERVES,
	[SNAPSHOT] = PROMISE_SERVES,  [VALUE] = PROMISE_ALL,
	[LEAF] = PROMISE_CONTENT,     [LINK] = PROMISE_VERIFY,
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

/* The first files are settled, the next are warm, and then hot. */
static uint64_t make_files(void)
{
	uint64_t first = 0;

	for (unsigned k = 0; k < NR_FILES - 1; k++) {
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

static void give_room(uint64_t nodeid, uint64_t block, uint64_t end)
{
	struct tx *tx = tx_begin(th);
	struct zinode *i;

	FUZZ_CHECK(!file_lock(tx, nodeid, LOCK_EXCL, &i));
	inode_save(tx, i);
	FUZZ_CHECK(!file_give_room(tx, i, 7, &block, end));
	inode_note_stored(tx, i);
	tx_commit(tx);
}

/* Last, so that what damage hits in the others stays the same. */
static void make_large_file(void)
{
	const size_t head = 20 * 4096, tail = 64 * 4096;
	struct damage_file *f = &damage_files[NR_FILES - 1];
	uint64_t nodeid;
	size_t done;

	*f = (struct damage_file){.name = "m", .size = LARGE_SIZE};
	fill(f, NR_FILES);
	memset(f->data + head, 0, tail - head);
	nodeid = fixture_file(th, f->name);
	FUZZ_CHECK(!fixture_write(th, nodeid, f->data, head, 0, &done) &&
		   !fixture_write(th, nodeid, f->data + tail, f->size - tail,
				  tail, &done));
	give_room(nodeid, 24, 32);
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

/* One lies in the area for them, and one in a run. */
static void make_snapshots(void)
{
	static const char text[ARENA_PAGE_SIZE * (ARENA_MAX_RUN - 1)];
	struct snapshot_spec spec = {
		.uid = 12345, .text = text, .len = sizeof(text)};

	for (unsigned k = 0; k < 3; k++) {
		struct tx *tx = tx_begin(th);
		struct snapshot *s;

		if (fixture_end(tx, snapshot_add(tx, &spec, &s)))
			exit(2);
		add_at(SNAPSHOT, s, sizeof(*s));
	}
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

static int note_node(const struct table_node *node, void *arg)
{
	for (unsigned k = 0; k < 1u << node->order; k++)
		if (node->level > 1)
			add_at(LINK, &node->slots[k], sizeof(uint64_t));
		else if (slot_kind(node->slots[k]) != SLOT_SAME)
			add_at(LEAF, &node->slots[k], sizeof(uint64_t));
	return 0;
}

static int note_table(void *inode, void *arg)
{
	const struct zinode *i = inode;
	const struct ztable *t = &i->file.blocks;

	if (!S_ISREG(i->mode))
		return 0;
	if (t->level)
		add_at(LINK, &t->root, sizeof(t->root));
	return table_for_each_node(fs->arena, t, note_node, NULL);
}

/* The list of what is free in each zspage, but its last one's link. */
static int note_chunks(uint32_t handle, void *arg)
{
	uint64_t cell = cell_load(handle);
	struct size_class *class = cell_class(fs->pool, cell);
	struct zspage zp = zspage_of_cell(cell);
	unsigned obj = zp.desc->freeobj, n = class->objs - zp.desc->inuse;

	/* Once for each: by its first object. */
	for (unsigned k = 0; k < class->objs; k++) {
		uint64_t c =
			chunk_cell(fs->pool, class, zspage_chunk(class, zp, k));

		if (c && c != cell)
			return 0;
		if (c)
			break;
	}
	for (; n > 1; n--) {
		uint64_t *link =
			chunk_head(class, zspage_chunk(class, zp, obj));

		add_at(FREE_CHUNK, link, sizeof(*link));
		obj = link_next(*link);
	}
	return 0;
}

static void note_free_cells(void)
{
	for (uint64_t h = 1; h < fs->pool->root->handle_next; h++)
		if (!cell_live(cell_load((uint32_t)h)))
			add_at(FREE_CELL, arena_handle_cell((uint32_t)h), 8);
}

static int note_value(const struct xattr *x, void *arg)
{
	add_at(VALUE, x->value, x->size);
	return 0;
}

static int note_values(void *inode, void *arg)
{
	return xattr_for_each(inode, note_value, NULL);
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
	zs_for_each_handle(fs->pool, note_chunks, NULL);
	note_free_cells();
	slab_for_each_record(fs->arena, note_clusters, NULL);
	slab_for_each_record(fs->arena, note_values, NULL);
	slab_for_each_record(fs->arena, note_table, NULL);
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
	make_snapshots();
	make_large_file();
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

/* What another run has backed beside what is in the image goes. */
static void unback_rest(void)
{
	uint64_t end = 0;

	for (size_t k = 0; k < backed.n; k++) {
		arena_unback(file, end, backed.r[k].off - end);
		end = backed.r[k].off + backed.r[k].len;
	}
	arena_unback(file, end, SIZE - end);
}

/* Most pages are as they were. */
static void restore(void)
{
	unback_rest();
	for (size_t k = 0; k < backed.n; k++) {
		uint64_t end = backed.r[k].off + backed.r[k].len;

		FUZZ_CHECK(!arena_back(file, backed.r[k].off, backed.r[k].len));
		for (uint64_t at = backed.r[k].off; at < end;
		     at += ARENA_PAGE_SIZE)
			if (memcmp(view + at, image + at, ARENA_PAGE_SIZE))
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

/* The word at that place of another range, whatever lies there. */
static uint64_t copied(enum kind kind, const struct record *r)
{
	const struct range *from = range_of(kind, r->where + r->value);
	uint64_t at = (from->off + r->at % from->len) & ~7ul, old;

	memcpy(&old, view + at, sizeof(old));
	return old;
}

/* What the record has in place of @old, a word in which @bit is hit. */
static uint64_t damaged(enum kind kind, const struct record *r, uint64_t old,
			unsigned bit)
{
	uint64_t value = r->value;

	if (r->how & HOW_COPIES)
		return copied(kind, r);
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

/* A second bit would make another slot of it. */
static void flip_once(enum kind kind, const struct record *r)
{
	uint64_t off = range_of(kind, r->where)->off, word;

	if (memcmp(view + off, image + off, sizeof(word)))
		return;
	memcpy(&word, view + off, sizeof(word));
	word ^= UINT64_C(1) << r->value % 64;
	memcpy(view + off, &word, sizeof(word));
}

/* ---- what is promised ---- */

static bool is_word(uint64_t at, size_t first, size_t end)
{
	return at >= (first & ~7ul) && at < end;
}

#define SLOT_WORD(at, member)                                                  \
	is_word((at), offsetof(struct zsfs_slot, member),                      \
		offsetof(struct zsfs_slot, member) +                           \
			sizeof(((struct zsfs_slot *)0)->member))

/* Does this say by itself what is to be undone or freed (damage.h)? */
static bool is_own_word(enum kind kind, uint64_t off)
{
	const struct arena_header *h = (const void *)image;
	uint64_t slots = h->root_off + layout_slots_offset();
	uint64_t at = (off - slots) % sizeof(struct zsfs_slot);

	if (kind == THREAD)
		return (off - h->threads_off) % h->thread_size >=
		       offsetof(struct arena_thread_shared, undo);
	return kind == SLOT && (SLOT_WORD(at, state) || SLOT_WORD(at, alloc) ||
				SLOT_WORD(at, free) || SLOT_WORD(at, undo) ||
				SLOT_WORD(at, undo_room));
}

static enum promise promise_of(enum kind kind, const struct record *r)
{
	const struct range *range = range_of(kind, r->where);

	return is_own_word(kind, range->off + r->at % range->len)
		       ? PROMISE_REFUSAL
		       : promises[kind];
}

/* ---- when ---- */

enum when { BEFORE, ATTACHED, IN_USE };

static enum kind kind_of(const struct record *r)
{
	return r->kind < LATER_KINDS
		       ? r->kind % NR_OLD_KINDS
		       : NR_OLD_KINDS + r->kind % (NR_KINDS - NR_OLD_KINDS);
}

static enum when when_of(const struct record *r)
{
	if (kind_of(r) == META)
		return IN_USE;
	return r->how & HOW_ATTACHED ? ATTACHED : BEFORE;
}

/* Of the records only those that come @when. */
static enum promise damage(const uint8_t *data, size_t size, enum when when)
{
	enum promise promise = PROMISE_ALL, of;

	for (; size >= DAMAGE_RECORD; size -= DAMAGE_RECORD) {
		struct record r;

		memcpy(&r, data, sizeof(r));
		data += DAMAGE_RECORD;
		if (when_of(&r) != when)
			continue;
		if (kind_of(&r) == LEAF || kind_of(&r) == LINK)
			flip_once(kind_of(&r), &r);
		else
			damage_one(kind_of(&r), &r);
		of = promise_of(kind_of(&r), &r);
		if (of > promise)
			promise = of;
	}
	return promise;
}

int damage_make(const uint8_t *data, size_t size, enum promise *promise)
{
	if (file < 0)
		make_base();
	restore();
	*promise = damage(data, size, BEFORE);
	return file;
}

enum promise damage_attached(const uint8_t *data, size_t size)
{
	return damage(data, size, ATTACHED);
}

enum promise damage_in_use(const uint8_t *data, size_t size)
{
	return damage(data, size, IN_USE);
}
