/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper in a mount namespace that others leave (see witness.h). */
#include <errno.h>
#include <signal.h>
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
	kp->moving = true;
	keeper_look_who_is_active(kp);
	/* The next one is started out there, and the worker then goes. */
	keeper_stop_child(&kp->standby);
}

void keeper_watch_namespace(struct keeper *kp)
{
	kp->witness = -1;
	if (geteuid() == 0 && shared_get(&kp->k->state.can_resend))
		find_witness(kp);
}

/* The standby takes over as soon as the worker has left. */
static void send_worker_off(struct keeper *kp)
{
	shared_set(&kp->k->state.drain, 1);
	kill(kp->active, SIGUSR2);
	kp->moving = false;
	kp->moved = kp->active;
}

void keeper_namespace_step(struct keeper *kp, bool witness_ended)
{
	if (witness_ended) {
		close(kp->witness);
		find_witness(kp);
	}
	if (kp->moving && kp->active && kp->standby &&
	    shared_get(&kp->k->state.primed_pid) == (uint32_t)kp->standby)
		send_worker_off(kp);
	if (kp->moved && kp->active != kp->moved) {
		shared_set(&kp->k->state.drain, 0);
		kp->moved = 0;
	}
}
