/* SPDX-License-Identifier: BSD-3-Clause */
/* Verification on demand (see verify.h). */
#include "verify.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <syslog.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/textbuf.h"
#include "content/scrub.h"
#include "state/zsfs.h"
#include "volume/verify_fs.h"

/*
 * After the check of structures, which keeps requests waiting, these others do
 * not ask for it until so many times as long has passed.
 */
#define REST_TIMES	 20u
#define REST_LEAST_MSECS 1000u

static pthread_mutex_t text_lock = PTHREAD_MUTEX_INITIALIZER; /* the super's */

static void set_text(char *text, const char *val)
{
	pthread_mutex_lock(&text_lock);
	strcpy(text, val);
	pthread_mutex_unlock(&text_lock);
}

/* ---- structures ---- */

static int verify_structures(struct zsfs *fs, bool gently)
{
	char msg[sizeof(fs->super->verify_text)];
	int err;

	strcpy(msg, "unknown");
	err = zsfs_verify_live(fs, gently, msg, sizeof(msg));
	if (err == -EBUSY || err == -EAGAIN)
		return err;
	if (err)
		zsfs_log_ratelimited(LOG_ERR, "verify: %s", msg);
	set_text(fs->super->verify_text, err ? msg : "clean");
	return err;
}

int control_verify_gently(struct zsfs *fs)
{
	return verify_structures(fs, true);
}

/* ---- content ---- */

/* What was found so far. */
struct found {
	struct zsfs_super *super;
	/* Of what the text has; a line of its own says where it ends. */
	struct textbuf list;
	char room[sizeof(((struct zsfs_super *)0)->scrub_text) - 128];
};

static void add(uint64_t *sum, unsigned n)
{
	__atomic_store_n(sum, *sum + n, __ATOMIC_RELAXED);
}

static void note_read(void *arg, unsigned blocks, unsigned bad)
{
	struct zsfs_super *super = ((struct found *)arg)->super;

	add(&super->scrubbed, blocks);
	if (bad)
		add(&super->scrub_bad, bad);
}

static void note_bad(void *arg, const struct scrub_bad *b)
{
	struct found *f = arg;
	char where[96];

	if (b->first == b->last)
		snprintf(where, sizeof(where),
			 "inode %" PRIu64 " block %" PRIu64, b->inode,
			 b->first);
	else
		snprintf(where, sizeof(where),
			 "inode %" PRIu64 " blocks %" PRIu64 "-%" PRIu64,
			 b->inode, b->first, b->last);
	zsfs_log_ratelimited(LOG_ERR, "verify: %s: content does not verify, %s",
			     where, b->form);
	textbuf_add(&f->list, "\n%s, bytes %" PRIu64 "-%" PRIu64 ", %s", where,
		    b->first << ZSFS_BLOCK_SHIFT,
		    ((b->last + 1) << ZSFS_BLOCK_SHIFT) - 1, b->form);
}

/* What readers are told after a run that ended with @err. */
static void conclude(struct zsfs_super *super, const struct found *f, int err)
{
	char text[sizeof(super->scrub_text)];
	struct textbuf t;

	textbuf_init(&t, text, sizeof(text));
	if (super->scrub_bad)
		textbuf_add(&t, "%" PRIu64 " damaged block%s%s%s",
			    super->scrub_bad, super->scrub_bad == 1 ? "" : "s",
			    f->room, f->list.full ? "\nand more" : "");
	if (err)
		textbuf_add(&t, "%s%s before all content was read",
			    t.len ? "\n" : "",
			    err == -EINTR ? "stopped" : "no memory");
	set_text(super->scrub_text, text);
}

static int verify_content(struct zsfs *fs, struct zsfs_thread *th)
{
	struct found f = {.super = fs->super};
	struct scrub_watch watch = {note_read, note_bad, &f};
	int err;

	textbuf_init(&f.list, f.room, sizeof(f.room));
	__atomic_store_n(&fs->super->scrubbed, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&fs->super->scrub_bad, 0, __ATOMIC_RELAXED);
	err = zsfs_scrub(th, &watch);
	conclude(fs->super, &f, err);
	return err || !fs->super->scrub_bad ? err : -EIO;
}

/* ---- both ---- */

/* Requests have waited since @began. */
static void note_rest(struct zsfs *fs, uint64_t began)
{
	uint64_t now = clock_ms(), rest = (now - began) * REST_TIMES;

	if (rest < REST_LEAST_MSECS)
		rest = REST_LEAST_MSECS;
	__atomic_store_n(&fs->super->verify_rests, now + rest,
			 __ATOMIC_RELAXED);
}

uint64_t control_verify_rest(const struct zsfs *fs)
{
	uint64_t until =
		__atomic_load_n(&fs->super->verify_rests, __ATOMIC_RELAXED);
	uint64_t now = clock_ms();

	return until > now ? until - now : 0;
}

int control_verify(struct zsfs *fs, struct zsfs_thread *th)
{
	uint64_t began = clock_ms();
	int err = verify_structures(fs, false);

	if (err != -EBUSY)
		note_rest(fs, began);
	return err ? err : verify_content(fs, th);
}

void control_verify_show(struct zsfs *fs, struct textbuf *t)
{
	const char *text = fs->super->verify_text;

	pthread_mutex_lock(&text_lock);
	/* Damaged content stays that when structures are found clean again. */
	if (!strcmp(text, "clean") && *fs->super->scrub_text)
		text = fs->super->scrub_text;
	textbuf_add(t, "%s", *text ? text : "never run");
	pthread_mutex_unlock(&text_lock);
}
