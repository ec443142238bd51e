/* SPDX-License-Identifier: BSD-3-Clause */
/* Asking mounts (see ask.h). */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

/* The largest virtual file, and room. */
#define MAX_TEXT   (256u << 10)
#define STACK_SIZE (256u << 10)
/* After so long without any answer another thread goes on with the others. */
#define SLOW_SECS  0.1
#define FOREVER	   1e18
#define STATS_FILE "/.zsstats/stats.json"
/* Of its root: the same text without the classes. */
#define STATS_NAME "zsfs.stats"
#define STATS_ROOM (16u << 10)

static const struct {
	const char *word, *sentence;
} words[] = {
	[ANSWERED] = {"ok", "it answers"},
	[ANSWER_DEAD] = {"dead", "its daemon has died; remove the mount with "
				 "umount -l (or fusermount3 -uz)"},
	[ANSWER_NO_ACCESS] =
		{"no access",
		 "only its owner or who mounted it can look into it"},
	[ANSWER_NONE] = {"no answer", "it does not answer"},
	[ANSWER_COVERED] = {"covered", "another mount lies on it"},
	[ANSWER_NOT_ZSFS] = {"unknown", "no zsfs is mounted there"},
	[ANSWER_FULL] = {"too full", "it is too full to be asked"},
	[ANSWER_OTHER] = {"error", "it cannot be asked"},
};

const char *answer_word(enum answer a)
{
	return words[a].word;
}

const char *answer_sentence(enum answer a)
{
	return words[a].sentence;
}

int answer_status(enum answer a)
{
	switch (a) {
	case ANSWERED:
		return CTL_OK;
	case ANSWER_DEAD:
	case ANSWER_NOT_ZSFS:
		return CTL_NO_MOUNT;
	default:
		return CTL_FAILED;
	}
}

static enum answer answer_of(int err)
{
	switch (err) {
	case ENOTCONN:
	case ECONNABORTED:
		return ANSWER_DEAD;
	case EACCES:
	case EPERM:
		return ANSWER_NO_ACCESS;
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
		return ANSWER_NOT_ZSFS;
	case ENOSPC:
	case ENFILE:
		return ANSWER_FULL;
	default:
		return ANSWER_OTHER;
	}
}

/* ---- files ---- */

static int open_at(const char *mountpoint, const char *file, int flags)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s%s",
			 strcmp(mountpoint, "/") ? mountpoint : "", file);
	int fd;

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	/* What has that name elsewhere must not lead astray or block. */
	fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Until @size or the end. Its length or -errno. */
static long read_all(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, text + len, size - 1 - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	} while (n > 0 && len < size - 1);
	text[len] = '\0';
	return (long)len;
}

long ask_file(const char *mountpoint, const char *file, char *text, size_t size)
{
	int fd = open_at(mountpoint, file, O_RDONLY);
	long len;

	if (fd < 0)
		return fd;
	len = read_all(fd, text, size);
	close(fd);
	return len;
}

