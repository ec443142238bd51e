/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Environment variables. Those of who mounts may be secrets (tokens of a
 * shell), and who has got hold of a worker could read them where the kernel
 * keeps them, /proc/PID/environ.
 */
#ifndef FS_ENV_VARS_H
#define FS_ENV_VARS_H

#include <stdbool.h>

/*
 * Have a copy of the variables in their place. Once, before threads are
 * started. False: there is no memory for it.
 */
bool env_vars_move(void);

/*
 * Forget all but what the daemon, and the programs that it starts, have a use
 * for; with a copy, overwrite all where they were. Before there is a title in
 * that place (proctitle_set()).
 */
void env_vars_wipe(void);

#endif
