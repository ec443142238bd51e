/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stats: what a mount's stats.json says, as numbers and words.
 *
 * Names are only ever added there. One that an older mount does not have is
 * STATS_MISSING or NULL here, and so is one of another type than expected.
 */
#ifndef FS_CTL_STATS_H
#define FS_CTL_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_MISSING (-1)

/* N(name here, object in stats.json or NULL, name there); truths are 0 or 1 */
/* clang-format off */
#define STATS_NUMBERS(N)                                                       \
	N(layout, NULL, "layout")                                              \
	N(created, NULL, "created")                                            \
	N(hot, NULL, "hot")                                                    \
	N(chain_size, NULL, "chain_size")                                      \
	N(follow_cpu, NULL, "follow_cpu")                                      \
	N(writeback, NULL, "writeback")                                        \
	N(xattr, NULL, "xattr")                                                \
	N(hidestats, NULL, "hidestats")                                        \
	N(survive, NULL, "survive")                                            \
	N(keeper, "survival", "keeper")                                        \
	N(worker, "survival", "worker")                                        \
	N(standby, "survival", "standby")                                      \
	N(takeovers, "survival", "takeovers")                                  \
	N(deaths, "survival", "deaths")                                        \
	N(last_takeover_us, "survival", "last_takeover_us")                    \
	N(poisoned, "survival", "poisoned")                                    \
	N(size, "limits", "size")                                              \
	N(mem_limit, "limits", "mem_limit")                                    \
	N(nr_inodes, "limits", "nr_inodes")                                    \
	N(data, "content", "orig_data_size")                                   \
	N(compressed, "content", "compr_data_size")                            \
	N(blocks, "content", "blocks")                                         \
	N(inodes, "content", "inodes")                                         \
	N(failed_reads, "content", "failed_reads")                             \
	N(failed_writes, "content", "failed_writes")                           \
	N(corrupt, "content", "corrupt_blocks")                                \
	N(late_lost, "content", "late_writes_lost")                            \
	N(blocks_read, "content", "blocks_read")                               \
	N(blocks_written, "content", "blocks_written")                         \
	N(settle_saved, "content", "settle_saved_bytes")                       \
	N(scrubbed, "verify", "scrubbed_blocks")                               \
	N(bad, "verify", "bad_blocks")                                         \
	N(gaps, "tiers", "gaps")                                               \
	N(other, "tiers", "other")                                             \
	N(settling, "tiers", "settled_per_second")                             \
	N(warming, "tiers", "warmed_per_second")                               \
	N(ram, "memory", "used")                                               \
	N(ram_max, "memory", "used_max")                                       \
	N(available, "memory", "available")                                    \
	N(pool_pages, "pool", "pages_used")                                    \
	N(pool_objects, "pool", "objs_used")                                   \
	N(compactions, "pool", "compactions")                                  \
	N(can_compact, "pool", "can_compact")                                  \
	N(own_uid, "sandbox", "uid")                                           \
	N(landlock, "sandbox", "landlock")                                     \
	N(seccomp, "sandbox", "seccomp")                                       \
	N(pid, "environment", "pid")                                           \
	N(threads, "environment", "threads")

#define STATS_WORDS(W)                                                         \
	W(version, NULL, "version")                                            \
	W(comp, NULL, "comp")                                                  \
	W(dense, NULL, "dense")                                                \
	W(settle, NULL, "settle")                                              \
	W(why_not, "survival", "why_not")                                      \
	W(last_cause, "survival", "last_cause")                                \
	W(sandbox, "sandbox", "state")                                         \
	W(capabilities, "sandbox", "capabilities")                             \
	W(sandbox_off, "sandbox", "off_because")                               \
	W(sandbox_lacks, "sandbox", "lacks")                                   \
	W(atime, "mount", "atime")
/* clang-format on */

/* The forms in which blocks are stored. */
enum stats_tier { HOT, WARM, DENSE, INCOMPRESSIBLE, SAME_FILLED, NR_TIERS };

struct stats_form {
	int64_t bytes, ram;
};

struct stats_request {
	const char *name;
	int64_t nr;
};

struct stats_class {
	int64_t index, size, pages_per_zspage, allocated, used, pages, freeable;
};

struct stats {
#define NUMBER(name, in, json) int64_t name;
#define WORD(name, in, json)   const char *name;
	STATS_NUMBERS(NUMBER)
	STATS_WORDS(WORD)
#undef NUMBER
#undef WORD
	struct stats_form tier[NR_TIERS];
	struct stats_request *request; /* by kind */
	size_t nr_requests;
	struct stats_class *class; /* those that hold anything */
	size_t nr_classes;
	char *text; /* has the words */
};

/*
 * Read @text, of @len bytes. 0, or -errno with everything missing: -EINVAL when
 * it is no JSON object. The caller ends it with stats_free().
 */
int stats_parse(struct stats *s, const char *text, size_t len);

/*
 * Cut the classes off, which are most of the text and the last of its members,
 * for who has no use for them. Returns the new length.
 */
size_t stats_cut_classes(char *text, size_t len);

void stats_free(struct stats *s);

/* A struct in which everything is missing. */
void stats_init(struct stats *s);

/* Sums; STATS_MISSING where a part is. */
int64_t stats_requests(const struct stats *s);

/* @part of @all in percent; -1 where one is missing, or nothing is there. */
double stats_percent(int64_t part, int64_t all);

/* RAM that compression spares: content less all that it takes. */
double stats_saved_percent(const struct stats *s);
int64_t stats_saved(const struct stats *s);

/* Bytes of content for each byte of RAM; -1 where unknown. */
double stats_ratio(int64_t bytes, int64_t ram);

/* Seconds since it was mounted. */
int64_t stats_age(const struct stats *s);

/* What counts against the limit size. */
int64_t stats_size_used(const struct stats *s);

#endif
