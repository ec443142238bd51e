/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing on a screen of ncurses, of whatever size it is. */
#ifndef FS_CTL_SCREEN_H
#define FS_CTL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

enum ink { INK_PLAIN, INK_HEAD, INK_GOOD, INK_ODD, INK_BAD, INK_FAINT };

/* Where there is none that ncurses knows. */
#define SCREEN_NEEDED "top needs a terminal; \"zsctl list\" does without"

/* CTL_OK, or CTL_FAILED after a message. */
int screen_begin(void);
void screen_end(void);

int screen_lines(void);
int screen_columns(void);

/* Begin and end drawing: between them everything is written anew. */
void screen_clear(void);
void screen_show(void);

/*
 * Text at a place. What is beyond the screen is left out. Returns the column
 * behind it.
 */
int screen_put(int y, int x, enum ink ink, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * A name in @width columns, cut to them at its left or with blanks behind it.
 */
int screen_put_name(int y, int x, enum ink ink, int width, const char *name);

/*
 * A key, or -1 after @msecs without one, or when a signal or another size of
 * the terminal ended the wait.
 */
#define KEY_ESCAPE 27
enum { SCREEN_UP = 1000, SCREEN_DOWN, SCREEN_ENTER, SCREEN_RESIZED };
int screen_key(int msecs);

/* How many columns a name takes. */
int screen_width(const char *name);

/* Characters for values between nothing and all, the lowest first. */
const char *screen_level(double share, bool utf8);

#endif
