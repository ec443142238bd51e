/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared page: the memory that a mount's keeper and its workers share, beside
 * the arena.
 *
 * Terms
 *   keeper   the process that mounted; it holds the descriptors, starts
 *            workers, and touches no data (keeper.h)
 *   worker   a process that serves the mount, or waits to (worker.h). The
 *            active one serves; the standby has the arena mapped and its
 *            threads started, and takes over the moment the active one dies.
 *   life     what tells that a thread still lives: a robust mutex that it holds
 *            from its start to its end. The kernel frees it when the thread
 *            dies, before the memory of the process is torn down, so whoever
 *            waits for it knows the death within microseconds.
 *   bank     the lives of one worker; there are two, and a worker uses the one
 *            that the active worker does not.
 *   buffers  what the active worker's threads read, write and compress into.
 *            All workers map the same, so a standby needs no memory for a
 *            second set, and none that is not there yet when it takes over.
 *   spare    memory that holds nothing, to be given up when there is too little
 *            (pressure.h).
 *
 * Workers deal with bytes that anybody may have written, so the keeper takes a
 * worker for one that may want to harm it. The page is in two files, each with
 * seals (fcntl(2)), which follow each other in memory:
 *
 *   the keeper's part    what the keeper says: descriptors, mountpoint,
 * program, its words and counts. The file is sealed against new mappings to
 *            write by and against write(2) while the keeper has the only one
 *            there is. Workers map it to read, and no descriptor of it that
 *            they can get, from /proc either, lets them do more.
 *   the workers' part    their words, counts and lives. All write it; it cannot
 *            be made smaller, which would be a SIGBUS for who reads it. To the
 *            keeper it is hostile input: it reads each word once, compares it
 *            with what it knows, and lets nothing else depend on it. It takes
 *            none of the lives.
 *
 * Another program in the place of the keeper (replace.h) cannot have a mapping
 * to write by either. So the keeper makes the next keeper's part, a copy that
 * is not sealed, when no process is started any more that could get hold of it,
 * and executes the program with it; that maps and seals it
 * (shared_page_renew()). A worker from before goes on with the old part, which
 * nobody writes any more: its descriptors and numbers hold, so it can serve,
 * and die, until it is sent off. All that the keeper has to tell it is a
 * signal.
 *
 * The buffers and the spare follow each other in a third file, which only
 * workers map, on huge pages where the arena's file may be: a worker's memory
 * is quicker to map and, when it dies, to take apart.
 *
 * Single words, read at any time.
 */
#ifndef FS_SHARED_PAGE_H
#define FS_SHARED_PAGE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/machine.h"

#define SHARED_MAGIC   UINT64_C(0x7065656b7366737a)
#define SHARED_VERSION 9u

/* The main thread of a worker, and one for each thread of the arena. */
#define SHARED_MAX_LIVES (1u + 512u)
#define SHARED_NR_BANKS	 2u
/* The active worker, and those before it that have not died yet. */
#define SHARED_MAX_SERVING 3u
#define SHARED_PATH_SIZE   4096u
#define SHARED_TEXT_SIZE   256u
#define SHARED_SPARE	   (UINT64_C(6) << 20) /* bytes */
/* The workers' part begins with a page. */
#define SHARED_ALIGN 4096u

/* What became of the last replacement of the program. */
enum shared_replace {
	REPLACE_NONE,
	REPLACE_UNDER_WAY,
	REPLACE_DONE,
	REPLACE_REFUSED, /* replace_text says why; the old worker goes on */
};

enum shared_spare {
	SPARE_NONE, /* there is no room for it */
	SPARE_HELD,
	SPARE_GIVEN, /* given up for the time of a shortage */
};

/* Fixed when the mount is made. */
struct shared_config {
	uint32_t nr_lives;
	uint32_t nr_helpers;   /* of each worker's crew */
	uint64_t buffers_size; /* bytes */
	bool huge;	       /* this memory is on huge pages */
	bool debug;	       /* print requests */
	bool foreground;
	bool hide_memory;
	bool sandbox;	  /* confine workers (survive/sandbox.h) */
	uint32_t own_uid; /* of workers then; 0: they stay who they are */
	uint32_t own_gid;
	bool writeback; /* the kernel caches writes */
	struct process_notes notes;
	char mountpoint[SHARED_PATH_SIZE]; /* absolute */
	char mount_opts[SHARED_PATH_SIZE]; /* for libfuse, as mounted first */
};

