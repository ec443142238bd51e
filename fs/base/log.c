/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages to stderr or syslog (see log.h). */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "clock.h"
#include "syslog_socket.h"
#include "textbuf.h"

#define MAX_LINE 1024

/* Set before threads are started, or by a single store. */
static bool show_debug;
static bool use_syslog;

/* Protects every struct log_ratelimit, and the list of those with lines to
 * tell. */
static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_ratelimit *silent;

void zsfs_log_debug(bool on)
{
	show_debug = on;
}

void zsfs_log_to_syslog(void)
{
	syslog_socket_open(NULL);
	use_syslog = true;
}

static const char *level_word(int level)
{
	if (level <= LOG_ERR)
		return "error: ";
	if (level == LOG_WARNING)
		return "warning: ";
	return level == LOG_DEBUG ? "debug: " : "";
}

static void to_stderr(int level, const char *text)
{
	char line[MAX_LINE + 32];
	int n = snprintf(line, sizeof(line), "zsfs: %s%s\n", level_word(level),
			 text);

	/* In one call, so that messages of several threads do not mix. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nobody is left to tell */
}

static void show(int level, char *text)
{
	if (level >= LOG_DEBUG && !show_debug)
		return;
	text_make_harmless(text);
	if (use_syslog)
		syslog_socket_send(level, text);
	else
		to_stderr(level, text);
}

void zsfs_log(int level, const char *fmt, ...)
{
	char text[MAX_LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	show(level, text);
}

/* ---- limited ---- */

static bool interval_is_over(const struct log_ratelimit *rl)
{
	return !rl->begun || clock_ms() - rl->begun >= LOG_INTERVAL_MS;
}

static void leave_out_locked(struct log_ratelimit *rl, int level,
			     const char *text)
{
	if (!rl->left_out++) {
		rl->next = silent;
		silent = rl;
	}
	rl->level = level;
	snprintf(rl->last, sizeof(rl->last), "%.*s", (int)sizeof(rl->last) - 1,
		 text);
}

/* How many were left out; now they have been told of. */
static unsigned take_left_out_locked(struct log_ratelimit *rl)
{
	struct log_ratelimit **link = &silent;
	unsigned n = rl->left_out;

	if (!n)
		return 0;
	while (*link != rl)
		link = &(*link)->next;
	*link = rl->next;
	rl->left_out = 0;
	return n;
}

/* May one more be shown? Then *@left_out were left out before it. */
static bool may_show(struct log_ratelimit *rl, int level, const char *text,
		     unsigned *left_out)
{
	bool may;

	pthread_mutex_lock(&limit_lock);
	if (interval_is_over(rl)) {
		rl->begun = clock_ms();
		rl->shown = 0;
	}
	may = rl->shown < LOG_BURST;
	if (may) {
		rl->shown++;
		*left_out = take_left_out_locked(rl);
	} else {
		leave_out_locked(rl, level, text);
	}
	pthread_mutex_unlock(&limit_lock);
	return may;
}

void zsfs_log_limited(struct log_ratelimit *rl, int level, const char *fmt, ...)
{
	char text[MAX_LINE];
	unsigned left_out;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || !may_show(rl, level, text, &left_out))
		return;
	if (left_out && (size_t)n < sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n,
			 " (%u lines like this left out before)", left_out);
	show(level, text);
}

static struct log_ratelimit *find_silent_locked(bool all)
{
	struct log_ratelimit *rl = silent;

	while (rl && !all && !interval_is_over(rl))
		rl = rl->next;
	return rl;
}

void zsfs_log_left_out(bool all)
{
	struct log_ratelimit *rl;
	char text[MAX_LINE];
	int level = LOG_NOTICE;

	do {
		pthread_mutex_lock(&limit_lock);
		rl = find_silent_locked(all);
		if (rl) {
			level = rl->level;
			snprintf(text, sizeof(text),
				 "%s (the last of %u lines left out)", rl->last,
				 take_left_out_locked(rl));
		}
		pthread_mutex_unlock(&limit_lock);
		if (rl)
			show(level, text);
	} while (rl);
}
