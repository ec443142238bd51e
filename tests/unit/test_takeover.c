/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takeovers without a mount: workers are killed where it hurts, and what a
 * successor does about their requests is looked at from the kernel's side.
 */
#include "takeover_fixture.h"

/* Of fuse_init_in.flags2; older headers lack it. */
#define HAS_RESEND (1u << 7)

/* ---- what was done ---- */

static void test_nothing_to_do(void)
{
	struct asked *a = dev_ask_mkdir("a");
	struct takeover t;

	worker(serve_one, (struct dev_death){0});
	CHECK(a->answered);
	t = succeed(0);
	CHECK_EQ(dev_mem->resends, 1);
	CHECK_EQ(t.again + t.replayed + t.parked + t.forgets + t.rolled_back +
			 t.finished + t.poisoned,
		 0);
	CHECK_EQ(nlookup(a->nodeid), 1);
	CHECK_EQ(fs->threads[0].slot->done, 0);
	leave();
}

static void test_an_answer_from_the_record(void)
{
	struct asked *a = dev_ask_mkdir("a");
	struct takeover t;

	/* It tells of the parent first: then the answer is not being sent. */
	worker(serve_one, (struct dev_death){.before_write = 1});
	CHECK(!a->answered);
	t = succeed(0);
	CHECK_EQ(t.again, 1);
	CHECK_EQ(t.replayed, 1);
	CHECK_EQ(t.parked, 0);
	CHECK(a->answered);
	CHECK_EQ(a->error, 0);
	CHECK_EQ(nlookup(a->nodeid), 1);
	/* The parent, and what the answer says of the new one. */
	CHECK_EQ(dev_mem->notified, 2);
	CHECK_EQ(fs->threads[0].slot->done, 0);
	leave();
}

static void test_an_answer_that_was_sent(void)
{
	struct asked *a = dev_ask_mkdir("a");
	struct takeover t;

	worker(serve_one, (struct dev_death){.after_write = 2});
	CHECK(a->answered);
	t = succeed(0);
	CHECK_EQ(t.again, 0);
	CHECK_EQ(nlookup(a->nodeid), 1);
	leave();
}

/* In the answer that the worker died with. */
static uint64_t recorded_nodeid(void)
{
	const struct fuse_entry_out *entry =
		(const void *)(fs->threads[0].slot->reply +
			       sizeof(struct fuse_out_header));

	return entry->nodeid;
}

static void damage_answer(void)
{
	struct fuse_out_header *out = (void *)fs->threads[0].slot->reply;

	out->len ^= 1;
}

/* It is done, but nobody knows how: not again. */
static void test_an_answer_that_is_damaged(void)
{
	struct asked *a = dev_ask_mkdir("a");

	worker(serve_one,
	       (struct dev_death){.before_write = 2, .last = damage_answer});
	CHECK_EQ(succeed(0).replayed, 1);
	CHECK(a->answered);
	CHECK_EQ(a->error, -EIO);
	CHECK(is_there("a"));
	CHECK_EQ(fs->threads[0].slot->done, 0);
	leave();
}

/* The kernel never learns of the directory: its look-up is taken back. */
static void test_a_client_that_is_gone(void)
{
	struct asked *a = dev_ask_mkdir("a");
	uint64_t nodeid;

	worker(serve_one, (struct dev_death){.before_write = 1});
	a->state = ASKED_OVER;
	attach();
	nodeid = recorded_nodeid();
	CHECK_EQ(nlookup(nodeid), 1);
	zsfs_close(fs);
	CHECK_EQ(succeed(0).replayed, 0);
	CHECK_EQ(nlookup(nodeid), 0);
	CHECK(is_there("a"));
	leave();
}

static void not_sent(void)
{
	fs->threads[0].slot->sending = 0;
}

/* A file without a name has nothing but that look-up. */
static void test_a_nameless_file_that_nobody_got(void)
{
	struct asked *a = dev_ask_tmpfile();
	uint64_t nodeid;

	worker(serve_one,
	       (struct dev_death){.before_write = 1, .last = not_sent});
	a->state = ASKED_OVER;
	attach();
	nodeid = recorded_nodeid();
	CHECK_EQ(nlookup(nodeid), 1);
	zsfs_close(fs);
	CHECK_EQ(succeed(0).replayed, 0);
	CHECK_EQ(nlookup(nodeid), NO_INODE);
	leave();
}

static void test_a_nameless_file_is_made_once(void)
{
	struct asked *a = dev_ask_tmpfile();

	worker(serve_one, (struct dev_death){.before_write = 1});
	CHECK_EQ(succeed(0).replayed, 1);
	CHECK_EQ(a->error, 0);
	CHECK_EQ(nlookup(a->nodeid), 1);
	zsfs_forget(fs->threads, a->nodeid, 1, NULL);
	CHECK_EQ(nlookup(a->nodeid), NO_INODE);
	leave();
}

