/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether who waits for something has been told to end. */
#ifndef FS_ENDING_H
#define FS_ENDING_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Does a signal wait for thread @tid, as seen from here, that is sent to end a
 * process: HUP, INT, QUIT, TERM, KILL, whether it handles that or not? Others
 * come to who goes on, such as CHLD. True of one that is not visible.
 */
bool thread_is_ending(uint32_t tid);

#endif
