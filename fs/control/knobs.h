/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Knobs: what can be set of a mount, one row each.
 *
 * From the rows come the options behind -o and their defaults, --help, the
 * files of .zsctl, the settings in stats.json, and what a remount may change.
 * Besides its row a knob has only its meaning: the functions and the member
 * that the row names.
 *
 * OPTION(ID, name, kind, set, field, default, arg, help)
 *     An option of the mount, for @name=@arg. @set of start/option_set.c puts
 *     its value into @field of struct zsfs_options. @default is a value that it
 *     takes, or NULL where set_defaults() knows one or there is none.
 * FIXED(the same)
 *     An option whose value show_NAME() of control.c tells stats.json. Only the
 *     mount sets it: a remount may repeat the value, but not change it.
 * LIVE(the same, file)
 *     An option that can be changed later, by @file and by a remount.
 *     change_NAME() of control.c executes what is written.
 * CONTROL(ID, name, kind, mode, help)
 *     A file that is no option, with read_NAME() and write_NAME().
 *
 * Snapshots in the arena name a file by its place among the rows that have
 * one: another place is another ZSFS_LAYOUT.
 */
#ifndef FS_KNOBS_H
#define FS_KNOBS_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/size_arg.h"
#include "base/textbuf.h"

/* How a value is written, and what its field is. */
enum knob_kind {
	KIND_SIZE = SIZE_BYTES,	   /* uint64_t */
	KIND_MEMORY = SIZE_MEMORY, /* uint64_t */
	KIND_BUDGET = SIZE_BUDGET, /* uint64_t */
	KIND_COUNT = SIZE_COUNT,   /* uint64_t */
	KIND_NUMBER,		   /* unsigned */
	KIND_ALGORITHM,		   /* struct zcomp_params */
	KIND_DENSE,		   /* the same, always zstd */
	KIND_IDLE,		   /* uint32_t: seconds, or off */
	KIND_WORD,		   /* as its functions have it */
	KIND_FLAG,		   /* bool: NAME or noNAME, without a value */
	KIND_MARK,		   /* bool: NAME, without a value */
	KIND_TRIGGER, /* whatever is written starts long work, one at a time */
};

