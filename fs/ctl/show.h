/* SPDX-License-Identifier: BSD-3-Clause */
/* zsctl show: one page about a mount, for people. */
#ifndef FS_CTL_SHOW_H
#define FS_CTL_SHOW_H

#include <stdbool.h>

struct stats;

/* Print the page; what is missing in @s is "-". @at is the mountpoint. */
void show_print(const struct stats *s, const char *at, bool bytes);

#endif
