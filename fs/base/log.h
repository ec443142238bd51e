/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages: to stderr until the daemon goes to the background, then to syslog.
 */
#ifndef FS_LOG_H
#define FS_LOG_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Levels as syslog(3): LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG.
 */
void zsfs_log(int level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Lines shown from one place in the program in so many milliseconds. */
#define LOG_BURST	5u
#define LOG_INTERVAL_MS 1000u

/* The state of one such place; all zero at first. Private to log.c. */
struct log_ratelimit {
	uint64_t begun; /* when the interval did, in milliseconds; 0 = never */
	unsigned shown; /* in this interval */
	unsigned left_out; /* since the last one that was shown */
	int level;
	struct log_ratelimit *next; /* of the places that left something out */
	char last[128];		    /* of those left out */
};

/*
 * For what others can cause as often as they like, as the kernel's
 * printk_ratelimited(): no more than LOG_BURST lines in an interval; the next
 * one says how many were left out before it. Any thread.
 */
#define zsfs_log_ratelimited(level, ...)                                       \
	do {                                                                   \
		static struct log_ratelimit rl_;                               \
		zsfs_log_limited(&rl_, (level), __VA_ARGS__);                  \
	} while (0)

void zsfs_log_limited(struct log_ratelimit *rl, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Say how many lines were left out that no other line has told of yet; with
 * @all, also where the interval has not ended.
 */
void zsfs_log_left_out(bool all);

/* Also show LOG_DEBUG. */
void zsfs_log_debug(bool on);

/*
 * From now on to syslog instead of stderr. Who cannot open anything any more by
 * then calls syslog_socket_open() in time.
 */
void zsfs_log_to_syslog(void);

#endif
