/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes of a fuzzer as requests (see request_input.h). */
#include "request_input.h"

#include <linux/fuse.h>
#include <string.h>
#include <unistd.h>

#include "control/vfile.h"
#include "state/layout.h"

/* Of the protocol since 7.45, and 7.39. */
#define OP_COPY_FILE_RANGE_64 53
#define OP_STATX	      52
#define OP_TMPFILE	      51
#define OP_SYNCFS	      50

/*
 * What a body is made of. Where in its fixed part another nodeid is, and the
 * number of bytes of data: one more than the offset, 0 = nowhere.
 */
static const struct shape {
	uint8_t fixed; /* bytes */
	uint8_t names;
	bool data;
	uint8_t node;
	uint8_t size;
} shapes[] = {
	[FUSE_LOOKUP] = {0, 1, false, 0, 0},
	[FUSE_FORGET] = {8, 0, false, 0, 0},
	[FUSE_GETATTR] = {16, 0, false, 0, 0},
	[FUSE_SETATTR] = {88, 0, false, 0, 0},
	[FUSE_SYMLINK] = {0, 2, false, 0, 0},
	[FUSE_MKNOD] = {16, 1, false, 0, 0},
	[FUSE_MKDIR] = {8, 1, false, 0, 0},
	[FUSE_UNLINK] = {0, 1, false, 0, 0},
	[FUSE_RMDIR] = {0, 1, false, 0, 0},
	[FUSE_RENAME] = {8, 2, false, 1, 0},
	[FUSE_LINK] = {8, 1, false, 1, 0},
	[FUSE_OPEN] = {8, 0, false, 0, 0},
	[FUSE_READ] = {40, 0, false, 0, 0},
	[FUSE_WRITE] = {40, 0, true, 0, 17},
	[FUSE_RELEASE] = {24, 0, false, 0, 0},
	[FUSE_FSYNC] = {16, 0, false, 0, 0},
	[FUSE_SETXATTR] = {16, 1, true, 0, 1},
	[FUSE_GETXATTR] = {8, 1, false, 0, 0},
	[FUSE_LISTXATTR] = {8, 0, false, 0, 0},
	[FUSE_REMOVEXATTR] = {0, 1, false, 0, 0},
	[FUSE_FLUSH] = {24, 0, false, 0, 0},
	[FUSE_INIT] = {64, 0, false, 0, 0},
	[FUSE_OPENDIR] = {8, 0, false, 0, 0},
	[FUSE_READDIR] = {40, 0, false, 0, 0},
	[FUSE_RELEASEDIR] = {24, 0, false, 0, 0},
	[FUSE_FSYNCDIR] = {16, 0, false, 0, 0},
	[FUSE_GETLK] = {48, 0, false, 0, 0},
	[FUSE_SETLK] = {48, 0, false, 0, 0},
	[FUSE_SETLKW] = {48, 0, false, 0, 0},
	[FUSE_ACCESS] = {8, 0, false, 0, 0},
	[FUSE_CREATE] = {16, 1, false, 0, 0},
	[FUSE_INTERRUPT] = {8, 0, false, 0, 0},
	[FUSE_BMAP] = {16, 0, false, 0, 0},
	[FUSE_IOCTL] = {32, 0, true, 0, 25},
	[FUSE_POLL] = {24, 0, false, 0, 0},
	[FUSE_NOTIFY_REPLY] = {40, 0, false, 0, 0},
	[FUSE_BATCH_FORGET] = {8, 0, false, 0, 0},
	[FUSE_FALLOCATE] = {32, 0, false, 0, 0},
	[FUSE_READDIRPLUS] = {40, 0, false, 0, 0},
	[FUSE_RENAME2] = {16, 2, false, 1, 0},
	[FUSE_LSEEK] = {24, 0, false, 0, 0},
	[FUSE_COPY_FILE_RANGE] = {56, 0, false, 17, 0},
	[OP_SYNCFS] = {8, 0, false, 0, 0},
	[OP_TMPFILE] = {16, 1, false, 0, 0},
	[OP_STATX] = {24, 0, false, 0, 0},
	[OP_COPY_FILE_RANGE_64] = {56, 0, false, 17, 0},
};

