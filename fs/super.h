/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Superblock and request slots: the fixed part of a file system in its arena.
 *
 * The arena's root area holds, in this order: struct zsfs_super, the pool's
 * root, and one struct zsfs_slot per thread. Everything here survives the
 * process; a change of any struct in this file, in inode.h, dentry.h or
 * block_table.h changes the layout and must bump ZSFS_LAYOUT.
 */
#ifndef FS_SUPER_H
#define FS_SUPER_H

#include <stdint.h>

#include "arena.h"
#include "undo.h"

#define ZSFS_MAGIC  UINT64_C(0x31303073667a735a)
#define ZSFS_LAYOUT 1u

#define ZSFS_BLOCK_SIZE  4096u
#define ZSFS_BLOCK_SHIFT 12
#define ZSFS_MAX_WRITE   (1u << 20)
#define ZSFS_MAX_BLOCKS  (ZSFS_MAX_WRITE / ZSFS_BLOCK_SIZE)
#define ZSFS_NAME_MAX    255u

/* Request and recorded-reply buffers of a slot. */
#define ZSFS_REQ_SIZE   (ZSFS_MAX_WRITE + 2 * ARENA_PAGE_SIZE)
#define ZSFS_REPLY_SIZE (64u << 10)

/*
 * Counters that a transaction changes, one cell per slot: only the slot's
 * thread writes its cell, and the sum over all slots is the value. Single
 * cells may be negative.
 */
enum zsfs_stat {
	ST_BLOCKS,      /* blocks that files hold (not holes) */
	ST_INODES,      /* inodes that are not being reaped, root included */
	ST_OBJS,        /* blocks kept as pool objects */
	ST_COMPR_BYTES, /* their payload bytes */
	ST_SAME,        /* same-filled blocks, zero included */
	ST_HUGE,        /* blocks stored raw */
	/* The rest only grows. */
	ST_HUGE_SINCE,
	ST_FAILED_READS,
	ST_FAILED_WRITES,
	ST_CORRUPT, /* blocks whose content did not verify */
	ST_LATE_LOST, /* late writes of shared mappings that found no room */
	ST_FREED,   /* blocks freed (zram's notify_free) */
	ST_READ_BLOCKS,
	ST_WRITTEN_BLOCKS,
	ST_NR,
};

#define ZSFS_NR_OPCODES 64

struct zsfs_super {
	uint64_t magic;
	uint32_t layout;
	uint32_t nr_slots;
	uint32_t inode_size;
	uint32_t slot_size;
	uint64_t root;     /* address of the root directory's inode */
	uint64_t next_gen; /* generation of the next inode; atomic */
	uint64_t reap_head; /* inodes with blocks to free; zsfs.reap_lock */
	uint64_t snap_head; /* snapshots of virtual files; zsfs.snap_lock */
	uint64_t snap_next; /* number of the next snapshot; zsfs.snap_lock */
	uint64_t seed;      /* of the directories' name hash */
	/* Settings that can be changed live; written as single words. */
	uint64_t size_limit;  /* bytes of file content, 0 = none */
	uint64_t inode_limit; /* inodes, 0 = none */
	uint64_t comp;        /* enum zcomp_alg | level << 8 */
	/* Fixed by the mount. */
	uint32_t mount_uid; /* owner of the root and of control files */
	uint32_t mount_gid;
	int64_t created; /* seconds since the epoch */
	/* The FUSE_INIT exchange, as sent, for a successor. */
	uint32_t init_req_len;
	uint32_t init_reply_len;
	uint8_t init_req[256];
	uint8_t init_reply[128];
};

/* States of a slot's transaction (tx.h). */
enum tx_state {
	TX_IDLE = 0,
	TX_ACTIVE = 1,    /* undo log open: a successor rolls back */
	TX_COMMITTED = 2, /* changes are permanent, frees not yet all done */
};

#define TX_MAX_ALLOC 400u
#define TX_MAX_FREE  700u
#define TX_MAX_UNDO  2048u

struct zsfs_slot {
	uint64_t state; /* enum tx_state; the store of it is the commit */
	/* The request being executed, for recorded replies. */
	uint64_t unique;
	uint32_t opcode;
	uint32_t req_len; /* bytes in req[], 0 = none read */
	uint32_t reply_len; /* recorded reply, 0 = none */
	uint32_t pad;
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

#endif