/* Descriptors, with the same numbers in all processes; as fixed. */
struct shared_fds {
	int32_t keeper;	 /* of the keeper's part */
	int32_t worker;	 /* of the workers' part */
	int32_t buffers; /* of the buffers and the spare */
	int32_t fuse;	 /* the connection */
	int32_t arena;	 /* the arena's file */
	int32_t wake;	 /* eventfd: look at the shared page, keeper */
	/* A pipe that nobody writes: its end of file is the keeper's death. */
	int32_t alive;	      /* end that workers look at */
	int32_t alive_keeper; /* end that only the keeper has */
};

/* What the keeper says, at any time. */
struct shared_state {
	char dev[32]; /* "major:minor", "" = unknown */
	/*
	 * Number of the connection, from 1 on. When it is ended without an
	 * unmount, fd.fuse becomes the next one (reconnect.h).
	 */
	uint32_t connection;
	uint32_t answered; /* the last connection whose INIT was answered */
	uint32_t keeper_pid;
	/*
	 * The last that became the active worker, and the bank it has; a child,
	 * for the program that replaces the keeper, or 0 = it has died.
	 */
	uint32_t active_pid;
	uint32_t active_bank;
	/*
	 * Process ids of those that serve, or did or may have and are not
	 * reaped yet; 0 = none. Children of it, for that program, too.
	 */
	uint32_t serving[SHARED_MAX_SERVING];
	uint32_t can_resend; /* the kernel sends requests again when asked */
	uint32_t detach;     /* workers that have the terminal shall leave it */
	uint32_t over;	     /* the end is wanted: nobody takes over */
	uint32_t read_ahead_kb; /* 0 = could not be set */
	uint32_t max_ratio;	/* likewise */
	uint32_t replace;	/* enum shared_replace */
	char replace_text[SHARED_TEXT_SIZE];
	char binary[SHARED_PATH_SIZE]; /* what SIGUSR2 starts */
};

/* What has happened, as the keeper counts it. */
struct shared_stats {
	uint32_t reconnects;
	uint32_t deaths;     /* of active workers */
	int32_t last_status; /* wait status of the last of them */
	uint32_t replacements;
	uint32_t replace_attempts;
};

/* What the active worker says, or the standby that is becoming it. */
struct shared_worker {
	uint32_t active_pid;  /* 0 = none yet */
	uint32_t primed_pid;  /* the standby that is ready; the standby */
	uint32_t ready;	      /* the connection whose INIT was answered */
	uint32_t lost;	      /* the connection that was found to have ended */
	uint32_t detached;    /* workers that have left the terminal */
	uint32_t can_resend;  /* as in shared_state, before the keeper knows */
	uint32_t end_signal;  /* it came to a worker; the keeper takes it */
	uint32_t keeper_died; /* says whoever noticed */
	uint32_t over;	      /* as in shared_state, with the keeper dead */
	/* Something was achieved since the last death; the keeper clears it. */
	uint32_t progress;
	/* enum shared_spare; the keeper, too, with no worker left */
	uint32_t spare;

	/* Counts. */
	uint32_t takeovers;
	uint32_t last_takeover_us;
	uint32_t worst_takeover_us;
	uint32_t poisoned;  /* requests ended with EIO */
	uint64_t oom_kills; /* counted by the kernel when last looked at */
	uint32_t oom_takeovers;

	pthread_mutex_t life[SHARED_NR_BANKS][SHARED_MAX_LIVES];
};

struct shared_page {
	/* The keeper's part. */
	uint64_t magic;
	uint32_t version;
	uint32_t size; /* of this struct */
	struct shared_config config;
	struct shared_fds fd;
	struct shared_state state;
	struct shared_stats stats;

	struct shared_worker worker __attribute__((aligned(SHARED_ALIGN)));
};

/*
 * Make a shared page for workers with @nr_lives threads and @buffers_size bytes
 * of buffers, without a spare, all else zero. @no_swap: the kernel shall swap
 * no buffer out, if it can promise that. This process is the keeper. 0 or
 * -errno. The caller owns *out and its first three descriptors, for the
 * process's life.
 */
int shared_page_create(unsigned nr_lives, uint64_t buffers_size, bool no_swap,
		       struct shared_page **out);

/*
 * In a program just executed: map the shared page whose keeper's part is behind
 * @fd. As @keeper, it has to be of shared_page_renew(), is sealed here, and
 * this process is the keeper; else it has to be sealed. -EPROTO when it is none
 * that this build understands.
 */
int shared_page_open(int fd, bool keeper, struct shared_page **out);