#define NR_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static const char *const names[] = {
	"a",
	"b",
	"c",
	"d",
	"e",
	"f",
	"g",
	"long-name-of-a-file.c",
	".",
	"..",
	"",
	"a/b",
	".zsstats",
	".zsctl",
	"mm_stat",
	"io_stat",
	"classes",
	"fullness",
	"stats.json",
	"tiers",
	"metrics",
	"compact",
	"comp_algorithm",
	"dense",
	"settle_after",
	"hot",
	"size",
	"mem_limit",
	"nr_inodes",
	"mem_used_max",
	"verify",
	"settle",
	"last_cmd_status",
	"user.a",
	"user.b",
	"user.long-name-of-an-attribute",
	"trusted.t",
	"security.capability",
	"security.s",
	"system.posix_acl_access",
	"system.posix_acl_default",
	"zsfs.usage",
	"user.",
	"nonsense",
};

#define NR_NAMES (sizeof(names) / sizeof(names[0]))

/* From there on a number stands for 250 and more letters. */
#define LONG_NAMES 0x70u
#define RAW_NAMES  0x80u

/* A request that is being made. */
struct making {
	struct request_input *in;
	uint8_t *buf;
	size_t size, used;
	const uint8_t *rec; /* what is left of the record */
	size_t left;
};

void input_learn(struct request_input *in, uint64_t nodeid)
{
	if (!nodeid)
		return;
	for (unsigned k = 0; k < in->nr_known && k < MAX_KNOWN; k++)
		if (in->known[k] == nodeid)
			return;
	in->known[in->nr_known++ % MAX_KNOWN] = nodeid;
}

static uint8_t take_byte(struct making *m)
{
	if (!m->left)
		return 0;
	m->left--;
	return *m->rec++;
}

/* What is not there is zeros. */
static void take(struct making *m, void *to, size_t n)
{
	size_t have = n < m->left ? n : m->left;

	memset(to, 0, n);
	memcpy(to, m->rec, have);
	m->rec += have;
	m->left -= have;
}

static uint64_t known_nodeid(const struct request_input *in, unsigned nr)
{
	unsigned n = in->nr_known < MAX_KNOWN ? in->nr_known : MAX_KNOWN;

	return n ? in->known[nr % n] : 1;
}

static uint64_t choose_nodeid(struct making *m, uint8_t node)
{
	uint64_t nodeid;

	if (node == 0)
		return 1;
	if (node < 0x80)
		return known_nodeid(m->in, node - 1u);
	if (node < 0xa0)
		return VFILE_NODEID + (node & 0x1f);
	if (node < 0xf0)
		return known_nodeid(m->in, node) + (uint64_t)(node & 15) * 9 -
		       63;
	take(m, &nodeid, sizeof(nodeid));
	return nodeid;
}

static void put(struct making *m, const void *p, size_t n)
{
	size_t room = m->size - m->used;

	if (n > room)
		n = room;
	memcpy(m->buf + m->used, p, n);
	m->used += n;
}

static void put_name(struct making *m)
{
	uint8_t nr = take_byte(m), text[300];
	size_t n = nr & 0x7f;

	if (nr >= RAW_NAMES) {
		take(m, text, n);
	} else if (nr >= LONG_NAMES) {
		n = 250u + nr - LONG_NAMES;
		memset(text, 'n', n);
	} else {
		n = strlen(names[nr % NR_NAMES]);
		memcpy(text, names[nr % NR_NAMES], n);
	}
	text[n] = '\0';
	put(m, text, n + 1);
}

/* Data that compresses, that is one word, and that does not compress. */
#define MOST_DATA (UINT16_MAX * 17u)
static const uint32_t periods[] = {97, 8};
static uint8_t patterns[3][MOST_DATA];

static uint8_t made_byte(uint32_t k)
{
	uint32_t v = k * 2654435761u;

	return (uint8_t)((v ^ v >> 15) * 2246822519u >> 24);
}

static void make_patterns(void)
{
	for (unsigned nr = 0; nr < 3; nr++)
		for (uint32_t k = 0; k < MOST_DATA; k++)
			patterns[nr][k] =
				made_byte(nr == 2 ? k + 1 : k % periods[nr]);
}

const uint8_t *input_pattern(unsigned nr)
{
	if (!patterns[0][1])
		make_patterns();
	return patterns[nr % 3];
}

/* What is left of the record, and more if that is wanted. */
static void put_data(struct making *m, uint8_t how)
{
	uint8_t more[2] = {0};
	unsigned nr;

	if (how & HOW_LARGE)
		take(m, more, sizeof(more));
	put(m, m->rec, m->left);
	nr = more[0] & 1 ? 2 : how & HOW_FLAT ? 1 : 0;
	put(m, input_pattern(nr), (more[0] | (size_t)more[1] << 8) * 17);
}

