/* SPDX-License-Identifier: BSD-3-Clause */
/* Text for a terminal (see text.h). */
#include "text.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* Those from U+0080 on, in UTF-8: terminals obey them, too. */
static bool is_high_control(const unsigned char *c)
{
	return c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;
}

char *text_clean(char *text, char keep)
{
	for (char *c = text; *c; c++) {
		if (is_high_control((unsigned char *)c))
			c[0] = c[1] = '?';
		else if (is_control((unsigned char)*c) && *c != keep)
			*c = '?';
	}
	return text;
}

const char *text_shown(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text);
	return text_clean(to, '\0');
}

/* The first character of @text, and of how many bytes it is. */
static size_t first(wchar_t *to, const char *text)
{
	mbstate_t state = {0};
	size_t n = mbrtowc(to, text, strnlen(text, MB_CUR_MAX), &state);

	if (n == (size_t)-1 || n == (size_t)-2) {
		*to = L'?';
		return 1;
	}
	if (wcwidth(*to) < 0)
		*to = L'?';
	return n;
}

void text_wide(wchar_t *to, size_t room, const char *text)
{
	for (; *text && room > 1; room--)
		text += first(to++, text);
	*to = L'\0';
}

int text_columns(const wchar_t *text)
{
	int columns;

	text_fitting(text, INT_MAX, &columns);
	return columns;
}

void text_cut_left(wchar_t *text, int room, const wchar_t *mark)
{
	size_t len = wcslen(mark);
	const wchar_t *rest = text + len; /* no more come than go */

	if (text_columns(text) <= room || wcslen(text) < len)
		return;
	room -= text_columns(mark);
	while (*rest && text_columns(rest) > room)
		rest++;
	wmemmove(text + len, rest, wcslen(rest) + 1);
	wmemcpy(text, mark, len);
}

int text_fitting(const wchar_t *text, int room, int *columns)
{
	int n = 0;

	*columns = 0;
	for (; text[n]; n++) {
		int w = wcwidth(text[n]);

		if (*columns + w > room)
			break;
		*columns += w;
	}
	return n;
}
