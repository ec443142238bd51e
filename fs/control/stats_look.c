/* SPDX-License-Identifier: BSD-3-Clause */
/* What stats.json and metrics both say (see stats_i.h). */
#include <errno.h>
#include <signal.h>

#include "state/shared_page.h"
#include "state/zsfs.h"
#include "stats_i.h"

uint64_t stats_word(const uint64_t *w)
{
	return __atomic_load_n(w, __ATOMIC_RELAXED);
}

/* ---- survival ---- */

uint32_t stats_standby(const struct shared_page *k)
{
	uint32_t pid = shared_get(&k->worker.primed_pid);

	if (!pid || pid == shared_get(&k->worker.active_pid))
		return 0;
	/*
	 * With the keeper dead nobody else would see that it has gone. EPERM is
	 * a sandbox's answer for one that has not.
	 */
	return kill((pid_t)pid, 0) && errno == ESRCH ? 0 : pid;
}

bool stats_survives(const struct zsfs *fs)
{
	const struct shared_page *k = fs->shared;

	return k && k->state.can_resend &&
	       (shared_keeper(k) || stats_standby(k));
}

/* ---- requests ---- */

/* By number: <linux/fuse.h> of older systems does not have them all. */
static const char *const opcode_name[ZSFS_NR_OPCODES] = {
	[1] = "lookup",
	[2] = "forget",
	[3] = "getattr",
	[4] = "setattr",
	[5] = "readlink",
	[6] = "symlink",
	[8] = "mknod",
	[9] = "mkdir",
	[10] = "unlink",
	[11] = "rmdir",
	[12] = "rename",
	[13] = "link",
	[14] = "open",
	[15] = "read",
	[16] = "write",
	[17] = "statfs",
	[18] = "release",
	[20] = "fsync",
	[21] = "setxattr",
	[22] = "getxattr",
	[23] = "listxattr",
	[24] = "removexattr",
	[25] = "flush",
	[26] = "init",
	[27] = "opendir",
	[28] = "readdir",
	[29] = "releasedir",
	[30] = "fsyncdir",
	[31] = "getlk",
	[32] = "setlk",
	[33] = "setlkw",
	[34] = "access",
	[35] = "create",
	[36] = "interrupt",
	[37] = "bmap",
	[38] = "destroy",
	[39] = "ioctl",
	[40] = "poll",
	[41] = "notify_reply",
	[42] = "batch_forget",
	[43] = "fallocate",
	[44] = "readdirplus",
	[45] = "rename2",
	[46] = "lseek",
	[47] = "copy_file_range",
	[48] = "setupmapping",
	[49] = "removemapping",
	[50] = "syncfs",
	[51] = "tmpfile",
	[52] = "statx",
	[53] = "copy_file_range_64",
};

const char *stats_request_name(unsigned op)
{
	return opcode_name[op];
}

uint64_t stats_requests(const struct zsfs *fs, unsigned op)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < fs->nr_threads; i++)
		sum += stats_word(&fs->threads[i].slot->requests[op]);
	return sum;
}
