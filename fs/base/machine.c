/* SPDX-License-Identifier: BSD-3-Clause */
/* What the machine and the control group offer (see machine.h). */
#include "machine.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of which most RAM there is, and blocks are, too. */
#define PAGE_BYTES 4096u

struct process_notes process_notes;

/* Open @path below @root; NULL when it cannot be. */
static FILE *open_below(const char *root, const char *path)
{
	char full[PATH_MAX];
	int n = snprintf(full, sizeof(full), "%s%s", root, path);

	if (n < 0 || (size_t)n >= sizeof(full))
		return NULL;
	return fopen(full, "re");
}

/* The same for @name in the folder @dir. */
static FILE *open_in(const char *root, const char *dir, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);

	if (n < 0 || (size_t)n >= sizeof(path))
		return NULL;
	return open_below(root, path);
}

/* ---- memory ---- */

static bool has_file(const char *root, const char *path)
{
	FILE *f = open_below(root, path);

	if (f)
		fclose(f);
	return f;
}

/* The value in bytes of line "@key:  N kB" of /proc/meminfo, 0 = none. */
static uint64_t meminfo(const char *root, const char *key)
{
	FILE *f = open_below(root, "/proc/meminfo");
	size_t len = strlen(key);
	uint64_t bytes = 0;
	char line[256];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, len) == 0 && line[len] == ':') {
			bytes = strtoull(line + len + 1, NULL, 10) * 1024;
			break;
		}
	}
	fclose(f);
	return bytes;
}

uint64_t machine_ram(const char *root)
{
	uint64_t ram = meminfo(root, "MemTotal");
	long pages = sysconf(_SC_PHYS_PAGES);

	if (ram == 0 && *root == '\0' && pages > 0)
		ram = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return ram;
}

uint64_t machine_ram_available(const char *root)
{
	return meminfo(root, "MemAvailable");
}

/* ---- control groups ---- */

static uint64_t smaller_limit(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

/*
 * The limit in a group's file: 0 for none ("max", or no such file). Version 1
 * says "none" by a number near the largest.
 */
static uint64_t read_limit(const char *root, const char *dir, const char *name)
{
	FILE *f = open_in(root, dir, name);
	char text[64];
	uint64_t val;

	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	if (text[0] < '0' || text[0] > '9')
		return 0;
	val = strtoull(text, NULL, 10);
	/* A limit of 0 bytes would mean that we could not be running. */
	return val >= UINT64_C(1) << 62 ? 0 : val;
}

/*
 * What the kernel would take from a group's page cache rather than kill: of
 * pages that were used again half, as in MemAvailable. Version 1 has a second
 * set of lines that count the groups below, which the limit does, too.
 */
static uint64_t read_reclaimable(const char *root, const char *dir)
{
	FILE *f = open_in(root, dir, "memory.stat");
	char line[128], name[64];
	uint64_t own = 0, total = 0;
	unsigned long long val;
	bool has_total = false;

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		bool below = !strncmp(line, "total_", 6);

		has_total |= below;
		if (sscanf(line + (below ? 6 : 0), "%63s %llu", name, &val) !=
		    2)
			continue;
		if (!strcmp(name, "inactive_file"))
			*(below ? &total : &own) += val;
		else if (!strcmp(name, "active_file"))
			*(below ? &total : &own) += val / 2;
	}
	fclose(f);
	return has_total ? total : own;
}

/* What of a group's limit is left, at least 1; 0 = no limit. */
static uint64_t read_room(const char *root, const char *dir, const char *name,
			  const char *used_name)
{
	uint64_t limit = read_limit(root, dir, name);
	uint64_t used, cache;

	if (!limit)
		return 0;
	used = read_limit(root, dir, used_name);
	cache = read_reclaimable(root, dir);
	used = used > cache ? used - cache : 0;
	return limit > used ? limit - used : 1;
}

