/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Extended attributes of one inode, as they are stored.
 *
 * An inode has one ref, zinode.xattrs, to a chain of nodes; without attributes
 * it is 0 and nothing else is there. A node is a slab buffer just large enough
 * for the entries in it, so that a few small attributes share one buffer, and
 * an inode has a second node only when they do not fit into a page. An entry is
 * name and value; a value of more than XATTR_INLINE_MAX bytes lies apart, in a
 * slab buffer or a run of pages, and the entry has its ref.
 *
 * A node's entries do not change, but for a permission mask (xattr_patch()): a
 * new attribute makes a new node with what was in the old one. An entry that is
 * removed is only marked, and the node goes with its last one: so removing
 * takes no memory, and at most four words of the undo log.
 *
 * Everything here is counted as memory of the arena, and as nothing else. The
 * caller holds the inode's lock, exclusive for changes.
 */
#ifndef FS_XATTR_SET_H
#define FS_XATTR_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct tx;
struct zinode;

#define XATTR_NAME_BYTES  255u	 /* longest name, as the kernel has it */
#define XATTR_VALUE_BYTES 65536u /* largest value */
#define XATTR_LIST_BYTES                                                       \
	65536u /* of all names of an inode, each with a NUL                    \
		*/
#define XATTR_INLINE_MAX 512u

/* What a write, a cut and a chown take. */
#define XATTR_CAPS "security.capability"

/* An attribute, in the arena; valid until the next change. */
struct xattr {
	const char *name; /* not terminated */
	size_t name_len;
	void *value;
	size_t size;
};

/* Find the attribute @name of @i. False: there is none. */
bool xattr_find(const struct zinode *i, const char *name, struct xattr *out);

/*
 * Call @fn for every attribute of @i until it returns non-zero, which is then
 * returned (0 otherwise).
 */
int xattr_for_each(const struct zinode *i,
		   int (*fn)(const struct xattr *x, void *arg), void *arg);

/*
 * Give @i the attribute @name of @size bytes at @value, in place of the one it
 * may have. Name and size are no longer than allowed. With the policy of @tx,
 * and as an overwrite where the value gets no larger. 0, -ENOSPC (no memory
 * under the limit, or the names get longer than XATTR_LIST_BYTES), -ENOMEM;
 * then the transaction has to be aborted.
 */
int xattr_put(struct tx *tx, struct zinode *i, const char *name,
	      const void *value, size_t size);

/* Take @name from @i; false when there is none. Never fails. */
bool xattr_drop(struct tx *tx, struct zinode *i, const char *name);

/* Change @len bytes at @off of the value of @x in place. */
void xattr_patch(struct tx *tx, const struct xattr *x, size_t off,
		 const void *src, size_t len);

/* May all be freed in a transaction that has room for little else? */
bool xattr_are_few(const struct zinode *i);

/*
 * Free attributes of @i, which has ended, as far as there is room in @tx. True
 * when none is left.
 */
bool xattr_free(struct tx *tx, struct zinode *i);

/*
 * Check the chain of @i, which may be damaged. Calls @holds for every piece of
 * memory in it, with its ref and the bytes asked for. What is wrong, or NULL.
 */
const char *xattr_verify(const struct arena *a, const struct zinode *i,
			 void (*holds)(uint64_t ref, size_t size, void *arg),
			 void *arg);
/* That no name is there twice, of a sound chain. Takes 80 KiB of the stack. */
const char *xattr_verify_names(const struct zinode *i);

#endif
