/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text for a terminal, such as names: who has made them may want to command the
 * terminal of root's.
 */
#ifndef FS_CTL_TEXT_H
#define FS_CTL_TEXT_H

#include <stddef.h>
#include <wchar.h>

/* Control characters become '?' but for @keep, or 0. Returns @text. */
char *text_clean(char *text, char keep);

/* The same of a copy in @to, cut to @size bytes. */
const char *text_shown(char *to, size_t size, const char *text);

/*
 * @text in the characters of the locale, at most @room with the 0 at the end.
 * What is none, or cannot be seen, is '?', byte by byte.
 */
void text_wide(wchar_t *to, size_t room, const char *text);

/*
 * Cut @text to @room columns at its left, where @mark is put; what fits stays.
 * Of a path the end tells more than the beginning.
 */
void text_cut_left(wchar_t *text, int room, const wchar_t *mark);

/* How many of these characters fit into @room columns, and how many they take.
 */
int text_fitting(const wchar_t *text, int room, int *columns);

/* How many columns @text takes. */
int text_columns(const wchar_t *text);

#endif
