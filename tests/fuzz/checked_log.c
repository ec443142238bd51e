/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In place of log.c, which would fill the terminal: messages are made, and
 * those that may come often are short. For targets that link with
 * --wrap=zsfs_log,--wrap=zsfs_log_limited.
 */
#include <stdarg.h>

#include "base/log.h"
#include "fuzz.h"

void __wrap_zsfs_log(int level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void __wrap_zsfs_log_limited(struct log_ratelimit *rl, int level,
			     const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

void __wrap_zsfs_log(int level, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	FUZZ_CHECK(vsnprintf(text, sizeof(text), fmt, ap) >= 0);
	va_end(ap);
}

void __wrap_zsfs_log_limited(struct log_ratelimit *rl, int level,
			     const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	FUZZ_CHECK(vsnprintf(text, sizeof(text), fmt, ap) < 600);
	va_end(ap);
}
