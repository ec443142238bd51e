/* SPDX-License-Identifier: BSD-3-Clause */
/* The order in which a worker confines itself (see sandbox.h). */
#include "sandbox.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/log.h"
#include "base/memlock.h"
#include "base/mount_table.h"
#include "base/privileges.h"
#include "base/rlimits.h"
#include "base/sandbox_notes.h"
#include "state/shared_page.h"
#include "syscall_filter.h"

#define NOBODY 65534u
/* Of systemd's uid-gid documentation: dynamic service users. */
#define TRANSIENT_FIRST 61184u
#define NR_TRANSIENT	(65519u - TRANSIENT_FIRST + 1)
#define MAX_READABLE	32u
/*
 * Of one mount: more than twice what a worker, its standby and one that leaves
 * have on the largest machine, and an eighth of the system's least pid_max.
 */
#define MAX_THREADS 4096u

/* ---- who ---- */

/* Which transient ids somebody has. */
struct taken {
	bool id[NR_TRANSIENT];
};

static bool is_transient(uint32_t id)
{
	return id - TRANSIENT_FIRST < NR_TRANSIENT;
}

static void take(struct taken *t, uint32_t id)
{
	if (is_transient(id))
		t->id[id - TRANSIENT_FIRST] = true;
}

/* Ids that a service of systemd with DynamicUser= has. */
static bool is_dynamic(uint32_t id)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/systemd/dynamic-uid/%" PRIu32, id);
	return !access(path, F_OK);
}

/* By chance one of those that are left. */
static uint32_t transient_id(const struct taken *t)
{
	uint32_t start = 0;

	if (getrandom(&start, sizeof(start), GRND_NONBLOCK) < 0)
		return NOBODY;
	start %= NR_TRANSIENT;
	for (uint32_t n = 0; n < NR_TRANSIENT; n++) {
		uint32_t k = (start + n) % NR_TRANSIENT;

		if (!t->id[k] && !is_dynamic(TRANSIENT_FIRST + k))
			return TRANSIENT_FIRST + k;
	}
	return NOBODY;
}

void sandbox_find_user(const char *passwd, uint32_t *uid, uint32_t *gid)
{
	FILE *f = fopen(passwd ? passwd : "/etc/passwd", "re");
	const struct passwd *p = NULL;
	struct taken taken = {0};

	while (f && (p = fgetpwent(f)) && strcmp(p->pw_name, "zsfs")) {
		take(&taken, p->pw_uid);
		take(&taken, p->pw_gid);
	}
	if (p && p->pw_uid && p->pw_gid) {
		*uid = p->pw_uid;
		*gid = p->pw_gid;
	} else {
		*uid = *gid = transient_id(&taken);
	}
	if (f)
		fclose(f);
}

/* ---- notes ---- */

/* True if it is in force; else it is noted as lacking. */
static bool note(const char *what, int err)
{
	struct sandbox_notes *n = &sandbox_notes;
	size_t len = strlen(n->lacks);

	if (err)
		snprintf(n->lacks + len, sizeof(n->lacks) - len, "%s%s (%s)",
			 len ? ", " : "", what, strerror(-err));
	return !err;
}

void sandbox_tell(const char *mountpoint)
{
	if (*sandbox_notes.lacks)
		zsfs_log(LOG_NOTICE,
			 "the sandbox of who serves %s lacks what is not "
			 "permitted here: %s",
			 mountpoint, sandbox_notes.lacks);
}

/* ---- steps ---- */

static bool is_cgroup(const struct mount_entry *e)
{
	return !strcmp(e->type, "cgroup") || !strcmp(e->type, "cgroup2");
}

/*
 * Who asks and where it runs; how much memory there is, and in which groups;
 * which processors libcs count.
 */
static int confine_files(void)
{
	const char *readable[MAX_READABLE] = {
		"/proc",
		"/sys/fs/cgroup",
		"/sys/devices/system/cpu",
	};
	struct mount_table t;
	unsigned n = 3;
	int version;

	mount_table_read(&t, NULL);
	for (size_t i = 0; i < t.nr && n < MAX_READABLE; i++)
		if (is_cgroup(&t.entries[i]))
			readable[n++] = t.entries[i].at;
	version = landlock_confine(readable, n);
	mount_table_free(&t);
	return version;
}

/* Of the user zsfs, and of nobody, there may be others to count. */
static void become_own_user(const struct shared_config *c)
{
	if (c->own_uid &&
	    note("a user id of its own",
		 privileges_become(c->own_uid, c->own_gid)) &&
	    is_transient(c->own_uid))
		rlimits_bound_threads(MAX_THREADS);
}

static void give_up_privileges(const struct shared_config *c)
{
	struct sandbox_notes *n = &sandbox_notes;
	bool nice = privileges_need_nice();

	n->no_new_privs = note("no_new_privs", privileges_no_new());
	/* Where it is refused nobody has one to lose, or no_new_privs does. */
	privileges_bound(0);
	become_own_user(c);
	privileges_clear_ambient();
	if (note("no capabilities",
		 privileges_keep(nice ? PRIVILEGE(CAP_SYS_NICE) : 0)))
		n->capabilities = nice ? "sys_nice" : "none";
	/* Who debugs wants to have core dumps. */
	if (c->debug)
		memory_show();
}

static const char *why_off(const struct shared_config *c)
{
	/* Their runtime opens, maps and calls what it likes. */
	if (ZS_ARENA_SANITIZED)
		return "sanitizer";
	return c->sandbox ? NULL : "nosandbox";
}

void sandbox_begin(const struct shared_config *c)
{
	struct sandbox_notes *n = &sandbox_notes;
	int version;

	*n = (struct sandbox_notes){.off = why_off(c), .capabilities = "kept"};
	if (n->off)
		return;
	give_up_privileges(c);
	version = confine_files();
	if (note("Landlock", version < 0 ? version : 0))
		n->landlock = (unsigned)version;
}

void sandbox_seal(const pid_t *placed, unsigned nr)
{
	if (sandbox_is_on())
		sandbox_notes.filter =
			note("seccomp", syscall_filter_load(placed, nr));
}