/* clang-format off */
#define KNOBS(OPTION, FIXED, LIVE, CONTROL)                                    \
	LIVE(SIZE, size, SIZE, set_size, fs.size_limit, "0", "SIZE",           \
	     "most content of files before compression", size)                 \
	OPTION(NR_BLOCKS, nr_blocks, COUNT, set_nr_blocks, fs.size_limit,      \
	       NULL, "N", "the same in blocks of 4 KiB")                       \
	LIVE(MEM_LIMIT, mem_limit, MEMORY, set_size, fs.mem_limit, NULL,       \
	     "SIZE", "most RAM, processes aside (default: half of the RAM, or " \
	     "of what the control group allows)",                              \
	     mem_limit)                                                        \
	LIVE(NR_INODES, nr_inodes, COUNT, set_size, fs.inode_limit, NULL, "N", \
	     "most files and directories; K, M, G as above (default: as many " \
	     "as there are pages of 4 KiB in the default of mem_limit)",       \
	     nr_inodes)                                                        \
	OPTION(MODE, mode, WORD, set_mode, fs.mode, NULL, "OCTAL",             \
	       "permissions (default: 1777 mounted by root, else 0755)")       \
	OPTION(UID, uid, WORD, set_uid, fs.uid, NULL, "U",                     \
	       "owner, by number or name (default: who mounts); also owns "    \
	       "the files in .zsctl, but cannot raise what was mounted")                                          \
	OPTION(GID, gid, WORD, set_gid, fs.gid, NULL, "G",                     \
	       "group, by number or name (default: that of who mounts)")       \
	LIVE(COMP, comp, ALGORITHM, set_comp, fs.comp, "lz4", "ALG",           \
	     "lz4, lz4:N (acceleration 1..65537), zstd, zstd:N (level "        \
	     "1..19) or none. Text takes 38 % of its size with lz4, 51 % "     \
	     "with lz4:8, 62 % with lz4:16, 85 % with lz4:64 and 27 % with "   \
	     "zstd: a large N saves nothing", comp_algorithm)                  \
	LIVE(DENSE, dense, DENSE, set_dense, fs.dense, "zstd:4", "ALG",        \
	     "zstd or zstd:N (level 1..19): how what settles is compressed",   \
	     dense)                                                            \
	LIVE(SETTLE_AFTER, settle, IDLE, set_settle, fs.settle, "30", "SECS",  \
	     "how long blocks are left alone before they are compressed more " \
	     "densely with processor time that nobody wants: 0 to 1000 "       \
	     "seconds, or off", settle_after)                                  \
	LIVE(HOT, hot, BUDGET, set_size, fs.hot, NULL, "SIZE",                 \
	     "most bytes of what was just written that are stored as they "    \
	     "are, and compressed in the background; 0: none (default: an "    \
	     "eighth of mem_limit, at most 256M)", hot)                        \
	FIXED(CHAIN_SIZE, chain_size, NUMBER, set_chain_size, fs.chain_size,   \
	      "8", "N", "most pages put together for objects of one size, "    \
	      "4..16; more saves memory, less frees it in smaller pieces")     \
	OPTION(NOSWAP, noswap, MARK, set_noswap, fs.no_swap, NULL, NULL,       \
	       "never swap out what is stored (root)")                         \
	OPTION(HUGE, huge, WORD, set_huge, fs.huge, NULL, "WORD",              \
	       "never: no huge pages; always, within_size, advise: where the " \
	       "kernel gives them (default)")                                  \
	OPTION(MPOL, mpol, WORD, set_mpol, fs.mpol, NULL, "POLICY",            \
	       "on which NUMA nodes it shall be (root)")                       \
	OPTION(ALLOW_OTHER, allow_other, FLAG, set_flag, allow_other, NULL,    \
	       NULL, "let other users in (default for root)")                  \
	OPTION(SURVIVE, survive, FLAG, set_flag, survive, "survive", NULL,     \
	       "let another process take over when the one that serves "       \
	       "dies, or do with one process")                                 \
	OPTION(SANDBOX, sandbox, FLAG, set_flag, sandbox, "sandbox", NULL,     \
	       "let the processes that serve do nothing else, or all that "    \
	       "the keeper may")                                               \
	FIXED(FOLLOW_CPU, follow_cpu, FLAG, set_flag, fs.follow_cpu,           \
	      "follow_cpu", NULL,                                              \
	      "serve small requests on the processor they come from, or let "  \
	      "the system choose")                                             \
	FIXED(WRITEBACK, writeback, FLAG, set_flag, fs.writeback,              \
	      "nowriteback", NULL, "let the kernel hold what is written for a " \
	      "while and store it in larger pieces; that the mount is full "   \
	      "is then said by fsync(2) and close(2), not by write(2)")        \
	FIXED(XATTR, xattr, FLAG, set_flag, fs.xattr, "xattr", NULL,           \
	      "extended attributes and access control lists; without them "    \
	      "a new file with content is a request less")                     \
	FIXED(HIDESTATS, hidestats, FLAG, set_flag, fs.hidestats,              \
	      "nohidestats", NULL, "keep statistics, and how files are stored, " \
	      "from all but their owners and root")                            \
	OPTION(FSNAME, fsname, WORD, set_name, fsname, NULL, "NAME",           \
	       "what mount(8) and df(1) show as the source (default: SOURCE "  \
	       "or zsfs)")                                                     \
	OPTION(SUBTYPE, subtype, WORD, set_name, subtype, "zsfs", "NAME",      \
	       "what they show as the type; an empty one is none")             \
	CONTROL(COMPACT, compact, TRIGGER, 0600,                               \
		"write anything: compact now; read: pages that the last run "  \
		"gave back")                                                   \
	CONTROL(MEM_USED_MAX, mem_used_max, MEMORY, 0600,                      \
		"the most RAM in use so far; write 0 to start it anew")        \
	CONTROL(VERIFY, verify, TRIGGER, 0600,                                 \
		"write anything: check every structure and all content; "      \
		"read: clean, or what is damaged")                             \
	CONTROL(SETTLE, settle, TRIGGER, 0600,                                 \
		"write 1 (seconds are for settle_after): compress what is "    \
		"stored more densely; read: blocks done / to do, bytes saved") \
	CONTROL(LAST_CMD_STATUS, last_cmd_status, WORD, 0400,                  \
		"why the last write to one of these failed, or ok")
/* clang-format on */

/* Of the file of a LIVE row. */
#define KNOB_LIVE_MODE 0600u

#define KNOB_ID(id, ...) KNOB_##id,
enum knob_id { KNOBS(KNOB_ID, KNOB_ID, KNOB_ID, KNOB_ID) KNOB_NR };
#undef KNOB_ID

struct knob {
	const char *option; /* NULL: none */
	const char *file;   /* in .zsctl; NULL: none */
	mode_t mode;	    /* of the file */
	enum knob_kind kind;
	bool shown;	      /* in stats.json, by the name of the option */
	const char *fallback; /* the default, or NULL */
	const char *arg;      /* of the option, NULL: none */
	const char *help;
};

extern const struct knob knobs[KNOB_NR];

/* Can a remount change it? */
static inline bool knob_is_live(const struct knob *k)
{
	return k->option && k->file;
}

static inline bool knob_is_limit(const struct knob *k)
{
	return k->kind == KIND_SIZE || k->kind == KIND_MEMORY ||
	       k->kind == KIND_COUNT;
}

/* The options of which that is true: "size, mem_limit" and so on. */
void knobs_list_live(struct textbuf *t);

#endif
