/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What goes on between two requests: work of the background, many files and
 * objects at once, time that passes, and what is to go wrong from now on.
 */
#ifndef TESTS_FUZZ_REQUEST_CHORES_H
#define TESTS_FUZZ_REQUEST_CHORES_H

#include "request_input.h"

struct zsfs;

void chore_verify(struct zsfs *fs);
void chore_do(struct zsfs *fs, const struct input_chore *c);

#endif