static void just_committed(void)
{
	struct zsfs_slot *slot = fs->threads[0].slot;

	slot->state = TX_ANSWERED;
	slot->done = 0;
}

static void test_a_commit_that_was_not_finished(void)
{
	struct asked *a = dev_ask_mkdir("a");
	struct takeover t;

	worker(serve_one,
	       (struct dev_death){.before_write = 1, .last = just_committed});
	t = succeed(0);
	CHECK_EQ(t.finished, 1);
	CHECK_EQ(t.replayed, 1);
	CHECK(a->answered);
	leave();
}

static void leave_open(void)
{
	struct new_inode spec = {.mode = S_IFDIR | 0755};
	struct tx *tx = tx_begin(&fs->threads[1]);
	struct zinode *i;

	CHECK_EQ(zsfs_make(tx, ROOT_NODEID, "a", &spec, &i), 0);
}

static void test_a_transaction_that_was_open(void)
{
	worker(leave_open, (struct dev_death){0});
	CHECK_EQ(succeed(0).rolled_back, 1);
	CHECK(!is_there("a"));
	leave();
}

/* ---- what was not done ---- */

static void test_a_request_waits(void)
{
	struct asked *a = dev_ask_mkdir("a");
	struct takeover t;

	worker(serve_one, (struct dev_death){.after_read = 1});
	t = succeed(0);
	CHECK_EQ(t.again, 1);
	CHECK_EQ(t.parked, 1);
	CHECK(waiting_any());
	CHECK(!a->answered);
	serve(1);
	CHECK(a->answered);
	CHECK_EQ(a->error, 0);
	CHECK_EQ(nlookup(a->nodeid), 1);
	leave();
}

/* It had taken the bit away, and died before it told the kernel. */
static void test_set_uid_is_told_again(void)
{
	struct fuse_fallocate_in in = {.length = 1000};
	struct asked *a = dev_ask_tmpfile();
	struct zinode *i;

	attach();
	serve(1);
	i = inode_resolve(fs, a->nodeid);
	REQUIRE(i);
	i->mode = S_IFREG | S_ISUID | 0777;
	zsfs_close(fs);
	dev_uid = 1000;
	a = dev_ask(FUSE_FALLOCATE, a->nodeid, &in, sizeof(in));
	dev_uid = 0;
	worker(serve_one, (struct dev_death){.before_write = 1});
	CHECK(!a->answered);
	dev_mem->notified = 0;
	succeed(0);
	CHECK_EQ(inode_resolve(fs, dev_header(a)->nodeid)->mode,
		 S_IFREG | 0777);
	CHECK_EQ(dev_mem->notified, 0);
	serve(1);
	CHECK(a->answered);
	CHECK_EQ(a->error, 0);
	CHECK_EQ(dev_mem->notified, 1);
	leave();
}

/* The first that is new ends the drain; those after it stay where they are. */
static void test_a_new_request_ends_the_drain(void)
{
	struct asked *a, *b, *c;
	struct takeover t;

	a = dev_ask_mkdir("a");
	worker(serve_one, (struct dev_death){.after_read = 1});
	dev_ask(FUSE_INTERRUPT, 0, "12345678", 8);
	b = dev_ask_attr();
	c = dev_ask_attr();
	t = succeed(0);
	CHECK_EQ(t.again, 1);
	CHECK_EQ(t.parked, 2);
	CHECK_EQ(a->state, ASKED_READ);
	CHECK_EQ(b->state, ASKED_READ);
	CHECK_EQ(c->state, ASKED_QUEUED);
	CHECK(waiting_any() && fs->threads[0].parked);
	CHECK(!fs->threads[1].parked && !fs->threads[2].parked);
	leave();
}

static void read_into_all(void)
{
	for (unsigned k = 0; k < NR_SERVERS; k++)
		CHECK(read(dev, fs->threads[k].slot->req, ZSFS_REQ_SIZE) > 0);
}

/* All that come again are read before the first new one. */
static void test_as_many_as_there_are_threads(void)
{
	struct asked *last;
	struct takeover t;

	for (unsigned k = 0; k < NR_SERVERS; k++)
		dev_ask_mkdir((char[]){(char)('a' + k), 0});
	worker(read_into_all, (struct dev_death){0});
	last = dev_ask_attr();
	t = succeed(0);
	CHECK_EQ(t.again, NR_SERVERS);
	CHECK_EQ(t.parked, NR_SERVERS + 1);
	CHECK_EQ(last->state, ASKED_READ);
	serve(NR_SERVERS + 1);
	CHECK(last->answered);
	for (unsigned k = 0; k < NR_SERVERS; k++)
		CHECK(is_there((char[]){(char)('a' + k), 0}));
	leave();
}

