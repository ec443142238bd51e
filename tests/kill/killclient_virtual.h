/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: zsfs's virtual files. */
#ifndef KILLCLIENT_VIRTUAL_H
#define KILLCLIENT_VIRTUAL_H

/* Read or write one of those in @root. */
void virtual_use(const char *root);

#endif
