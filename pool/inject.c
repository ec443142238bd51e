/* SPDX-License-Identifier: BSD-3-Clause */
/* The hooks that tests set to kill the process or to make memory run out. */
#include "inject.h"

#include <stddef.h>

#if ZS_DEBUG_LEVEL >= 1
void (*zs_crash_hook)(void);
bool (*zs_fail_hook)(void);
#else
/* A file must not be empty in ISO C. */
typedef int inject_unused;
#endif
