/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the leader's client runs (see readers.h).
 *
 * While a process is being replaced or ends, to look at it waits until its
 * files are closed, and to close them may wait for an answer of the leader. So
 * this is done by a thread that nobody waits for, without a lock. It runs as
 * the leader does, so that its CPU counts as idle all the same.
 */
#include <errno.h>
#include <unistd.h>

#include "base/client_cpu.h"
#include "base/sandbox_notes.h"
#include "readers_i.h"

static uint32_t client_of_leader(const struct readers *r)
{
	int lead = __atomic_load_n(&r->lead, __ATOMIC_ACQUIRE);

	return lead < 0 ? 0
			: __atomic_load_n(&r->threads[lead].client,
					  __ATOMIC_RELAXED);
}

static void *looker_main(void *arg)
{
	struct client_cpu client = {.fd = -1};
	struct readers *r = arg;
	uint32_t pid;

	__atomic_store_n(&r->looker_place.tid, gettid(), __ATOMIC_RELEASE);
	while (!readers_over(r)) {
		if (sem_wait(&r->look))
			continue;
		pid = client_of_leader(r);
		if (pid)
			readers_follow(r, client_cpu_read(&client, (pid_t)pid));
	}
	client_cpu_forget(&client);
	sandbox_end_thread();
	return NULL;
}

int readers_look_start(struct readers *r)
{
	int err = pthread_create(&r->looker, NULL, looker_main, r);

	r->looks = !err;
	return -err;
}

void readers_ask_look(struct readers *r)
{
	sem_post(&r->look);
}

void readers_look_stop(struct readers *r)
{
	if (!r->looks)
		return;
	__atomic_store_n(&r->over, true, __ATOMIC_SEQ_CST);
	sem_post(&r->look);
	pthread_join(r->looker, NULL);
}
