/* SPDX-License-Identifier: BSD-3-Clause */
/* The capabilities that the keeper needs, and no others. */
#include <linux/capability.h>
#include <stdint.h>

#include "base/privileges.h"
#include "keeper_i.h"

static const uint8_t needed[] = {
	CAP_SYS_ADMIN,	     /* mounts */
	CAP_SYS_CHROOT,	     /* another mount namespace */
	CAP_SYS_PTRACE,	     /* who is in ours, and which program asks */
	CAP_DAC_READ_SEARCH, /* the way to a mountpoint */
	CAP_KILL,	     /* workers, who may be another user */
	CAP_SETUID,	     /* they become that by it */
	CAP_SETGID,
	CAP_SETPCAP,
	CAP_SYS_RESOURCE, /* limits of a new program */
	CAP_IPC_LOCK,	  /* buffers that stay in memory */
	CAP_SYS_NICE,	  /* the crew's priority */
};

static uint64_t needed_set(void)
{
	uint64_t set = 0;

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		set |= PRIVILEGE(needed[i]);
	return set;
}

void keeper_drop_capabilities(void)
{
	uint64_t keep = needed_set();

	/* Who may not change it has none to lose. */
	privileges_bound(keep);
	privileges_keep(keep);
}