/* More come again than there are slots, and the one that was done is last. */
static void deferred_then_one_done(void)
{
	read_into_all();
	serve_one();
}

static void test_deferred_ones_take_no_slot(void)
{
	struct asked *attr[NR_SERVERS], *done;
	struct takeover t;

	for (unsigned k = 0; k < NR_SERVERS; k++)
		attr[k] = dev_ask_attr();
	done = dev_ask_mkdir("a");
	worker(deferred_then_one_done, (struct dev_death){.before_write = 1});
	t = succeed(0);
	CHECK_EQ(t.again, NR_SERVERS + 1);
	CHECK_EQ(t.replayed, 1);
	CHECK(done->answered);
	CHECK_EQ(done->error, 0);
	serve(NR_SERVERS);
	for (unsigned k = 0; k < NR_SERVERS; k++)
		CHECK(attr[k]->answered);
	leave();
}

static struct asked *ask_long(void)
{
	struct fuse_read_in in = {.size = 64 << 10};

	return dev_ask(FUSE_READ, ROOT_NODEID, &in, sizeof(in));
}

static void serve_all(void)
{
	serve(dev_mem->nr_asked);
}

static unsigned unanswered(void)
{
	unsigned n = 0;

	for (unsigned k = 0; k < dev_mem->nr_asked; k++)
		n += !dev_mem->asked[k].answered;
	return n;
}

/* The worker is killed while long ones are put aside, at each of its writes. */
static void test_put_aside(void)
{
	for (unsigned when = 1; when <= 9; when++) {
		dev_open();
		for (unsigned k = 0; k < 3; k++) {
			char name[] = {(char)('a' + k), (char)('0' + when), 0};

			dev_ask_mkdir(name);
			ask_long();
		}
		worker(serve_all, (struct dev_death){.before_write = when});
		CHECK(unanswered() > 0);
		succeed(0);
		serve(unanswered());
		CHECK_EQ(unanswered(), 0);
		for (unsigned k = 0; k < 6; k++)
			CHECK_EQ(dev_mem->asked[k].error, k % 2 ? -EISDIR : 0);
		leave();
	}
}

/* ---- FORGETs ---- */

static void forget_one(void)
{
	struct fuse_in_header *in = request_in(fs->threads[2].slot);
	struct fuse_batch_forget_in *batch = (void *)(in + 1);
	struct fuse_forget_one *one = (void *)(batch + 1);

	zsfs_forget(&fs->threads[2], one->nodeid, one->nlookup, &one->nlookup);
}

static void serve_in_last(void)
{
	serve_in(2, 1);
}

static void test_a_forget_is_finished(void)
{
	make_two();
	dev_ask_forget(forgotten[0], forgotten[1]);
	worker(serve_in_last,
	       (struct dev_death){.after_read = 1, .last = forget_one});
	CHECK_EQ(succeed(0).forgets, 1);
	check_forgotten();
	CHECK_EQ(request_in(fs->threads[2].slot)->len, 0);
	leave();
}

/* Of the request before. */
static void leave_behind(void)
{
	struct fuse_in_header *in = request_in(fs->threads[2].slot);
	struct fuse_forget_in *body = (void *)(in + 1);

	body->nlookup = 1;
}

static void test_half_a_forget(void)
{
	make_two();
	dev_ask(FUSE_FORGET, forgotten[0], "", 0);
	worker(serve_in_last,
	       (struct dev_death){.after_read = 1, .last = leave_behind});
	succeed(0);
	CHECK_EQ(nlookup(forgotten[0]), 1);
	leave();
}

static void test_a_forget_in_the_drain(void)
{
	struct takeover t;

	make_two();
	dev_ask_forget(forgotten[0], forgotten[1]);
	t = succeed(0);
	CHECK_EQ(t.again, 0);
	CHECK_EQ(t.parked, 0);
	check_forgotten();
	leave();
}

/* ---- a connection that does not work ---- */

static void test_no_connection(void)
{
	static const struct {
		int resend, read, want;
	} cases[] = {
		{EPERM, 0, -ENODEV},  {ENODEV, 0, -ENODEV},
		{EINVAL, 0, -EINVAL}, {0, ECONNABORTED, -ENODEV},
		{0, ENODEV, -ENODEV}, {0, EIO, -EIO},
	};
	struct asked *a = dev_ask_mkdir("a");

	worker(serve_one, (struct dev_death){.before_write = 1});
	for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		dev_mem->refuse_resend = cases[k].resend;
		dev_mem->refuse_read = cases[k].read;
		succeed(cases[k].want);
		zsfs_close(fs);
		CHECK(!a->answered);
	}
	dev_mem->refuse_read = 0;
	CHECK_EQ(succeed(0).replayed, 1);
	CHECK_EQ(nlookup(a->nodeid), 1);
	leave();
}

