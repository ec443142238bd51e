/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In place of what takes long, or is never twice the same: for a target that is
 * one thread and links with the --wrap options of meson.build.
 *
 * Requests have nobody who takes answers over. Time is a count, which each look
 * advances.
 */
#ifndef TESTS_FUZZ_STAND_INS_H
#define TESTS_FUZZ_STAND_INS_H

#include <stdint.h>

/* Time begins, the same each time; a look takes some microseconds. */
void time_begin(void);
void time_pass(uint64_t us);
/* From now on a look takes @us. */
void time_set_look(uint64_t us);

#endif