/*
 * In a worker that the keeper has forked, before it looks at anything else:
 * from here on the keeper's part can only be read. 0 or -errno.
 */
int shared_page_confine(struct shared_page *k);

/*
 * In the keeper: a copy of its part, not sealed, for the program that it is
 * about to execute. No process may be started while it is there. A descriptor
 * (close-on-exec, the caller's) or -errno.
 */
int shared_page_renew(const struct shared_page *k);

/*
 * Map the buffers into a worker, backed by memory, and locked into it as far as
 * RLIMIT_MEMLOCK allows. Only the active one may use
 * them; what is in them is of no meaning to a successor. NULL with errno set
 * when they are not of @size bytes, or there is no memory. The caller ends it
 * with shared_page_unmap_buffers().
 */
void *shared_page_map_buffers(const struct shared_page *k, uint64_t size);
void shared_page_unmap_buffers(const struct shared_page *k, void *buffers);

/*
 * Take the spare from the system, if it has the memory and we have not, and
 * give it up, if we have it. Safe to be killed in.
 */
void shared_page_take_spare(struct shared_page *k);
void shared_page_give_spare(struct shared_page *k);

/*
 * Descriptors that workers have, too: for the program that is executed next, or
 * for this process alone, again.
 */
void shared_page_pass_descriptors(const struct shared_page *k);
void shared_page_claim_descriptors(const struct shared_page *k);

/*
 * Of all processes: be alive as number @nr of @bank, until the thread ends.
 * Whoever had that before has died, or is waited for: but not for more than the
 * keeper says may have it, since what they have made of it may be anything.
 */
void shared_page_live(struct shared_page *k, unsigned bank, unsigned nr);

/*
 * Does the keeper say that the calling process is the only worker, but for a
 * standby?
 */
bool shared_page_is_alone(const struct shared_page *k);

/*
 * For the only worker that there is: the lives, and what workers say, as at the
 * beginning, whatever those before have made of them. Counts stay.
 */
void shared_page_begin_anew(struct shared_page *k);

/*
 * Wait until every life of @bank has ended with its thread, or the keeper says
 * that nobody has them: who lives there, or did before, may have made anything
 * of them. The caller then holds them all, until shared_page_release() or its
 * own death.
 */
void shared_page_await_deaths(struct shared_page *k, unsigned bank);
void shared_page_release(struct shared_page *k, unsigned bank);

/* Have the keeper look at the page. Async-signal-safe. */
void shared_page_wake_keeper(const struct shared_page *k);

/*
 * Have the keeper end the mount as if it had got @sig itself. Needs no right to
 * send it one. Async-signal-safe.
 */
void shared_page_pass_signal(struct shared_page *k, int sig);

/*
 * In the keeper: what has come by shared_page_wake_keeper() is noticed. Never
 * waits, whatever workers have made of the descriptor.
 */
void shared_page_clear_wake(const struct shared_page *k);

/*
 * The calling process, which lives in @bank, is the active one from here on;
 * the lives of the other bank, which it held unless it is the @first, are
 * released, and the keeper is told. To be called before it serves anybody: of a
 * process that dies with a thread in the kernel that waits for an answer the
 * keeper gets no word, and without the next standby nobody gives that answer.
 */
void shared_page_become_active(struct shared_page *k, unsigned bank,
			       bool first);

static inline uint32_t shared_get(const uint32_t *w)
{
	return __atomic_load_n(w, __ATOMIC_ACQUIRE);
}

static inline void shared_set(uint32_t *w, uint32_t val)
{
	__atomic_store_n(w, val, __ATOMIC_RELEASE);
}

/* For workers: the keeper's process id, 0 = it has died. */
static inline uint32_t shared_keeper(const struct shared_page *k)
{
	return shared_get(&k->worker.keeper_died)
		       ? 0
		       : shared_get(&k->state.keeper_pid);
}

/* For workers: is the end wanted, by the keeper or whoever does its work? */
static inline bool shared_is_over(const struct shared_page *k)
{
	return shared_get(&k->state.over) || shared_get(&k->worker.over);
}

/* Does a worker say that the connection works? */
static inline bool shared_is_ready(const struct shared_page *k)
{
	return shared_get(&k->worker.ready) == shared_get(&k->state.connection);
}

/* Say that there was progress, cheaply when it was said already. */
static inline void shared_note_progress(struct shared_page *k)
{
	if (k && !__atomic_load_n(&k->worker.progress, __ATOMIC_RELAXED))
		shared_set(&k->worker.progress, 1);
}

#endif
