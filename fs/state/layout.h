/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Superblock and request slots: the fixed part of a file system in its arena.
 *
 * The arena's root area holds, in this order: struct zsfs_super, the pool's
 * root, one struct zsfs_slot per thread, and the snapshot area (snapshot.h).
 * Everything here survives the process; a change of any struct in this file, in
 * inode.h, dentry.h or block_table.h changes the layout and must bump
 * ZSFS_LAYOUT.
 */
#ifndef FS_LAYOUT_H
#define FS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "base/siphash.h"
#include "undo.h"

#define ZSFS_MAGIC UINT64_C(0x31303073667a735a)
/* A build can be given another one, to test that it is refused. */
#ifndef ZSFS_LAYOUT
#define ZSFS_LAYOUT 21u
#endif

#define ZSFS_BLOCK_SIZE	 4096u
#define ZSFS_BLOCK_SHIFT 12
#define ZSFS_MAX_WRITE	 (1u << 20)
#define ZSFS_MAX_BLOCKS	 (ZSFS_MAX_WRITE / ZSFS_BLOCK_SIZE)
#define ZSFS_NAME_MAX	 255u

/* Memory that is promised to a block with room: its page and its handle. */
#define ZSFS_ROOM_COST (ZSFS_BLOCK_SIZE + 12u)

#define ZSFS_OPTIONS_SIZE 128u

/* When reading sets the time of access. */
enum zsfs_atime {
	ATIME_RELATIME, /* once after a change, and once a day */
	ATIME_NOATIME,
	ATIME_STRICTATIME, /* with all reading that the kernel asks for */
	ATIME_NR,
};

/* Request and recorded-reply buffers of a slot. */
#define ZSFS_REQ_SIZE	(ZSFS_MAX_WRITE + 2 * ARENA_PAGE_SIZE)
#define ZSFS_REPLY_SIZE (64u << 10)

/* Pages of the snapshot area. */
#define ZSFS_SNAP_PAGES 128u

/*
 * Counters that a transaction changes, one cell per slot: only the slot's
 * thread writes its cell, and the sum over all slots is the value. Single
 * cells may be negative. What the pool counts of its objects is not among them.
 * X(NAME, JSON) has the counter ST_NAME and its name in
 * stats.json, where the counters stand in this order.
 */
#define ZSFS_COUNTERS(X)                                                       \
	/* blocks that files hold (not holes) */                               \
	X(BLOCKS, "blocks")                                                    \
	/* inodes that are not being reaped, root included */                  \
	X(INODES, "inodes")                                                    \
	/* same-filled blocks, zero included */                                \
	X(SAME, "same_blocks")                                                 \
	/* of BLOCKS, those that only have room (content/slot.h) */            \
	X(ROOM, "reserved_blocks")                                             \
	/* blocks in clusters (content/cluster.h), and what clusters consist   \
	 */                                                                    \
	/* of: pieces, and those of them that take a page */                   \
	X(DENSE, "dense_blocks")                                               \
	X(CLUSTERS, "clusters")                                                \
	X(PIECES, "cluster_pieces")                                            \
	X(HUGE_PIECES, "huge_cluster_pieces")                                  \
	/* RAM in bytes that the pieces take in the pool */                    \
	X(DENSE_RAM, "dense_ram_bytes")                                        \
	/* blocks that are settled as they are (content/slot.h) */             \
	X(TRIED, "settled_blocks")                                             \
	/* blocks stored as they are until they are compressed (content/hot.h) \
	 */                                                                    \
	X(HOT, "hot_blocks")                                                   \
	/* inodes whose blocks are being freed (reap.h) */                     \
	X(REAPING, "inodes_being_freed")                                       \
	/* payload bytes that they hold, about */                              \
	X(REAP_BYTES, "bytes_being_freed")                                     \
	/* The rest only grows. */                                             \
	/* bytes of RAM that settling has saved */                             \
	X(SAVED, "settle_saved_bytes")                                         \
	/* blocks that settled, and that left clusters to be warm */           \
	X(SETTLED, "blocks_settled")                                           \
	X(WARMED, "blocks_warmed")                                             \
	/* hot blocks that were compressed, and that went before that */       \
	X(COOLED, "hot_blocks_compressed")                                     \
	X(SPARED, "hot_blocks_never_compressed")                               \
	X(HUGE_SINCE, "huge_blocks_since")                                     \
	X(FAILED_READS, "failed_reads")                                        \
	X(FAILED_WRITES, "failed_writes")                                      \
	/* blocks whose content did not verify */                              \
	X(CORRUPT, "corrupt_blocks")                                           \
	/* late writes of shared mappings that found no room */                \
	X(LATE_LOST, "late_writes_lost")                                       \
	/* blocks freed (zram's notify_free) */                                \
	X(FREED, "blocks_freed")                                               \
	X(READ_BLOCKS, "blocks_read")                                          \
	X(WRITTEN_BLOCKS, "blocks_written")

