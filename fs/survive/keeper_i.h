/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper's state, and its children (keeper_child.c): what their deaths
 * mean, and when the next are started. keeper.c has the rest: signals, the
 * loop, the beginning and the end.
 */
#ifndef FS_KEEPER_I_H
#define FS_KEEPER_I_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "child.h"
#include "keeper.h"
#include "mount.h"
#include "reconnect.h"
#include "replace.h"
#include "state/shared_page.h"

struct keeper {
	struct shared_page *k;
	struct mount_place place;
	int signals;		/* signalfd */
	pid_t active;		/* 0 = it has died */
	pid_t standby;		/* 0 = none */
	pid_t teacher;		/* 0 = not running */
	bool taught;		/* the mount was seen to work */
	bool settled;		/* started, and gone to the background */
	bool answered;		/* a worker has answered INIT */
	bool worked;		/* whoever started it was told that it works */
	int verdict;		/* of daemon.h, not for children; -1 = none */
	unsigned failures;	/* deaths that count (keeper.h), in a row */
	uint32_t oom_takeovers; /* when a worker last died */
	unsigned standby_failures; /* in a row */
	uint64_t standby_since;	   /* clock_ms() */
	uint64_t pause_until; /* no standby is started before, clock_ms() */
	unsigned attached;    /* workers started with the terminal */
	/* Of each in state.serving: its death says nothing. */
	bool dropped[SHARED_MAX_SERVING];
	bool ending; /* the end was asked for */
	bool over;   /* leave the loop */
	int status;  /* exit code then */
	struct replace replace;
	/* Others in the mount namespace (keeper_namespace.c). */
	int witness; /* pidfd, below 0 = we stay, or have left */
	/* One worker after another (keeper_handover.c). */
	bool handing;
	pid_t outgoing;	      /* it shall leave, 0 = it has died */
	bool sent_off;	      /* it was told */
	uint64_t leave_until; /* clock_ms() */
	bool replaced;	      /* this is another program than the worker's */
	/* A new connection (keeper_reconnect.c). */
	struct reconnect reconnect;
	uint64_t lost_since; /* clock_ms(), 0 = the connection stands */
	uint64_t retry_at;   /* clock_ms() */
	unsigned attempts;   /* that came to nothing */
	bool attempting;     /* a worker was started on a new one */
	bool fresh;	     /* nobody was started on the new one yet */
	bool complained;
};

/* Log it, leave the loop, and leave the dead mount where it is. */
void keeper_give_up(struct keeper *kp, const char *why);
/* Leave the loop with exit code @status; nobody takes over any more. */
void keeper_end(struct keeper *kp, int status);

/*
 * The process id, or 0 when none can be started, which is logged. None is while
 * state.serving is full, where there has to be room for it, too.
 */
pid_t keeper_start_worker(struct keeper *kp, bool first);
/*
 * @pid, a child, serves or may have: it is in state.serving until it is reaped,
 * so that who follows can wait for its end. @counts: its death is that of a
 * worker; of one that is known already this changes.
 */
void keeper_note_serving(struct keeper *kp, pid_t pid, bool counts);
/* The same: it is the active worker from now on, and lives in @bank. */
void keeper_note_active(struct keeper *kp, pid_t pid, unsigned bank);
/*
 * Kill the standby. What was heard before its end counts; it may have begun to
 * serve, and may take its time to die.
 */
void keeper_stop_standby(struct keeper *kp);
/* Kill all that serve or have. */
void keeper_stop_serving(struct keeper *kp);
/*
 * Start what teaches the kernel (mount.h) and lets parts follow (reconnect.h).
 */
void keeper_start_teacher(struct keeper *kp);
/* Tune the kernel (mount.h), and note what was permitted. */
void keeper_tune(struct keeper *kp);

/*
 * Hear what workers say: that the mount works, and that a successor has become
 * the active worker. Only a standby can be that, and whoever it has followed is
 * killed, should it not be dead: workers may say anything.
 */
void keeper_look_who_is_active(struct keeper *kp);
/* Deal with all children that have died. */
void keeper_reap_children(struct keeper *kp);
/* Start a standby if there is none, and any use for it. */
void keeper_need_standby(struct keeper *kp);
bool keeper_lacks_standby(const struct keeper *kp);
/* Is there one that could take over now? */
bool keeper_standby_is_primed(const struct keeper *kp);
/* Standbys work again: no pauses before the next. */
void keeper_no_failures(struct keeper *kp);

/* Stop the standby; the next one takes the place of the worker that serves. */
void keeper_begin_handover(struct keeper *kp);
/* Take the next step of that, if there is one. */
void keeper_handover_step(struct keeper *kp);

/*
 * Give up the capabilities that neither keeper nor children need, for good.
 */
void keeper_drop_capabilities(void);

/* From now on, leave the mount namespace when nobody else is in it. */
void keeper_watch_namespace(struct keeper *kp);
void keeper_witness_ended(struct keeper *kp);

/*
 * If the connection was lost: end when it was an unmount, else take the next
 * step to a new one.
 */
void keeper_reconnect_step(struct keeper *kp);
/* Milliseconds until there is a step to take, -1 = news will tell. */
int keeper_reconnect_msecs(const struct keeper *kp);

#endif