static void set_at(struct making *m, size_t at, const void *p, size_t n)
{
	memcpy(m->buf + sizeof(struct fuse_in_header) + at, p, n);
}

static void set_nodeid(struct making *m, const struct shape *s)
{
	uint64_t nodeid;
	size_t at = s->node - 1u;

	if (!s->node)
		return;
	memcpy(&nodeid, m->buf + sizeof(struct fuse_in_header) + at,
	       sizeof(nodeid));
	nodeid = choose_nodeid(m, (uint8_t)nodeid);
	set_at(m, at, &nodeid, sizeof(nodeid));
}

static void set_size(struct making *m, const struct shape *s, size_t n)
{
	uint32_t size = (uint32_t)n;

	if (s->size)
		set_at(m, s->size - 1u, &size, sizeof(size));
}

/* So many pairs of a nodeid and how often it is forgotten. */
static void put_forgets(struct making *m)
{
	uint32_t n = 0;

	while (m->left && m->used + sizeof(struct fuse_forget_one) <= m->size) {
		struct fuse_forget_one one = {0};

		one.nodeid = choose_nodeid(m, take_byte(m));
		one.nlookup = take_byte(m);
		put(m, &one, sizeof(one));
		n++;
	}
	set_at(m, 0, &n, sizeof(n));
}

static void put_body(struct making *m, uint8_t op, uint8_t how)
{
	static const struct shape none;
	const struct shape *s = op < NR_SHAPES ? &shapes[op] : &none;
	uint8_t fixed[128];
	size_t before;

	take(m, fixed, s->fixed);
	put(m, fixed, s->fixed);
	set_nodeid(m, s);
	for (unsigned k = 0; k < s->names; k++)
		put_name(m);
	before = m->used;
	if (op == FUSE_BATCH_FORGET)
		put_forgets(m);
	else if (s->data)
		put_data(m, how);
	set_size(m, s, m->used - before);
}

/* Who asks, as HOW_CALLER says. */
static void set_caller(struct fuse_in_header *h, uint8_t how)
{
	static const uint32_t uids[] = {0, 1000, UINT32_MAX, UINT32_MAX};
	unsigned k = (how & HOW_CALLER) >> 1;

	h->uid = uids[k];
	h->gid = uids[k];
	h->pid = k == 3 ? 0 : (uint32_t)getpid();
}

static void put_request(struct making *m, uint8_t op, uint8_t node, uint8_t how)
{
	struct fuse_in_header h = {.opcode = op};

	h.nodeid = choose_nodeid(m, node);
	set_caller(&h, how);
	if (how & HOW_RESENT)
		h.unique = UNIQUE_RESEND;
	put(m, &h, sizeof(h));
	h.len = how & HOW_WRONG ? take_byte(m) - 128u : 0;
	if (how & HOW_RAW)
		put_data(m, how);
	else
		put_body(m, op, how);
	h.len += (uint32_t)m->used;
	memcpy(m->buf, &h, sizeof(h));
}

static void set_chore(struct making *m, uint8_t op, uint8_t node)
{
	struct input_chore *c = &m->in->chore;

	c->op = (op - OP_CHORES) % NR_ASIDES;
	c->nodeid = choose_nodeid(m, node);
	take(m, c->args, sizeof(c->args));
}

bool input_no_request(const struct request_input *in)
{
	return in->left < 4 || in->data[0] >= OP_CHORES;
}

bool input_is_alone(const struct request_input *in)
{
	return !input_no_request(in) && in->data[2] & HOW_ALONE;
}

int input_next(struct request_input *in, void *buf, size_t size, size_t *len)
{
	struct making m = {.in = in, .buf = buf, .size = size};
	uint8_t op, node, how;

	if (in->left < 4)
		return -1;
	op = in->data[0];
	node = in->data[1];
	how = in->data[2];
	m.rec = in->data + 4;
	m.left = in->data[3] < in->left - 4 ? in->data[3] : in->left - 4;
	in->data += 4 + m.left;
	in->left -= 4 + m.left;
	*len = 0;
	if (op < OP_CHORES) {
		in->alone = how & HOW_ALONE;
		put_request(&m, op, node, how);
		*len = m.used;
	} else {
		set_chore(&m, op, node);
	}
	return op;
}
