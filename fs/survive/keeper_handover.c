/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper has the worker that serves leave, for one that it starts now: in
 * another namespace (keeper_namespace.c), or of another program (replace.h).
 */
#include <signal.h>
#include <syslog.h>

#include "base/clock.h"
#include "base/log.h"
#include "keeper_i.h"

/* A request that does not end: its worker's death ends it, too. */
#define DRAIN_MSECS 3000

void keeper_begin_handover(struct keeper *kp)
{
	/* The next one is as it shall be. */
	keeper_stop_standby(kp);
	kp->handing = true;
	kp->outgoing = kp->active;
	kp->sent_off = false;
}

/* The standby takes over as soon as the worker has left. */
static void send_worker_off(struct keeper *kp)
{
	kill(kp->outgoing, SIGUSR2);
	kp->sent_off = true;
	kp->leave_until = clock_ms() + DRAIN_MSECS;
}

static void end_handover(struct keeper *kp)
{
	struct shared_page *k = kp->k;

	kp->handing = kp->sent_off = false;
	if (!kp->replaced)
		return;
	kp->replaced = false;
	shared_set(&k->stats.replacements, k->stats.replacements + 1);
	shared_set(&k->state.replace, REPLACE_DONE);
	zsfs_log(LOG_NOTICE, "%s is now served by version " ZSFS_VERSION,
		 k->config.mountpoint);
}

void keeper_handover_step(struct keeper *kp)
{
	if (!kp->handing)
		return;
	keeper_look_who_is_active(kp);
	if (!kp->active)
		return;
	if (kp->active != kp->outgoing) {
		end_handover(kp);
	} else if (!kp->sent_off) {
		if (keeper_standby_is_primed(kp))
			send_worker_off(kp);
	} else if (clock_ms() >= kp->leave_until) {
		kill(kp->outgoing, SIGKILL);
		kp->leave_until = clock_ms() + DRAIN_MSECS;
	}
}
