/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Server: the threads of one process that serve a connection: one for each
 * request slot, and the background thread (background.h).
 *
 * Life: server_new() starts all threads, which then wait; server_go() lets them
 * work. In between a standby waits for its turn.
 */
#ifndef FS_SERVER_H
#define FS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct server;
struct zsfs;

struct server_params {
	int fd;		     /* the connection; stays the caller's */
	unsigned connection; /* its number, from 1 on */
	bool debug;	     /* print every request to stderr */
	/* Called by a request thread once INIT was answered; may be NULL. */
	void (*on_ready)(void *arg);
	/*
	 * By the first that finds the connection ended, or by all; may be NULL.
	 */
	void (*on_lost)(void *arg);
	void *arg;
};

/* 0 or -errno. The caller owns *out and ends it with server_free(). */
int server_new(struct zsfs *fs, const struct server_params *p,
	       struct server **out);

/*
 * Take the exchange of INIT over from the worker before. 0, -EPROTO: this
 * program cannot go on with what was agreed.
 */
int server_prime(struct server *s);

/* The threads of readers_placed(), once all are there. */
int server_placed(const struct server *s, pid_t **tids);

/*
 * Serve. With @after_takeover the background thread first verifies what was
 * taken over and goes on with what was being reaped.
 */
void server_go(struct server *s, bool after_takeover);

/* Wait until INIT was answered: 0, or -EIO when the threads ended instead. */
int server_wait_ready(struct server *s);

/* Have the threads finish the requests they are at, and end. */
void server_drain(struct server *s);

/* server_wait() returns soon, whatever the threads are doing. Any thread. */
void server_unmounting(struct server *s);

enum server_end {
	SERVER_UNMOUNTED, /* no more requests will ever come */
	SERVER_DRAINED,
	SERVER_STUCK,  /* unmounted, but files are still open */
	SERVER_FAILED, /* reading requests failed */
};

/* Wait until all threads have ended, or have had time enough to. */
enum server_end server_wait(struct server *s);

/* Release everything but the struct zsfs. Not after SERVER_STUCK. */
void server_free(struct server *s);

#endif