int ask_write(const char *mountpoint, const char *control, const char *value)
{
	char file[NAME_MAX + 16];
	int fd, err = 0;

	snprintf(file, sizeof(file), "/.zsctl/%s", control);
	fd = open_at(mountpoint, file, O_WRONLY);
	if (fd < 0)
		return fd;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

void ask_why(const char *mountpoint, char *text, size_t size)
{
	if (ask_file(mountpoint, "/.zsctl/last_cmd_status", text, size) < 0)
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (!strcmp(text, "ok"))
		text[0] = '\0';
}

/* ---- statistics ---- */

/* Does its path lead to @m? Asks no daemon. */
static bool leads_to(const struct mount *m)
{
	struct statx st;

	return !statx(AT_FDCWD, m->at, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC,
		      0, &st) &&
	       makedev(st.stx_dev_major, st.stx_dev_minor) == m->dev;
}

/* No such file: is that because the path leads to another mount? */
static enum answer why_none(const struct mount *m)
{
	if (mount_is_zsfs(m) && !leads_to(m))
		return ANSWER_COVERED;
	return ANSWER_NOT_ZSFS;
}

static enum answer parse_file(int fd, size_t size, bool classes,
			      struct stats *s)
{
	char *text = malloc(size + 1);
	enum answer a = ANSWERED;
	long len;

	if (!text)
		return ANSWER_OTHER;
	len = read_all(fd, text, size + 1);
	if (len >= 0 && !classes)
		len = (long)stats_cut_classes(text, (size_t)len);
	if (len < 0)
		a = answer_of((int)-len);
	else if (stats_parse(s, text, (size_t)len))
		a = ANSWER_NOT_ZSFS;
	free(text);
	return a;
}

/* A virtual file tells its size. */
static enum answer read_stats(int fd, const struct mount *m, bool classes,
			      struct stats *s)
{
	struct stat st;

	if (fstat(fd, &st))
		return answer_of(errno);
	if (st.st_dev != m->dev)
		return ANSWER_COVERED;
	if (st.st_size > MAX_TEXT)
		return ANSWER_NOT_ZSFS;
	return parse_file(fd, (size_t)st.st_size, classes, s);
}

/*
 * In one request. False where that brings nothing: older mounts have only the
 * file, and so have those with noxattr or where who asks may look into the root
 * but not list it. What is wrong is known better from there.
 */
static bool ask_root(const struct mount *m, struct stats *s)
{
	char text[STATS_ROOM];
	ssize_t len;

	if (!mount_is_zsfs(m) || !leads_to(m))
		return false;
	len = getxattr(m->at, STATS_NAME, text, sizeof(text));
	return len > 0 && !stats_parse(s, text, (size_t)len);
}

static enum answer ask(const struct mount *m, bool classes, struct stats *s)
{
	enum answer a;
	int fd;

	stats_init(s);
	if (!classes && ask_root(m, s))
		return ANSWERED;
	fd = open_at(m->at, STATS_FILE, O_RDONLY);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return why_none(m);
	if (fd < 0)
		return answer_of(-fd);
	a = read_stats(fd, m, classes, s);
	close(fd);
	return a;
}

/* ---- several ---- */

struct job {
	struct mount mount; /* with copies of at and type */
	bool classes, covered;
	bool done;
	enum answer answer;
	struct stats stats;
};

/*
 * Belongs to the threads that work and to who waits for them; the last one
 * frees it. Two threads ask all mounts: one makes something of an answer while
 * another waits for one. When no answer comes, another thread goes on with the
 * next.
 */
struct crowd {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t nr, nr_done, next;
	unsigned users;
	struct job job[];
};

static void leave(struct crowd *c)
{
	unsigned users;

	pthread_mutex_lock(&c->lock);
	users = --c->users;
	pthread_mutex_unlock(&c->lock);
	if (users > 0)
		return;
	for (size_t i = 0; i < c->nr; i++) {
		stats_free(&c->job[i].stats);
		free((char *)c->job[i].mount.at);
		free((char *)c->job[i].mount.type);
	}
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* The next one that nobody has, or NULL. */
static struct job *take_job(struct crowd *c)
{
	struct job *j = NULL;

	pthread_mutex_lock(&c->lock);
	if (c->next < c->nr)
		j = &c->job[c->next++];
	pthread_mutex_unlock(&c->lock);
	return j;
}

static void do_job(struct crowd *c, struct job *j)
{
	j->answer = j->covered ? ANSWER_COVERED
			       : ask(&j->mount, j->classes, &j->stats);
	pthread_mutex_lock(&c->lock);
	j->done = true;
	if (++c->nr_done == c->nr)
		pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static void *work(void *arg)
{
	struct crowd *c = arg;
	struct job *j;

	while ((j = take_job(c)))
		do_job(c, j);
	leave(c);
	return NULL;
}

static void start_thread(struct crowd *c)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_mutex_lock(&c->lock);
	c->users++;
	pthread_mutex_unlock(&c->lock);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (pthread_create(&thread, &attr, work, c))
		leave(c);
	pthread_attr_destroy(&attr);
}

static bool fill_job(struct job *j, const struct mounts *all,
		     const struct asked *a)
{
	j->mount = *a->mount;
	j->mount.at = strdup(j->mount.at);
	j->mount.type = strdup(j->mount.type);
	j->classes = a->classes;
	j->covered = mount_is_covered(all, a->mount);
	stats_init(&j->stats);
	return j->mount.at && j->mount.type;
}

static struct crowd *make_crowd(const struct mounts *all,
				const struct asked *asked, size_t nr)
{
	struct crowd *c = calloc(1, sizeof(*c) + nr * sizeof(c->job[0]));
	bool good = true;

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	c->users = 1;
	while (good && c->nr < nr) {
		good = fill_job(&c->job[c->nr], all, &asked[c->nr]);
		c->nr++;
	}
	if (good)
		return c;
	leave(c);
	return NULL;
}

static void add_time(struct timespec *t, double secs)
{
	t->tv_sec += (time_t)secs;
	t->tv_nsec += (long)((secs - (double)(time_t)secs) * 1e9);
	t->tv_sec += t->tv_nsec / 1000000000;
	t->tv_nsec %= 1000000000;
}

/* Until all is done, or @secs have passed. Holds the lock but while it waits.
 */
static void await_end(struct crowd *c, double secs)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	add_time(&until, secs);
	while (c->nr_done < c->nr && !err)
		err = pthread_cond_timedwait(&c->changed, &c->lock, &until);
}

/* The same, with another thread whenever nothing was done for some time. */
static void await_all(struct crowd *c, double patience)
{
	for (double waited = 0; c->nr_done < c->nr && waited < patience;
	     waited += SLOW_SECS) {
		size_t have = c->nr_done;

		await_end(c, SLOW_SECS);
		if (c->nr_done > have || c->next == c->nr)
			continue;
		pthread_mutex_unlock(&c->lock);
		start_thread(c);
		pthread_mutex_lock(&c->lock);
	}
}

static void take_answer(struct job *j, struct asked *a)
{
	stats_init(&a->stats);
	a->answer = ANSWER_NONE;
	if (!j->done)
		return;
	a->answer = j->answer;
	a->stats = j->stats;
	stats_init(&j->stats);
}

void ask_all(const struct mounts *all, struct asked *asked, size_t nr,
	     double patience)
{
	struct crowd *c = nr ? make_crowd(all, asked, nr) : NULL;

	for (size_t i = 0; !c && i < nr; i++) {
		stats_init(&asked[i].stats);
		asked[i].answer = ANSWER_OTHER;
	}
	if (!c)
		return;
	start_thread(c);
	if (nr > 1)
		start_thread(c);
	pthread_mutex_lock(&c->lock);
	await_all(c, patience);
	for (size_t i = 0; i < nr; i++)
		take_answer(&c->job[i], &asked[i]);
	/* What nobody has begun with nobody shall. */
	c->next = c->nr;
	pthread_mutex_unlock(&c->lock);
	leave(c);
}

/* ---- one ---- */

static void ask_another(const struct mounts *all, struct asked *a,
			const struct mount *m, double patience)
{
	if (m == a->mount)
		return;
	stats_free(&a->stats);
	a->mount = m;
	ask_all(all, a, 1, patience);
}

/* To look a path up asks its mount, too, and nobody can end that. */
int ask_path(const struct mounts *all, struct asked *a, const char *path,
	     double patience, char *why, size_t size)
{
	const struct mount *m = mounts_near(all, path);

	if (m)
		ask_another(all, a, m, patience);
	if (!m || a->answer != ANSWER_NONE) {
		m = mounts_find(all, path, why, size);
		if (!m)
			return CTL_NO_MOUNT;
		ask_another(all, a, m, patience);
	}
	snprintf(why, size, "%s", answer_sentence(a->answer));
	return answer_status(a->answer);
}

/* Where it is no CTL_OK, @why is not empty. */
static int begin(struct one *o, const char *path, double patience, char *why,
		 size_t size)
{
	int status;

	stats_init(&o->asked.stats);
	if (mounts_read(&o->all, NULL)) {
		snprintf(why, size, "/proc/self/mountinfo: %s",
			 strerror(errno));
		return CTL_FAILED;
	}
	status = ask_path(&o->all, &o->asked, path, patience, why, size);
	if (!status)
		o->at = o->asked.mount->at;
	return status;
}

static int begin_or_say(struct one *o, const char *path, bool classes)
{
	char why[256];
	int status;

	*o = (struct one){.asked.classes = classes};
	status = begin(o, path, PATIENCE, why, sizeof(why));
	if (status) {
		ctl_error("%s: %s", path, why);
		one_end(o);
	}
	return status;
}

int one_begin(struct one *o, const char *path)
{
	return begin_or_say(o, path, false);
}

int one_begin_classes(struct one *o, const char *path)
{
	return begin_or_say(o, path, true);
}

int one_await(struct one *o, const char *path)
{
	char why[256];
	int status;

	*o = (struct one){0};
	status = begin(o, path, FOREVER, why, sizeof(why));
	if (status)
		one_end(o);
	return status;
}

void one_end(struct one *o)
{
	stats_free(&o->asked.stats);
	mounts_free(&o->all);
}
