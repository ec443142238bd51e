/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers as people read them. What is missing (negative) is "-". */
#ifndef FS_CTL_FORMAT_H
#define FS_CTL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORMAT_SIZE 48u

/* Every function with a @text fills FORMAT_SIZE bytes and returns it. */

/* "1.2G", or all digits with @bytes. */
const char *format_size(char *text, int64_t n, bool bytes);

/* "12345" */
const char *format_number(char *text, int64_t n);

/* "12,345", or shorter from a million on: "1.2M" */
const char *format_count(char *text, int64_t n);

/* What @n of something end with: "s", or nothing for one. */
const char *format_plural(int64_t n);

/* "46 %", with one digit behind the point below 10 */
const char *format_percent(char *text, double percent);

/* "1.86" */
const char *format_ratio(char *text, double ratio);

/* "3 min", "2 h 5 min", "4 days" */
const char *format_age(char *text, int64_t secs);

/*
 * A bar of @width characters for @percent, in UTF-8 or ASCII. @text has room
 * for FORMAT_BAR bytes, which is enough for MAX_BAR characters.
 */
#define MAX_BAR	   60
#define FORMAT_BAR (3 * MAX_BAR + 1)
const char *format_bar(char *text, double percent, int width, bool utf8);

#endif
