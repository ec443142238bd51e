/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtual files: names, snapshots, attributes (see vfile.h). */
#include "vfile.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "content/hot.h"
#include "state/inode.h"
#include "state/settings.h"
#include "state/snapshot.h"
#include "state/tx.h"
#include "state/zsfs.h"

/* The longest that who asks for statistics waits for what is hot. */
#define HOT_WAIT_MSECS 500

#define NO_FILE(...)
#define LIVE(id, name, kind, set, field, by_default, arg, help, file)          \
	[VF_##id] = {#file, VF_CTL_DIR, S_IFREG | KNOB_LIVE_MODE, KNOB_##id},
#define CONTROL(id, name, kind, mode, help)                                    \
	[VF_##id] = {#name, VF_CTL_DIR, S_IFREG | mode, KNOB_##id},

static const struct {
	const char *name;
	enum vfile_id dir; /* VF_NR: in the root */
	mode_t mode;
	enum knob_id knob; /* KNOB_NR: not a knob's file */
} files[VF_NR] = {
	[VF_STATS_DIR] = {".zsstats", VF_NR, S_IFDIR | 0555, KNOB_NR},
	[VF_CTL_DIR] = {".zsctl", VF_NR, S_IFDIR | 0555, KNOB_NR},
	[VF_CLASSES] = {"classes", VF_STATS_DIR, S_IFREG | 0444, KNOB_NR},
	[VF_FULLNESS] = {"fullness", VF_STATS_DIR, S_IFREG | 0444, KNOB_NR},
	[VF_MM_STAT] = {"mm_stat", VF_STATS_DIR, S_IFREG | 0444, KNOB_NR},
	[VF_IO_STAT] = {"io_stat", VF_STATS_DIR, S_IFREG | 0444, KNOB_NR},
	[VF_STATS_JSON] = {"stats.json", VF_STATS_DIR, S_IFREG | 0444, KNOB_NR},
	[VF_TIERS] = {"tiers", VF_STATS_DIR, S_IFREG | 0444, KNOB_NR},
	KNOBS(NO_FILE, NO_FILE, LIVE,
	      CONTROL)[VF_METRICS] = {"metrics", VF_STATS_DIR, S_IFREG | 0444,
				      KNOB_NR},
};

static bool is_dir(enum vfile_id id)
{
	return id == VF_STATS_DIR || id == VF_CTL_DIR;
}

/* Nodeids: the directories by their id, snapshots by their page number. */
static uint64_t dir_nodeid(enum vfile_id id)
{
	return VFILE_NODEID + id;
}

static uint64_t snap_nodeid(const struct snapshot *s)
{
	return VFILE_NODEID + snapshot_pfn(s);
}

static struct snapshot *snap_at(const struct zsfs *fs, uint64_t nodeid)
{
	uint64_t pfn = nodeid - VFILE_NODEID;
	struct snapshot *s = pfn < VF_NR ? NULL : snapshot_at(fs, pfn);

	/* Of a damaged arena, any value. */
	return s && s->id < VF_NR ? s : NULL;
}

/* The directory that @nodeid is, VF_NR for the root, -1 for none. */
static int dir_of(uint64_t nodeid)
{
	if (nodeid == ROOT_NODEID)
		return VF_NR;
	if (nodeid == dir_nodeid(VF_STATS_DIR) ||
	    nodeid == dir_nodeid(VF_CTL_DIR))
		return (int)(nodeid - VFILE_NODEID);
	return -1;
}

static int find_name(uint64_t parent, const char *name)
{
	int dir = dir_of(parent);

	for (int id = 0; dir >= 0 && id < VF_NR; id++)
		if ((int)files[id].dir == dir && !strcmp(files[id].name, name))
			return id;
	return -1;
}

bool vfile_reserved(uint64_t parent, const char *name)
{
	return vfile_is(parent) || find_name(parent, name) >= 0;
}

bool vfile_no_negative(uint64_t parent, const char *name)
{
	return vfile_is(parent) ||
	       (parent == ROOT_NODEID && !strncmp(name, ".zs", 3));
}

/* ---- attributes ---- */

static mode_t mode_of(const struct zsfs *fs, enum vfile_id id)
{
	bool stats = id == VF_STATS_DIR || files[id].dir == VF_STATS_DIR;

	return files[id].mode &
	       (stats && fs->super->hidestats ? ~(mode_t)(S_IRWXG | S_IRWXO)
					      : ~(mode_t)0);
}

static void fill_stat(const struct zsfs *fs, enum vfile_id id,
		      struct ztime time, size_t len, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = dir_nodeid(id);
	st->st_mode = mode_of(fs, id);
	st->st_nlink = is_dir(id) ? 2 : 1;
	st->st_uid = fs->super->mount_uid;
	st->st_gid = fs->super->mount_gid;
	st->st_size = (off_t)len;
	st->st_blksize = ZSFS_BLOCK_SIZE;
	st->st_mtim.tv_sec = time.sec;
	st->st_mtim.tv_nsec = time.nsec;
	st->st_atim = st->st_ctim = st->st_mtim;
}

static void dir_stat(const struct zsfs *fs, enum vfile_id id, struct stat *st)
{
	struct ztime t = {.sec = fs->super->created};

	fill_stat(fs, id, t, 0, st);
}

int vfile_getattr(struct zsfs *fs, uint64_t nodeid, struct stat *st)
{
	const struct snapshot *s;
	int dir = dir_of(nodeid);

	if (dir >= 0) {
		dir_stat(fs, (enum vfile_id)dir, st);
		return 0;
	}
	s = snap_at(fs, nodeid);
	if (!s)
		return -ESTALE;
	fill_stat(fs, s->id, s->time, s->len, st);
	return 0;
}

int vfile_text(struct zsfs *fs, uint64_t nodeid, const char **text, size_t *len)
{
	const struct snapshot *s = snap_at(fs, nodeid);

	if (dir_of(nodeid) >= 0)
		return -EISDIR;
	if (!s)
		return -ESTALE;
	*text = s->text;
	*len = s->len;
	return 0;
}

bool vfile_dir_entry(uint64_t nodeid, unsigned pos, const char **name,
		     struct stat *st)
{
	int dir = dir_of(nodeid);

	for (int id = 0; id < VF_NR; id++) {
		if ((int)files[id].dir != dir || pos-- > 0)
			continue;
		memset(st, 0, sizeof(*st));
		st->st_ino = dir_nodeid((enum vfile_id)id);
		st->st_mode = files[id].mode;
		*name = files[id].name;
		return true;
	}
	return false;
}

/* ---- texts ---- */

/*
 * Statistics are of what is compressed, as on zram. One thread at a time waits
 * for that, so who looks does not keep all of them: until when it may, on
 * clock_ms(), or 0.
 */
static void settle_numbers(struct zsfs_thread *th)
{
	static uint64_t taken;
	uint64_t now = clock_ms(), until = now + HOT_WAIT_MSECS;
	uint64_t before = __atomic_load_n(&taken, __ATOMIC_RELAXED);

	if (now < before ||
	    !__atomic_compare_exchange_n(&taken, &before, until, false,
					 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	hot_finish(th, until);
	__atomic_store_n(&taken, 0, __ATOMIC_RELAXED);
}

int vfile_summary(struct zsfs_thread *th, uint32_t uid, const char **text)
{
	char *buf = (char *)th->buf.stage;

	if (!zsfs_tells_all(th->fs, uid))
		return -EACCES;
	settle_numbers(th);
	*text = buf;
	return stats_summary(th->fs, buf, SNAPSHOT_MAX_TEXT);
}

/* ---- snapshots ---- */

static int render(struct zsfs *fs, enum vfile_id id, char *buf)
{
	if (files[id].dir == VF_STATS_DIR)
		return stats_render(fs, id, buf, SNAPSHOT_MAX_TEXT);
	return control_render(fs, files[id].knob, buf, SNAPSHOT_MAX_TEXT);
}

/*
 * Anybody sees how long a control is, and so how many digits its numbers have.
 * With hidestats it is empty for who may not read it.
 */
static int render_for(struct zsfs *fs, enum vfile_id id, uint32_t uid,
		      char *buf)
{
	if (files[id].dir == VF_CTL_DIR && !zsfs_tells_all(fs, uid))
		return 0;
	return render(fs, id, buf);
}

static int lookup_dir(struct zsfs_thread *th, enum vfile_id id,
		      void (*reply)(void *, const struct vfile_entry *),
		      void *arg)
{
	struct vfile_entry e = {.nodeid = dir_nodeid(id)};

	dir_stat(th->fs, id, &e.st);
	reply(arg, &e);
	return 0;
}

static int lookup_file(struct zsfs_thread *th, enum vfile_id id, uint32_t uid,
		       void (*reply)(void *, const struct vfile_entry *),
		       void *arg)
{
	struct vfile_entry e = {.volatile_entry = true};
	/* No memory has to be found for it. */
	char *buf = (char *)th->buf.stage;
	struct snapshot_spec spec = {
		.id = id,
		.uid = uid,
		.control = files[id].dir == VF_CTL_DIR,
		.text = buf,
	};
	struct snapshot *s;
	struct tx *tx;
	int err, len;

	if (!spec.control)
		settle_numbers(th);
	len = render_for(th->fs, id, uid, buf);
	if (len < 0)
		return len;
	spec.len = (uint32_t)len;
	tx = tx_begin(th);
	err = snapshot_add(tx, &spec, &s);
	if (err)
		return tx_abort(tx, err);
	e.nodeid = snap_nodeid(s);
	fill_stat(th->fs, id, s->time, s->len, &e.st);
	reply(arg, &e);
	tx_commit(tx);
	return 0;
}

int vfile_lookup(struct zsfs_thread *th, uint64_t parent, const char *name,
		 uint32_t uid,
		 void (*reply)(void *arg, const struct vfile_entry *e),
		 void *arg)
{
	int id = find_name(parent, name);

	if (dir_of(parent) < 0)
		return -ENOTDIR;
	if (id < 0)
		return -ENOENT;
	if (is_dir((enum vfile_id)id))
		return lookup_dir(th, (enum vfile_id)id, reply, arg);
	return lookup_file(th, (enum vfile_id)id, uid, reply, arg);
}

void vfile_forget(struct zsfs_thread *th, uint64_t nodeid, uint64_t n,
		  uint64_t *consumed)
{
	struct tx *tx = tx_begin(th);
	struct snapshot *s =
		dir_of(nodeid) < 0 ? snap_at(th->fs, nodeid) : NULL;

	if (consumed)
		tx_set(tx, consumed, 0);
	if (s) {
		tx_snap_lock(tx);
		snapshot_forget(tx, s, n);
	}
	tx_commit(tx);
}

void vfile_forget_all(struct zsfs_thread *th)
{
	const uint64_t *head = &th->fs->super->snap_head;

	while (*head) {
		struct snapshot *s = (struct snapshot *)(uintptr_t)*head;

		vfile_forget(th, VFILE_NODEID + snapshot_pfn(s), UINT64_MAX,
			     NULL);
	}
}

static bool is_mounter(const struct zsfs_super *s, uint32_t uid)
{
	return uid == 0 || uid == s->mounter_uid;
}

/* An owner who mounted need not be told apart, wherever he comes from. */
static bool is_bounded(const struct zsfs_super *s, const struct snapshot *snap,
		       uint32_t uid)
{
	return s->mount_uid != s->mounter_uid &&
	       !(is_mounter(s, snap->uid) && is_mounter(s, uid));
}

int vfile_write(struct zsfs_thread *th, uint64_t nodeid, const char *buf,
		size_t len, uint64_t off, uint32_t uid)
{
	const struct snapshot *s = snap_at(th->fs, nodeid);

	if (!s)
		return -ESTALE;
	if (files[s->id].dir != VF_CTL_DIR)
		return -EACCES;
	/* A value comes whole, in one request. */
	if (off != 0) {
		control_refuse(th->fs, "a value is written whole, at the "
				       "beginning of its file");
		return -EINVAL;
	}
	return control_write(th->fs, th, is_bounded(th->fs->super, s, uid),
			     files[s->id].knob, buf, len);
}
