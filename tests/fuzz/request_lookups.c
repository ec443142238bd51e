/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel knows of each file (see request_lookups.h). */
#include "request_lookups.h"

#include <linux/fuse.h>
#include <stdbool.h>
#include <string.h>

#include "control/vfile.h"
#include "fuzz.h"
#include "state/inode.h"
#include "state/zsfs.h"

#define NR_COUNTS 8192u /* a power of two */

static struct count {
	uint64_t nodeid, n;
} counts[NR_COUNTS];
static unsigned nr_counts;
static bool full; /* more than can be counted */

void lookups_begin(void)
{
	memset(counts, 0, sizeof(counts));
	nr_counts = 0;
	full = false;
}

static struct count *find(uint64_t nodeid)
{
	uint64_t at = nodeid * UINT64_C(0x9e3779b97f4a7c15) >> 40;
	struct count *c;

	do
		c = &counts[at++ % NR_COUNTS];
	while (c->nodeid && c->nodeid != nodeid);
	return c;
}

/* The root is known for ever, and virtual files are others at each look-up. */
static bool is_counted(uint64_t nodeid)
{
	return nodeid > FUSE_ROOT_ID && !vfile_is(nodeid) && !full;
}

void lookups_add(uint64_t nodeid)
{
	struct count *c;

	if (!is_counted(nodeid))
		return;
	c = find(nodeid);
	nr_counts += !c->nodeid;
	c->nodeid = nodeid;
	c->n++;
	full = nr_counts > NR_COUNTS / 2;
}

/* More than all is all. */
static void forget(uint64_t nodeid, uint64_t n)
{
	struct count *c;

	if (!is_counted(nodeid))
		return;
	c = find(nodeid);
	c->n -= n < c->n ? n : c->n;
}

static void forget_batch(const struct fuse_batch_forget_in *in)
{
	const struct fuse_forget_one *one = (const void *)(in + 1);

	for (uint32_t k = 0; k < in->count; k++)
		forget(one[k].nodeid, one[k].nlookup);
}

void lookups_forget(const struct fuse_in_header *in)
{
	const void *body = in + 1;

	if (in->opcode == FUSE_FORGET)
		forget(in->nodeid,
		       ((const struct fuse_forget_in *)body)->nlookup);
	else if (in->opcode == FUSE_BATCH_FORGET)
		forget_batch(body);
}

static void check(uint64_t nodeid, uint64_t is, uint64_t known)
{
	if (is == known)
		return;
	fprintf(stderr, "inode %llu: looked up %llu times, known %llu times\n",
		(unsigned long long)nodeid, (unsigned long long)is,
		(unsigned long long)known);
	abort();
}

static int check_inode(void *obj, void *arg)
{
	const struct zinode *i = obj;
	uint64_t nodeid = inode_nodeid(arg, i);

	if (is_counted(nodeid))
		check(nodeid, i->nlookup, find(nodeid)->n);
	return 0;
}

static void check_there(struct zsfs *fs, const struct count *c)
{
	if (!inode_resolve(fs, c->nodeid))
		check(c->nodeid, 0, c->n);
}

void lookups_check(struct zsfs *fs)
{
	if (full)
		return;
	slab_for_each_record(fs->arena, check_inode, fs);
	for (unsigned k = 0; k < NR_COUNTS; k++)
		if (counts[k].n)
			check_there(fs, &counts[k]);
}
