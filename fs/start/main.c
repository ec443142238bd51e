/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The zsfs daemon: reads the options, mounts, and becomes the keeper of the
 * mount (keeper.h) or, with nosurvive, serves it alone (single.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/env_vars.h"
#include "base/log.h"
#include "base/machine.h"
#include "base/memlock.h"
#include "base/proctitle.h"
#include "base/rlimits.h"
#include "options.h"
#include "preflight.h"
#include "remount.h"
#include "state/shared_page.h"
#include "state/zsfs.h"
#include "survive/daemon.h"
#include "survive/keeper.h"
#include "survive/mount.h"
#include "survive/replace.h"
#include "survive/sandbox.h"
#include "survive/single.h"
#include "survive/worker.h"
#include "volume/volume.h"

static char *check_environment(const struct zsfs_options *o, bool privileged)
{
	char msg[PREFLIGHT_MSG_SIZE], path[4096];
	char *mountpoint = preflight_mountpoint(o->mountpoint, privileged, msg,
						sizeof(msg));
	const char *env_path = getenv("PATH");
	int err;

	if (!mountpoint)
		goto err_log;
	err = o->stack ? 0
		       : preflight_not_mounted(mountpoint, msg, sizeof(msg));
	if (!err && o->source && !o->by_mount)
		err = preflight_source(o->source, msg, sizeof(msg));
	if (!err)
		err = preflight_machine(sysconf(_SC_PAGESIZE), msg,
					sizeof(msg));
	if (!err)
		err = preflight_device("/dev/fuse", msg, sizeof(msg));
	if (!err && !privileged) {
		snprintf(path, sizeof(path), "%s:/usr/bin:/bin",
			 env_path ? env_path : "");
		err = preflight_user(path, "/etc/fuse.conf", o->allow_other,
				     msg, sizeof(msg));
	}
	if (err)
		goto err_log;
	return mountpoint;

err_log:
	zsfs_log(LOG_ERR, "%s", msg);
	free(mountpoint);
	return NULL;
}

/* What a worker's address space holds beside the arena. */
static uint64_t other_space(const struct zsfs_params *p)
{
	uint64_t threads = p->nr_threads + 1 + p->nr_helpers;

	/* Stacks, and heaps of which each thread would like its own. */
	return zsfs_buffers_size(p->nr_threads + 1) + SHARED_SPARE +
	       threads * ((uint64_t)4 << 20) + ((uint64_t)96 << 20);
}

/* As large an arena as the resource limits leave room for. */
static int choose_arena_size(struct zsfs_params *p)
{
	uint64_t other = other_space(p), least;
	const char *name;

	p->arena_size = rlimits_arena_size(other, &name);
	least = zsfs_min_arena_size(p->nr_threads, p->nr_helpers);
	if (name && p->arena_size < least) {
		zsfs_log(LOG_ERR,
			 "%s: the limit is too low; at least %" PRIu64
			 " are needed, "
			 "and what is more is room for content",
			 name, (least + (name[8] == 'v' ? other : 0)) / 1024);
		return -ENOMEM;
	}
	if (name && (!p->mem_limit || p->mem_limit > p->arena_size))
		zsfs_log(LOG_NOTICE,
			 "because of %s all content together can take %" PRIu64
			 " MiB "
			 "of RAM at most",
			 name, p->arena_size >> 20);
	return 0;
}

static int create(struct zsfs_options *o, struct zsfs **out)
{
	int err = choose_arena_size(&o->fs);

	if (err)
		return err;
	err = zsfs_create(&o->fs, out);
	if (err == -EEXIST)
		zsfs_log(LOG_ERR,
			 "the address range at %#" PRIx64
			 ", where the file system "
			 "has to be, is taken in this process",
			 ARENA_BASE);
	else if (err == -EOPNOTSUPP)
		zsfs_log(LOG_ERR,
			 "the kernel does not do %s here (noswap: Linux 6.4 "
			 "and a real root; mpol: as for tmpfs)",
			 o->fs.no_swap && *o->fs.mpol ? "noswap or this mpol"
			 : o->fs.no_swap	      ? "noswap"
						      : "this mpol");
	else if (err == -ENOMEM || err == -ENOSPC)
		zsfs_log(LOG_ERR, "not enough memory to start: %s",
			 strerror(-err));
	else if (err)
		zsfs_log(LOG_ERR, "the file system cannot be made: %s%s",
			 strerror(-err), rlimits_behind(-err));
	return err;
}

/* What only a mount that is there can be given. @fd, or -errno and no mount. */
static int set_flags(const struct zsfs_options *o, const char *mountpoint,
		     int fd)
{
	struct mount_place place = {.mountpoint = mountpoint};
	int err = mount_set_flags(mountpoint, o->flags);

	if (!err)
		return fd;
	zsfs_log(LOG_ERR,
		 "nodiratime, strictatime or nosymfollow cannot be set: %s "
		 "(they need Linux 5.12)",
		 strerror(-err));
	mount_find(&place);
	mount_detach(&place);
	close(fd);
	return err;
}

/* The descriptor of the connection, or -errno. */
static int mount_it(const struct zsfs_options *o, const char *opts,
		    bool privileged, const char *mountpoint)
{
	int fd = mount_make(mountpoint, opts);

	if (fd < 0)
		zsfs_log(LOG_ERR, "mounting on %s failed: %s%s", mountpoint,
			 strerror(-fd),
			 fd == -EPERM && privileged
				 ? "; a container needs --cap-add SYS_ADMIN"
				 : "");
	/* Users' times of access are ours alone to keep. */
	return fd < 0 || !privileged ? fd : set_flags(o, mountpoint, fd);
}

/* Who debugs wants to look, and so does what looks for leaks. */
static bool hides_memory(const struct zsfs_options *o)
{
	return !o->debug && !ZS_ARENA_SANITIZED;
}

/* What keeper and workers have to know; the arena is theirs to map. */
static int make_keep(const struct zsfs_options *o, struct zsfs *fs,
		     const char *mountpoint, struct shared_page **out)
{
	int ends[2], err = shared_page_create(1 + arena_nr_threads(fs->arena),
					      zsfs_buffers_size(fs->nr_threads),
					      o->fs.no_swap, out);
	struct shared_page *k;
	ssize_t n;

	if (err)
		return err;
	k = *out;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	k->fd.alive = ends[0];
	k->fd.alive_keeper = ends[1];
	k->fd.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	k->fd.arena = fcntl(arena_fd(fs->arena), F_DUPFD_CLOEXEC, 0);
	if (k->fd.wake < 0 || k->fd.arena < 0)
		return -errno;
	k->config.nr_helpers = o->fs.nr_helpers;
	k->config.debug = o->debug;
	k->config.foreground = o->foreground;
	k->config.hide_memory = hides_memory(o);
	k->config.writeback = o->fs.writeback;
	k->config.sandbox = o->sandbox;
	if (process_notes.privileged)
		sandbox_find_user(NULL, &k->config.own_uid, &k->config.own_gid);
	k->config.notes = process_notes;
	snprintf(k->config.mountpoint, sizeof(k->config.mountpoint), "%s",
		 mountpoint);
	n = readlink("/proc/self/exe", k->state.binary,
		     sizeof(k->state.binary) - 1);
	if (n < 0)
		k->state.binary[0] = '\0';
	return 0;
}

/* Make the mount and keep it. The exit code. */
static int keep_mount(const struct zsfs_options *o, bool privileged,
		      struct zsfs *fs, const char *mountpoint, const char *opts,
		      struct daemon *d)
{
	struct mount_place place = {.mountpoint = mountpoint};
	struct shared_page *k;
	int err = make_keep(o, fs, mountpoint, &k);

	zsfs_close(fs);
	if (err) {
		zsfs_log(LOG_ERR, "not enough to start with: %s%s",
			 strerror(-err), rlimits_behind(-err));
		return 1;
	}
	k->fd.fuse = mount_it(o, opts, privileged, mountpoint);
	if (k->fd.fuse < 0)
		return 1;
	k->state.connection = 1;
	snprintf(k->config.mount_opts, sizeof(k->config.mount_opts), "%s",
		 opts);
	mount_find(&place);
	memcpy(k->state.dev, place.dev, sizeof(k->state.dev));
	return keeper_run(k, d);
}

/* Make the mount and serve it in this one process. The exit code. */
static int serve_alone(const struct zsfs_options *o, bool privileged,
		       struct zsfs *fs, const char *mountpoint,
		       const char *opts, struct daemon *d)
{
	struct single_params p = {
		.mountpoint = mountpoint,
		.mount_opts = opts,
		.debug = o->debug,
	};
	int fd = mount_it(o, opts, privileged, mountpoint), ret;

	if (fd < 0)
		return 1;
	ret = single_serve(fs, fd, &p, d);
	zsfs_close(fs);
	return ret;
}

static int run(struct zsfs_options *o, bool privileged)
{
	struct daemon d = {.verdict = -1};
	struct zsfs *fs = NULL;
	char *mountpoint, *opts;
	int ret, err = 0;

	env_vars_wipe();
	if (o->foreground)
		daemon_close_inherited();
	else
		err = daemon_fork(&d);
	if (err) {
		zsfs_log(LOG_ERR, "fork: %s%s", strerror(-err),
			 rlimits_behind(-err));
		return 1;
	}
	daemon_block_signals();
	umask(0);
	mountpoint = check_environment(o, privileged);
	if (!mountpoint)
		return 1;
	process_notes.privileged = privileged;
	daemon_protect();
	memory_keep_from_dumps();
	/* Before there is an arena, whose descriptor others could open. */
	if (hides_memory(o))
		memory_hide();
	opts = options_mount_string(o, privileged);
	err = opts ? create(o, &fs) : -ENOMEM;
	if (err)
		ret = 1;
	else if (o->survive)
		ret = keep_mount(o, privileged, fs, mountpoint, opts, &d);
	else
		ret = serve_alone(o, privileged, fs, mountpoint, opts, &d);
	free(opts);
	free(mountpoint);
	return ret;
}

/*
 * The arena's descriptor is there from the start, and the kernel shows what it
 * has just loaded. What is dumped can only be said before (memory_hide()).
 */
static void hide_role(void)
{
	memory_keep_from_dumps();
	memory_hide();
}

/* How a keeper starts the program that replaces it (replace.h). */
static int run_role(char **argv, bool keeper)
{
	struct shared_page *k;
	int err;

	hide_role();
	err = shared_page_open(atoi(argv[2]), keeper, &k);
	env_vars_wipe();
	daemon_block_signals();
	umask(0);
	if (err) {
		zsfs_log_to_syslog();
		zsfs_log(LOG_ERR, "no shared page that this program knows: %s",
			 strerror(-err));
		return err == -EPROTO ? WORKER_REFUSED : WORKER_FAILED;
	}
	shared_page_claim_descriptors(k);
	if (!k->config.hide_memory)
		memory_show();
	if (!k->config.foreground)
		zsfs_log_to_syslog();
	zsfs_log_debug(k->config.debug);
	process_notes = k->config.notes;
	if (keeper)
		return keeper_resume(k);
	worker_try(k, argv[3][0] == '1');
}

int main(int argc, char **argv)
{
	struct environment env;
	struct zsfs_options o;
	char msg[OPTIONS_MSG_SIZE];
	int err;

	rlimits_raise();
	proctitle_init(argc, argv);
	if (argc == 5 && !strcmp(argv[1], "--worker"))
		return run_role(argv, false);
	if (argc == 5 && !strcmp(argv[1], "--keeper"))
		return run_role(argv, true);
	machine_read("", &env);
	err = options_parse(argc, argv, &env, &o, msg, sizeof(msg));
	zsfs_log_debug(o.debug);
	if (err)
		zsfs_log(LOG_ERR, "%s", msg);
	else if (o.help)
		options_help(stdout);
	else if (o.version)
		puts("zsfs " ZSFS_VERSION);
	else if (o.remount)
		err = remount_command(&o);
	else if (o.replace)
		err = replace_command(o.mountpoint);
	else if (!o.fake)
		err = run(&o, env.privileged);
	options_free(&o);
	return err ? 1 : 0;
}
