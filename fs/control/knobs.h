/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Knobs: the files of .zsctl, one row each.
 *
 * X(ID, name, kind, mode) is the file "name" with the id VF_ID and the
 * permissions @mode. control.c has its meaning: read_name() renders the text,
 * write_name() executes what was written. Kinds:
 *
 * VALUE    a line of text is a value, which write_name() takes or refuses
 * TRIGGER  whatever is written starts long work, one at a time
 */
#ifndef FS_KNOBS_H
#define FS_KNOBS_H

/* clang-format off */
#define CONTROL_KNOBS(X)                                                       \
	X(COMPACT,         compact,         TRIGGER, 0600)                     \
	X(COMP_ALGORITHM,  comp_algorithm,  VALUE,   0600)                     \
	X(SIZE,            size,            VALUE,   0600)                     \
	X(MEM_LIMIT,       mem_limit,       VALUE,   0600)                     \
	X(NR_INODES,       nr_inodes,       VALUE,   0600)                     \
	X(MEM_USED_MAX,    mem_used_max,    VALUE,   0600)                     \
	X(VERIFY,          verify,          TRIGGER, 0600)                     \
	X(LAST_CMD_STATUS, last_cmd_status, VALUE,   0400)
/* clang-format on */

#endif