#define ZSFS_COUNTER_ENUM(name, json) ST_##name,
enum zsfs_stat { ZSFS_COUNTERS(ZSFS_COUNTER_ENUM) ST_NR };
#undef ZSFS_COUNTER_ENUM

/* Settings that only the mounter may give more than they have (ceiling.h). */
enum zsfs_ceiling {
	CEILING_SIZE,
	CEILING_MEM_LIMIT,
	CEILING_NR_INODES,
	CEILING_COMP,
	CEILING_DENSE,
	CEILING_SETTLE,
	CEILING_HOT,
	CEILING_NR,
};

#define ZSFS_NR_OPCODES 64

/*
 * A request that was being executed when a worker died of something that may
 * be the request's fault (takeover.h). Only changed in a takeover.
 */
struct zsfs_suspect {
	uint64_t unique;  /* 0 = free */
	uint64_t life;	  /* zsfs_super.life that was counted last */
	uint32_t crashes; /* deaths by its own fault, as far as one can tell */
	uint32_t kills;	  /* deaths without a cause, and without progress */
};

#define ZSFS_NR_SUSPECTS 16u

/* What nobody's request asks for (chore.h). */
enum zsfs_chore {
	CHORE_PRESSURE,
	CHORE_ALLOCATE,
	CHORE_USAGE,
	CHORE_REAP,
	CHORE_COOL,
	CHORE_WARM,
	CHORE_MAP,
	CHORE_VERIFY,
	CHORE_SETTLE,
	CHORE_LOG,
	CHORE_PACK,
	NR_CHORES
};

struct zsfs_super {
	uint64_t magic;
	uint32_t layout;
	uint32_t nr_slots;
	uint32_t inode_size;
	uint32_t slot_size;
	uint64_t root;	    /* address of the root directory's inode */
	uint64_t last_gen;  /* generation of the last inode; atomic */
	uint64_t reap_head; /* inodes with blocks to free; zsfs.reap_lock */
	uint64_t snap_head; /* snapshots of virtual files; zsfs.snap_lock */
	/* Nobody can guess these. */
	struct siphash_key name_key; /* of the directories' name hash */
	uint64_t seed;		     /* of the clusters' checksums */
	uint64_t salt; /* of generations, as the kernel knows them */
	/* Settings that can be changed live; written as single words. */
	uint64_t size_limit;  /* bytes of file content, 0 = none */
	uint64_t inode_limit; /* inodes, 0 = none */
	uint64_t comp;	      /* enum zcomp_alg | level << 8 */
	uint64_t dense;	      /* level of zstd for what settles */
	uint64_t settle;      /* seconds until then, or SETTLE_OFF */
	uint64_t hot;	      /* bytes; 0: none */
	/*
	 * What the arena held when the system was found short of memory
	 * (pressure.h), which new content must not exceed; 0 = it is not.
	 */
	uint64_t pressure_used;
	uint64_t mem_limit; /* bytes, as asked for; 0 = none */
	/*
	 * Bytes beyond mem_limit that users of the reserve may have, because
	 * more was in use already when it was set.
	 */
	uint64_t over_limit;
	uint64_t ceiling[CEILING_NR];
	/* Fixed by the mount. */
	uint32_t mount_uid; /* owner of the root and of control files */
	uint32_t mount_gid;
	uint64_t mounter_uid;  /* who made the mount */
	int64_t created;       /* seconds since the epoch */
	uint64_t atime;	       /* enum zsfs_atime, as asked for */
	uint64_t nodiratime;   /* not that of directories */
	uint64_t atime_is_own; /* no flag of the mount says so */
	uint64_t follow_cpu;   /* serve/readers.h */
	/*
	 * The kernel caches writes, and of regular files it is the one that
	 * knows size, mtime and ctime (serve/writeback.h).
	 */
	uint64_t writeback;
	uint64_t xattr;	    /* extended attributes are answered (ops_xattr.c) */
	uint64_t hidestats; /* statistics are their owners' alone */
	/* Comma separated: how the arena was made, and what means nothing. */
	char fixed_options[ZSFS_OPTIONS_SIZE];
	char idle_options[ZSFS_OPTIONS_SIZE];
	/* Deaths and what they were about; only changed in a takeover. */
	uint64_t life;	       /* of how many workers */
	uint64_t replies_seen; /* replies sent when the last one took over */
	uint64_t crashed;      /* a thread without a request of its own did */
	struct zsfs_suspect suspects[ZSFS_NR_SUSPECTS];
	/* The chore of a thread without a slot that crashed, + 1; 0: none. */
	uint64_t crashed_chore;
	uint32_t chore_crashes[NR_CHORES]; /* workers that each crashed */
	/* Pages that the last compaction gave back (zsfs_compact()). */
	uint64_t last_compact;
	/* What the last verification of structures said; "" = never run. */
	char verify_text[512];
	/* Until then not everybody may have it done again; clock_ms(). */
	uint64_t verify_rests;
	/* Of content, the last one: blocks so far, those that are damaged. */
	uint64_t scrubbed;
	uint64_t scrub_bad;
	/* Which these are, or why it did not come to its end; "" = neither. */
	char scrub_text[2048];
	/* Why the last write to a control file failed; "" = it did not. */
	char control_text[256];
	/* The FUSE_INIT exchange, as sent, for a successor. */
	uint32_t init_req_len;
	uint32_t init_reply_len;
	uint8_t init_req[256];
	uint8_t init_reply[128];
};

