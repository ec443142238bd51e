/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text buffer: formatted text into a fixed room, with one check at the end. And
 * text that others have a part in.
 */
#ifndef FS_TEXTBUF_H
#define FS_TEXTBUF_H

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct textbuf {
	char *text;  /* always terminated */
	size_t size; /* > 0 */
	size_t len;
	bool full; /* something did not fit: text ends before it */
};

static inline void textbuf_init(struct textbuf *t, char *room, size_t size)
{
	*t = (struct textbuf){.text = room, .size = size};
	room[0] = '\0';
}

/* Append; a text that does not fit is left out whole, and all that follow. */
__attribute__((format(printf, 2, 3))) static inline void textbuf_add(
	struct textbuf *t, const char *fmt, ...)
{
	size_t left = t->size - t->len;
	va_list ap;
	int n;

	if (t->full)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->text + t->len, left, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= left) {
		t->text[t->len] = '\0';
		t->full = true;
		return;
	}
	t->len += (size_t)n;
}

/* The length, or -ENOSPC when something did not fit. */
static inline int textbuf_end(const struct textbuf *t)
{
	return t->full ? -ENOSPC : (int)t->len;
}

/* Have @text be one line that no terminal obeys, whatever others put in it. */
static inline void text_make_harmless(char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

#endif
