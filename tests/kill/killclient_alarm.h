/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: the signals that interrupt a worker's calls. */
#ifndef KILLCLIENT_ALARM_H
#define KILLCLIENT_ALARM_H

#include <stdbool.h>

void alarm_start(unsigned interval_us, bool restart); /* with SA_RESTART */
/* None in between; where none were started, these do nothing. */
void alarm_block(void);
void alarm_unblock(void);

#endif
