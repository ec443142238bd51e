/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An arena with a small file system that a worker died in, and damage to it.
 *
 * It is made once. A request was being executed (its transaction is open), one
 * was answered, and FORGETs are half done. Each time it is put into the file
 * anew, and then damaged as the bytes of a fuzzer say: a row of records of 8,
 *
 *   kind, how: a byte each; where, at, value: two bytes each
 *
 * Damage is done before the successor attaches, or, as how says, after that,
 * as with a standby, which has attached long before the worker dies. What is
 * damaged is one of these kinds; what may come of it is promised:
 *
 *   content    the stored bytes of a block, or of a piece of a cluster
 *   checksum   the word that an object is held against
 *   head       what else stands before an object: its handle
 *   cell       of a handle: where the object is, its size and its tag
 *   cluster    the descriptor of a cluster
 *   header     what the arena begins with
 *   thread     a thread's log in the arena, and what it is about to own
 *   pool       what the pool begins with
 *   super      the superblock
 *   slot       of a transaction: its state, logs and lists
 *   request    the request in a slot, and its answer
 *   meta       all else, when it was taken over: inodes, names, tables,
 *              descriptors of pages, maps and lists of segments
 *   free cell  of a handle that no object has
 *   free chunk the link to the next free chunk of a zspage
 *   snapshot   what is known of one
 *   value      of an attribute
 *   leaf       one flipped bit in a slot of a file's table, but of one word
 *   link       one in what leads to a node of it: a link, or the root
 *
 * What says of itself what is to be undone or freed has no checksum, and what
 * it says may be what a worker can die with: refs in the lists of a slot and
 * its state, and entries and length of a log. Nothing is promised of content
 * then but after a check.
 */
#ifndef TESTS_FUZZ_DAMAGE_H
#define TESTS_FUZZ_DAMAGE_H

#include <stddef.h>
#include <stdint.h>

#define DAMAGE_RECORD 8u

enum promise {
	/* All goes on; a read gives what was written, or EIO. */
	PROMISE_ALL,
	/*
	 * All goes on, also if it does not verify: a read gives what was
	 * written, or EIO. A change may be EIO or take the content of another
	 * block away; memory may be lost, but pool and arena stay sound.
	 */
	PROMISE_CONTENT,
	/*
	 * Reads do, at once; for the rest it is first to be verified. Where a
	 * request was at what was hit it may be refused.
	 */
	PROMISE_READS,
	/*
	 * It is refused, or serves, also if it does not verify: names may be
	 * missing and calls fail, but what is read was written.
	 */
	PROMISE_SERVES,
	/*
	 * It is refused, or goes on if it verifies. What checksums do not cover
	 * may have changed.
	 */
	PROMISE_REFUSAL,
	/* To verify it ends, and says what is wrong or works with what it is.
	 */
	PROMISE_VERIFY,
};

#define NR_FILES  13u
#define FILE_SIZE (40u * 4096)
/* The last file has holes, room, and more slots than a leaf. */
#define LARGE_SIZE (70u * 4096)

/* Those in the root, by number; the rest of what is there is not looked at. */
struct damage_file {
	char name[8];
	size_t size;
	uint8_t data[LARGE_SIZE];
};

extern struct damage_file damage_files[NR_FILES];

/*
 * Put the arena into a file, damaged by @size bytes of records, but for those
 * of meta; *@promise is the least that each of them leaves. The file's
 * descriptor, which stays ours.
 */
int damage_make(const uint8_t *data, size_t size, enum promise *promise);
/* It is attached to: damage it by what is to come then. */
enum promise damage_attached(const uint8_t *data, size_t size);
/* It is in use: damage it by the records of meta, too. */
enum promise damage_in_use(const uint8_t *data, size_t size);

#endif
