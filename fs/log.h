/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages: to stderr until the daemon goes to the background, then to syslog.
 */
#ifndef FS_LOG_H
#define FS_LOG_H

#include <stdbool.h>

/* Levels as syslog(3): LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG. */
void zsfs_log(int level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Also show LOG_DEBUG. */
void zsfs_log_debug(bool on);

/* From now on to syslog instead of stderr. */
void zsfs_log_to_syslog(void);

#endif