/*
 * Smallest limit of @mnt + @group and its parents down to @mnt, or with
 * @used_name the least that is left of one.
 */
static uint64_t walk_up(const char *root, const char *mnt, const char *group,
			const char *name, const char *used_name)
{
	char dir[PATH_MAX];
	size_t base = strlen(mnt);
	uint64_t limit = 0;
	int n = snprintf(dir, sizeof(dir), "%s%s", mnt, group);

	if (n < 0 || (size_t)n >= sizeof(dir))
		return 0;
	for (;;) {
		char *slash;

		limit = smaller_limit(
			limit, used_name ? read_room(root, dir, name, used_name)
					 : read_limit(root, dir, name));
		slash = strrchr(dir + base, '/');
		if (!slash)
			return limit;
		*slash = '\0';
	}
}

/* One hierarchy that accounts memory, as mountinfo and cgroup tell of it. */
struct hierarchy {
	bool v2;
	char mnt[PATH_MAX];   /* where it is mounted */
	char top[PATH_MAX];   /* which of its groups is seen there */
	char group[PATH_MAX]; /* the process's group */
};

void machine_unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' &&
		    s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
				       (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, word, len) == 0 && strchr(",\n", p[len]) != NULL)
			return true;
	}
	return false;
}

/* Is this line of mountinfo the mount of hierarchy @h? Then note where. */
static bool parse_mount(char *line, struct hierarchy *h)
{
	char type[64], opts[1024], *tail = strstr(line, " - ");
	/* 36 35 98:0 /top /mnt rw,relatime shared:1 - type source options */
	bool fits = tail && sscanf(tail, " - %63s %*s %1023s", type, opts) == 2;

	if (!fits || strcmp(type, h->v2 ? "cgroup2" : "cgroup") != 0)
		return false;
	if (!h->v2 && !has_word(opts, "memory"))
		return false;
	*tail = '\0';
	if (strlen(line) >= PATH_MAX ||
	    sscanf(line, "%*s %*s %*s %s %s", h->top, h->mnt) != 2)
		return false;
	machine_unescape(h->top);
	machine_unescape(h->mnt);
	return true;
}

/* "0::/group" is the line of version 2, "N:..,memory,..:/group" of 1. */
static bool parse_group(char *line, struct hierarchy *h)
{
	char *list = strchr(line, ':');
	char *path = list ? strchr(list + 1, ':') : NULL;

	if (!path)
		return false;
	*path++ = '\0';
	path[strcspn(path, "\n")] = '\0';
	if (h->v2 ? strcmp(line, "0:") != 0 : !has_word(list + 1, "memory"))
		return false;
	if (strlen(path) >= sizeof(h->group))
		return false;
	strcpy(h->group, path);
	return true;
}

/* Is there a line of @path that @parse takes? */
static bool find_line(const char *root, const char *path,
		      bool (*parse)(char *line, struct hierarchy *h),
		      struct hierarchy *h)
{
	FILE *f = open_below(root, path);
	bool found = false;
	char *line = NULL;
	size_t room = 0;

	if (!f)
		return false;
	while (!found && getline(&line, &room, f) > 0)
		found = parse(line, h);
	free(line);
	fclose(f);
	return found;
}

static bool find_hierarchy(const char *root, bool v2, struct hierarchy *h)
{
	h->v2 = v2;
	return find_line(root, "/proc/self/mountinfo", parse_mount, h) &&
	       find_line(root, "/proc/self/cgroup", parse_group, h);
}

/* The part of the group's path that lies below what is mounted. */
static const char *group_below(const struct hierarchy *h)
{
	size_t len = strcmp(h->top, "/") == 0 ? 0 : strlen(h->top);
	const char *rest = h->group + len;

	/*
	 * A group outside of what we see: only the mount's own limit is ours.
	 */
	if (strncmp(h->group, h->top, len) != 0 || strstr(h->group, "/.."))
		return "";
	if (*rest != '/' || rest[1] == '\0')
		return "";
	return rest;
}