static void test_half_a_request(void)
{
	dev_mem->half = true;
	succeed(-EIO);
	zsfs_close(fs);
	dev_mem->half = false;
	succeed(0);
	leave();
}

/* A directory without a name that ends: it is not looked at, nor kept. */
static void test_a_request_that_is_none(void)
{
	struct fuse_mkdir_in in = {.mode = 0755};
	struct asked *a = dev_ask(FUSE_MKDIR, ROOT_NODEID, &in, sizeof(in));
	struct asked *b = dev_ask_mkdir("b");
	struct takeover t;

	a->state = ASKED_READ; /* by a worker that died of it */
	b->state = ASKED_READ;
	t = succeed(0);
	CHECK(a->answered);
	CHECK_EQ(a->error, -EIO);
	CHECK_EQ(t.parked, 1);
	serve(1);
	CHECK(b->answered && !b->error);
	leave();
}

static void test_who_can_send_again(void)
{
	struct fuse_init_in *in;

	attach();
	in = (void *)(fs->super->init_req + sizeof(struct fuse_in_header));
	in->minor = 40;
	in->flags |= FUSE_INIT_EXT;
	in->flags2 = HAS_RESEND;
	CHECK(takeover_possible(fs));
	in->minor = 39;
	CHECK(!takeover_possible(fs));
	in->minor = 40;
	in->flags2 = ~HAS_RESEND;
	CHECK(!takeover_possible(fs));
	in->flags2 = HAS_RESEND;
	fs->super->init_req_len = 0;
	CHECK(!takeover_possible(fs));
	zsfs_close(fs);
}

static int primed(bool writeback)
{
	struct fuse_session *se = fixture_session(fs, dev);
	int err;

	fs->super->writeback = writeback;
	err = request_prime(fs, se);
	fuse_session_destroy(se);
	return err;
}

/* A successor goes on only with what it would have agreed to itself. */
static void test_another_answer_to_init(void)
{
	struct fuse_init_out *out;
	struct fuse_init_in *in;

	attach();
	in = (void *)(fs->super->init_req + sizeof(struct fuse_in_header));
	out = (void *)(fs->super->init_reply + sizeof(struct fuse_out_header));
	in->flags |= FUSE_WRITEBACK_CACHE;
	CHECK_EQ(primed(false), 0);
	CHECK_EQ(primed(true), -EPROTO);
	out->flags |= FUSE_WRITEBACK_CACHE;
	CHECK_EQ(primed(true), 0);
	CHECK_EQ(primed(false), -EPROTO);
	in->flags &= ~(uint32_t)FUSE_WRITEBACK_CACHE;
	out->flags &= ~(uint32_t)FUSE_WRITEBACK_CACHE;
	zsfs_close(fs);
}

static const struct check_case cases[] = {
	CHECK_CASE(test_nothing_to_do),
	CHECK_CASE(test_an_answer_from_the_record),
	CHECK_CASE(test_an_answer_that_was_sent),
	CHECK_CASE(test_an_answer_that_is_damaged),
	CHECK_CASE(test_a_client_that_is_gone),
	CHECK_CASE(test_a_nameless_file_that_nobody_got),
	CHECK_CASE(test_a_nameless_file_is_made_once),
	CHECK_CASE(test_a_commit_that_was_not_finished),
	CHECK_CASE(test_a_transaction_that_was_open),
	CHECK_CASE(test_a_request_waits),
	CHECK_CASE(test_set_uid_is_told_again),
	CHECK_CASE(test_a_new_request_ends_the_drain),
	CHECK_CASE(test_as_many_as_there_are_threads),
	CHECK_CASE(test_deferred_ones_take_no_slot),
	CHECK_CASE(test_put_aside),
	CHECK_CASE(test_a_forget_is_finished),
	CHECK_CASE(test_half_a_forget),
	CHECK_CASE(test_a_forget_in_the_drain),
	CHECK_CASE(test_no_connection),
	CHECK_CASE(test_half_a_request),
	CHECK_CASE(test_a_request_that_is_none),
	CHECK_CASE(test_who_can_send_again),
	CHECK_CASE(test_another_answer_to_init),
};

int main(int argc, char **argv)
{
	start_anew();
	return CHECK_MAIN(cases, argc, argv);
}
