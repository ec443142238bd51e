/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Allocations that fail, and deaths of the process, where an input says so.
 * Only with debug level 1 and above. A death is a jump: what the process had
 * locked outside of the file system is unlocked, the rest is left as it is.
 */
#ifndef TESTS_FUZZ_INJECT_INPUT_H
#define TESTS_FUZZ_INJECT_INPUT_H

#include <stdbool.h>

/* The @n'th allocation from now on fails, then each @each'th; 0: none. */
void inject_failures(unsigned n, unsigned each);
/* The same with the crash points that are passed, a few times at most. */
void inject_deaths(unsigned n, unsigned each);
/* Call @fn; nothing goes wrong, or is counted, in it. */
void inject_not_in(void (*fn)(void));
/* Nothing more happens. */
void inject_nothing(void);

/* Call @fn. Did it live to its end? Can be nested. */
bool inject_survived(void (*fn)(void));
/* The same in a thread of its own, which nothing of others is left in. */
bool inject_life(void (*fn)(void));

#endif