/* States of a slot's transaction (tx.h). */
enum tx_state {
	TX_IDLE = 0,
	TX_ACTIVE = 1,	  /* undo log open: a successor rolls back */
	TX_COMMITTED = 2, /* changes are permanent, frees not yet all done */
	/* The same, and reply[] answers the request: never execute it again. */
	TX_ANSWERED = 3,
};

#define TX_MAX_ALLOC 400u
#define TX_MAX_FREE  700u
#define TX_MAX_UNDO  2048u

/* Directories of a request, and inodes whose name it changes. */
#define ZSFS_TOUCHED_DIRS 2u
#define ZSFS_NR_TOUCHED	  4u

/* In the unique of a request that the kernel has sent before (Linux 6.9). */
#define UNIQUE_RESEND (UINT64_C(1) << 63)

struct zsfs_slot {
	uint64_t state; /* enum tx_state; the store of it is the commit */
	/*
	 * The request being executed. That one is in req[] at all is told by
	 * the length in its own header, which read(2) itself sets.
	 */
	uint64_t unique;
	uint32_t opcode;
	/*
	 * Bytes of the request, 0 = none. In req[], but for the content of a
	 * WRITE that has waited (serve/receive.h).
	 */
	uint32_t req_len;
	uint32_t reply_len; /* bytes in reply[], 0 = none */
	uint32_t executing; /* from the request's arrival to its answer */
	/*
	 * unique of the request that is done and that reply[] answers, 0 =
	 * none. Set with the commit, so a successor sends the answer instead
	 * of executing the request again.
	 */
	uint64_t done;
	uint32_t sending; /* the kernel may have had the answer already */
	uint32_t crashed; /* this thread made the process die */
	uint64_t chore;	  /* enum zsfs_chore + 1 that it is at, 0 = none */
	uint64_t replies; /* answers sent */
	/*
	 * Nodeids whose attributes the request changes behind the kernel's
	 * back, 0 = none: directories, then inodes that were renamed.
	 */
	uint64_t touched[ZSFS_NR_TOUCHED];
	uint64_t moved;	   /* bits: a directory that has another parent now */
	uint64_t reap;	   /* inode that this thread frees in steps, 0 = none */
	uint64_t nr_alloc; /* entries of alloc[] that may be in use */
	uint64_t nr_free;
	uint64_t alloc[TX_MAX_ALLOC]; /* refs taken, freed by rollback */
	uint64_t free[TX_MAX_FREE];   /* refs to free after the commit */
	int64_t stat[ST_NR];
	uint64_t requests[ZSFS_NR_OPCODES]; /* received, by opcode */
	struct undo_log undo;
	struct undo_entry undo_room[TX_MAX_UNDO];
	/* The background thread's slot, the last one, ends here. */
	uint8_t reply[ZSFS_REPLY_SIZE] __attribute__((aligned(4096)));
	uint8_t req[ZSFS_REQ_SIZE] __attribute__((aligned(4096)));
};

/* Bytes up to the next page. */
size_t layout_page_up(size_t n);

/*
 * Offsets in the root area, and its size: with @n slots with request buffers
 * and one without, the background thread's.
 */
size_t layout_pool_offset(void);
size_t layout_slots_offset(void);
size_t layout_snap_offset(unsigned n);
size_t layout_root_size(unsigned n);

#endif