/* The limit of the process's groups, or what is left of it. */
static uint64_t hierarchy_limit(const char *root, bool v2, bool left)
{
	const char *below, *used;
	struct hierarchy h;

	if (!find_hierarchy(root, v2, &h))
		return 0;
	below = group_below(&h);
	used = !left ? NULL : v2 ? "memory.current" : "memory.usage_in_bytes";
	if (!v2)
		return walk_up(root, h.mnt, below, "memory.limit_in_bytes",
			       used);
	/* Above memory.high a process is slowed down until it hardly runs. */
	return smaller_limit(walk_up(root, h.mnt, below, "memory.max", used),
			     walk_up(root, h.mnt, below, "memory.high", used));
}

uint64_t machine_cgroup_limit(const char *root)
{
	return smaller_limit(hierarchy_limit(root, true, false),
			     hierarchy_limit(root, false, false));
}

/* A file of the process's own group, or NULL. */
static FILE *open_in_group(const char *root, bool v2, const char *file)
{
	struct hierarchy h;
	char dir[PATH_MAX];
	int n;

	if (!find_hierarchy(root, v2, &h))
		return NULL;
	n = snprintf(dir, sizeof(dir), "%s%s", h.mnt, group_below(&h));
	return n < 0 || (size_t)n >= sizeof(dir) ? NULL
						 : open_in(root, dir, file);
}

int machine_open_oom(const char *root)
{
	FILE *f = open_in_group(root, true, "memory.events");
	int fd;

	if (!f)
		f = open_in_group(root, false, "memory.oom_control");
	if (!f)
		f = open_below(root, "/proc/vmstat");
	if (!f)
		return -1;
	fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 0);
	fclose(f);
	return fd;
}

uint64_t machine_read_oom(int fd)
{
	static const char key[] = "\noom_kill ";
	char text[8192];
	off_t at = 0;
	size_t kept = 1;
	ssize_t n;

	/* vmstat is long; a line may lie across two pieces of it. */
	text[0] = '\n';
	while ((n = pread(fd, text + kept, sizeof(text) - 1 - kept, at)) > 0) {
		char *hit;

		text[kept + (size_t)n] = '\0';
		hit = strstr(text, key);
		if (hit && strchr(hit + 1, '\n'))
			return strtoull(hit + sizeof(key) - 1, NULL, 10);
		at += n;
		hit = strrchr(text, '\n');
		kept = strlen(hit);
		if (kept > sizeof(text) / 2)
			break;
		memmove(text, hit, kept + 1);
	}
	return 0;
}

uint64_t machine_room(const char *root)
{
	uint64_t group = smaller_limit(hierarchy_limit(root, true, true),
				       hierarchy_limit(root, false, true));

	return smaller_limit(machine_ram_available(root), group);
}

/* ---- all ---- */

unsigned machine_cpus(void)
{
	/* The kernel wants room for all CPUs it was built for. */
	for (int room = 1024; room <= 1 << 16; room *= 2) {
		cpu_set_t *set = CPU_ALLOC((size_t)room);
		size_t size = CPU_ALLOC_SIZE((size_t)room);
		int n = 0;

		if (!set)
			break;
		if (sched_getaffinity(0, size, set) == 0)
			n = CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (n > 0)
			return (unsigned)n;
	}
	return 1;
}

void machine_read(const char *root, struct environment *env)
{
	env->ram = machine_ram(root);
	env->cgroup = machine_cgroup_limit(root);
	env->cpus = machine_cpus();
	env->privileged = geteuid() == 0;
	env->selinux = has_file(root, "/sys/fs/selinux/enforce");
}

uint64_t machine_default_mem_limit(const struct environment *env)
{
	return smaller_limit(env->ram, env->cgroup) / 2;
}

uint64_t machine_default_nr_inodes(const struct environment *env)
{
	return machine_default_mem_limit(env) / PAGE_BYTES;
}
