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
 * The page, the buffers and the spare follow each other in one file, on huge
 * pages where the arena's file may be: a worker's memory is quicker to map and,
 * when it dies, to take apart.
 *
 * Who writes what: the keeper everything in the first part, before there is a
 * worker; after that each field says who. Single words, read at any time.
 */
#ifndef FS_SHARED_PAGE_H
#define FS_SHARED_PAGE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/machine.h"

#define SHARED_MAGIC   UINT64_C(0x7065656b7366737a)
#define SHARED_VERSION 5u

/* The main thread of a worker, and one for each thread of the arena. */
#define SHARED_MAX_LIVES (1u + 512u)
#define SHARED_NR_BANKS	 2u
#define SHARED_PATH_SIZE 4096u
#define SHARED_TEXT_SIZE 256u
#define SHARED_SPARE	 (UINT64_C(6) << 20) /* bytes */

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
	bool writeback; /* the kernel caches writes */
	struct process_notes notes;
	char mountpoint[SHARED_PATH_SIZE]; /* absolute */
	char mount_opts[SHARED_PATH_SIZE]; /* for libfuse, as mounted first */
};

/* Descriptors, with the same numbers in all processes; as fixed. */
struct shared_fds {
	int32_t page;  /* of this memory */
	int32_t fuse;  /* the connection */
	int32_t arena; /* the arena's file */
	int32_t wake;  /* eventfd: look at the shared page, keeper */
	/* A pipe that nobody writes: its end of file is the keeper's death. */
	int32_t alive;	      /* end that workers look at */
	int32_t alive_keeper; /* end that only the keeper has */
};

/* What is the case. */
struct shared_state {
	/* The keeper, at any time. */
	char dev[32]; /* "major:minor", "" = unknown */
	/*
	 * Number of the connection, from 1 on. When it is ended without an
	 * unmount, fd.fuse becomes the next one (reconnect.h).
	 */
	uint32_t connection;
	uint32_t keeper_pid; /* 0: it has died, says whoever noticed */
	uint32_t detach;     /* workers that have the terminal shall leave it */
	uint32_t over;	     /* the end is wanted: nobody takes over */
	uint32_t drain;	     /* the active worker shall finish and leave */
	uint32_t read_ahead_kb; /* 0 = could not be set */
	uint32_t max_ratio;	/* likewise */
	uint32_t replace;	/* enum shared_replace */
	char replace_text[SHARED_TEXT_SIZE];
	char binary[SHARED_PATH_SIZE]; /* what SIGUSR2 starts */

	/* The active worker, or the standby that is becoming it. */
	uint32_t active_bank;
	uint32_t active_pid; /* 0 = none yet */
	uint32_t primed_pid; /* the standby that is ready; the standby */
	uint32_t ready;	     /* INIT was answered; the keeper clears it */
	uint32_t lost;	     /* the connection that was found to have ended */
	uint32_t detached;   /* workers that have left the terminal */
	uint32_t can_resend; /* the kernel sends requests again when asked */
	/* Something was achieved since the last death; the keeper clears it. */
	uint32_t progress;
	/* enum shared_spare; the keeper, too, with no worker left */
	uint32_t spare;
};

/* What has happened. */
struct shared_stats {
	/* The keeper. */
	uint32_t reconnects;
	uint32_t deaths;     /* of active workers */
	int32_t last_status; /* wait status of the last of them */
	uint32_t replacements;
	uint32_t replace_attempts;

	/* The active worker. */
	uint32_t takeovers;
	uint32_t last_takeover_us;
	uint32_t worst_takeover_us;
	uint32_t poisoned;  /* requests ended with EIO */
	uint64_t oom_kills; /* counted by the kernel when last looked at */
	uint32_t oom_takeovers;
};

struct shared_page {
	uint64_t magic;
	uint32_t version;
	uint32_t size; /* of this struct */
	struct shared_config config;
	struct shared_fds fd;
	struct shared_state state;
	struct shared_stats stats;
	pthread_mutex_t life[SHARED_NR_BANKS][SHARED_MAX_LIVES];
};

/*
 * Make a shared page for workers with @nr_lives threads and @buffers_size bytes
 * of buffers, without a spare, all else zero. 0 or -errno. The caller owns *out
 * and its keep_fd, for the process's life.
 */
int shared_page_create(unsigned nr_lives, uint64_t buffers_size,
		       struct shared_page **out);

/*
 * Map the shared page behind @fd. -EPROTO when it is none that this build
 * understands.
 */
int shared_page_open(int fd, struct shared_page **out);

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

/* After exec(): the descriptors are for this process alone, again. */
void shared_page_claim_descriptors(const struct shared_page *k);

/* Of all processes: be alive as number @nr of @bank, until the thread ends. */
void shared_page_live(struct shared_page *k, unsigned bank, unsigned nr);

/*
 * Wait until every life of @bank has ended. The caller then holds them all,
 * until shared_page_release() or its own death.
 */
void shared_page_await_deaths(struct shared_page *k, unsigned bank);
void shared_page_release(struct shared_page *k, unsigned bank);

/* Have the keeper look at the page. Async-signal-safe. */
void shared_page_wake_keeper(const struct shared_page *k);

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

/* Say that there was progress, cheaply when it was said already. */
static inline void shared_note_progress(struct shared_page *k)
{
	if (k && !__atomic_load_n(&k->state.progress, __ATOMIC_RELAXED))
		shared_set(&k->state.progress, 1);
}

#endif
