/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages to stderr or syslog (see log.h). */
#include "log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define MAX_LINE 1024

/* Set before threads are started, or by a single store. */
static bool show_debug;
static bool use_syslog;

void zsfs_log_debug(bool on)
{
	show_debug = on;
}

void zsfs_log_to_syslog(void)
{
	openlog("zsfs", LOG_PID, LOG_DAEMON);
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

/* One message is one line, whatever names of files are in it. */
static void make_harmless(char *text)
{
	for (; *text; text++) {
		if (iscntrl((unsigned char)*text))
			*text = '?';
	}
}

static void to_stderr(int level, const char *text)
{
	char line[MAX_LINE + 32];
	int n = snprintf(line, sizeof(line), "zsfs: %s%s\n", level_word(level),
			 text);
	ssize_t done;

	/* In one call, so that messages of several threads do not mix. */
	done = write(STDERR_FILENO, line, (size_t)n);
	(void)done; /* nobody is left to tell */
}

void zsfs_log(int level, const char *fmt, ...)
{
	char text[MAX_LINE];
	va_list ap;

	if (level >= LOG_DEBUG && !show_debug)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	make_harmless(text);
	if (use_syslog)
		syslog(level, "%s", text);
	else
		to_stderr(level, text);
}
