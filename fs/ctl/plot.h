/* SPDX-License-Identifier: BSD-3-Clause */
/* A picture of the pool: classes by how full their zspages are. */
#ifndef FS_CTL_PLOT_H
#define FS_CTL_PLOT_H

#include <stdio.h>

struct fullness;

/* Write an SVG that is readable on white and on dark. */
void plot(FILE *to, const struct fullness *f, const char *title);

#endif
