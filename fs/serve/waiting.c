/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that wait without a slot (see waiting.h). */
#include "waiting.h"

#include <linux/fuse.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "statx.h"

struct waiting {
	struct waiting *next;
	size_t len;
	struct fuse_in_header in;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct waiting *first; /* lock; atomic */

static bool may_be_deferred(uint32_t opcode)
{
	return opcode == FUSE_GETATTR || opcode == OPCODE_STATX ||
	       opcode == FUSE_LSEEK || opcode == FUSE_IOCTL ||
	       opcode == FUSE_FALLOCATE;
}

static struct waiting *pop(void)
{
	struct waiting *w;

	pthread_mutex_lock(&lock);
	w = first;
	if (w)
		__atomic_store_n(&first, w->next, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
	return w;
}

void waiting_clear(void)
{
	while (first)
		free(pop());
}

bool waiting_keep(const struct fuse_in_header *in)
{
	struct waiting *w;

	if (!may_be_deferred(in->opcode))
		return false;
	w = malloc(offsetof(struct waiting, in) + in->len);
	if (!w)
		return false;
	w->len = in->len;
	memcpy(&w->in, in, in->len);
	pthread_mutex_lock(&lock);
	w->next = first;
	__atomic_store_n(&first, w, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
	return true;
}

size_t waiting_take(void *buf)
{
	struct waiting *w;
	size_t len = 0;

	if (!__atomic_load_n(&first, __ATOMIC_ACQUIRE))
		return 0;
	w = pop();
	if (w) {
		len = w->len;
		memcpy(buf, &w->in, len);
	}
	free(w);
	return len;
}
