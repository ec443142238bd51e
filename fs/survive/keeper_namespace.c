/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper in a mount namespace that others leave (see witness.h). */
#include <errno.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "keeper_i.h"
#include "witness.h"

/* Where it cannot be known, or nothing be done about it, we just stay. */
static void find_witness(struct keeper *kp)
{
	kp->witness = witness_find();
	if (kp->witness != -ESRCH || witness_leave())
		return;
	zsfs_log(LOG_NOTICE,
		 "nobody is left in the mount namespace of %s: leaving it",
		 kp->place.mountpoint);
	/* The next one is started out there. */
	keeper_begin_handover(kp);
}

void keeper_watch_namespace(struct keeper *kp)
{
	kp->witness = -1;
	if (geteuid() == 0 && shared_get(&kp->k->state.can_resend))
		find_witness(kp);
}

void keeper_witness_ended(struct keeper *kp)
{
	close(kp->witness);
	find_witness(kp);
}
