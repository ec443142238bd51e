/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers as people read them (see format.h). */
#include "format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *missing(char *text)
{
	return strcpy(text, "-");
}

/* Three digits and a letter, of powers of @base. */
static const char *shorten(char *text, double n, double base,
			   const char *letters)
{
	while (n >= 999.5 && letters[1]) {
		n /= base;
		letters++;
	}
	snprintf(text, FORMAT_SIZE, "%.*f%.1s", n < 99.95 ? 1 : 0, n, letters);
	return text;
}

const char *format_number(char *text, int64_t n)
{
	if (n < 0)
		return missing(text);
	snprintf(text, FORMAT_SIZE, "%" PRId64, n);
	return text;
}

const char *format_size(char *text, int64_t n, bool bytes)
{
	if (n < 0 || bytes)
		return format_number(text, n);
	if (n < 1000) {
		snprintf(text, FORMAT_SIZE, "%" PRId64 "B", n);
		return text;
	}
	return shorten(text, (double)n / 1024, 1024, "KMGTPE");
}

const char *format_count(char *text, int64_t n)
{
	if (n < 1000)
		return format_number(text, n);
	if (n >= 1000000)
		return shorten(text, (double)n / 1e6, 1000, "MGTPE");
	snprintf(text, FORMAT_SIZE, "%d,%03d", (int)(n / 1000),
		 (int)(n % 1000));
	return text;
}

const char *format_plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

const char *format_percent(char *text, double percent)
{
	if (percent < 0)
		return missing(text);
	snprintf(text, FORMAT_SIZE, "%.*f%%",
		 percent > 0 && percent < 9.95 ? 1 : 0, percent);
	return text;
}

const char *format_ratio(char *text, double ratio)
{
	if (ratio < 0)
		return missing(text);
	snprintf(text, FORMAT_SIZE, "%.2f", ratio);
	return text;
}

const char *format_age(char *text, int64_t secs)
{
	if (secs < 0)
		return missing(text);
	if (secs < 60)
		snprintf(text, FORMAT_SIZE, "%d s", (int)secs);
	else if (secs < 3600)
		snprintf(text, FORMAT_SIZE, "%d min", (int)secs / 60);
	else if (secs < 48 * 3600)
		snprintf(text, FORMAT_SIZE, "%d h %d min", (int)secs / 3600,
			 (int)secs / 60 % 60);
	else
		snprintf(text, FORMAT_SIZE, "%" PRId64 " days", secs / 86400);
	return text;
}

/* What is there at all has at least one character. */
static int filled(double percent, int width)
{
	int n = (int)(percent * width / 100 + 0.5);

	if (percent > 0 && n == 0)
		n = 1;
	return n < 0 ? 0 : n > width ? width : n;
}

const char *format_bar(char *text, double percent, int width, bool utf8)
{
	int full;
	char *to = text;

	width = width > MAX_BAR ? MAX_BAR : width;
	full = filled(percent, width);
	for (int i = 0; i < width; i++)
		to = stpcpy(to,
			    i < full ? (utf8 ? "█" : "#") : (utf8 ? "░" : "."));
	*to = '\0';
	return text;
}
