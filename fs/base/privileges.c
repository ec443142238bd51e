/* SPDX-License-Identifier: BSD-3-Clause */
/* Giving up privileges (see privileges.h). */
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu_place.h"
#include "rlimits.h"

int privileges_no_new(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

int privileges_bound(uint64_t keep)
{
	/* A kernel that knows more of them than we do has them numbered on. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0;
	     cap++)
		if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			return -errno;
	return 0;
}

/* Capabilities of the calling thread, in two halves. */
static struct __user_cap_header_struct self = {
	.version = _LINUX_CAPABILITY_VERSION_3,
};

static bool has_capability(unsigned cap)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	return !syscall(SYS_capget, &self, data) &&
	       data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap);
}

int privileges_become(uid_t uid, gid_t gid)
{
	/* Who started us is root without it, too, and could not end us. */
	if (!has_capability(CAP_KILL))
		return -EPERM;
	/* What stays after that is for privileges_keep() to say. */
	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

bool privileges_need_nice(void)
{
	/* One of a user namespace's is of no use. */
	return !rlimits_allow_niceness() && has_capability(CAP_SYS_NICE) &&
	       cpu_place_may_idle();
}

int privileges_keep(uint64_t keep)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &self, data))
		return -errno;
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t part = (uint32_t)(keep >> (32 * i));

		data[i].permitted &= part;
		/* Another user id takes away what is in force, and no more. */
		data[i].effective = data[i].permitted;
		data[i].inheritable &= part;
	}
	return syscall(SYS_capset, &self, data) ? -errno : 0;
}

void privileges_clear_ambient(void)
{
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}
