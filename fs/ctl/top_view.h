/* SPDX-License-Identifier: BSD-3-Clause */
/* The two views of top. */
#ifndef FS_CTL_TOP_VIEW_H
#define FS_CTL_TOP_VIEW_H

#include <stddef.h>

struct history;

/* All about one mount. */
void top_view_one(const struct history *h, double delay);

/* A row for each; @selected is marked. */
void top_view_all(const struct history *h, size_t nr, size_t selected,
		  double delay);

#endif
