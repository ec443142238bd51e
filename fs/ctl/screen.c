/* SPDX-License-Identifier: BSD-3-Clause */
/* The screen (see screen.h). The only file that knows ncurses. */
#include "screen.h"

#include <curses.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define MAX_LINE 512

static SCREEN *screen;

bool screen_begin(void)
{
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return false;
	cbreak();
	noecho();
	keypad(stdscr, true);
	set_escdelay(50);
	curs_set(0);
	if (has_colors() && !getenv("NO_COLOR")) {
		start_color();
		use_default_colors();
		init_pair(INK_GOOD, COLOR_GREEN, -1);
		init_pair(INK_ODD, COLOR_YELLOW, -1);
		init_pair(INK_BAD, COLOR_RED, -1);
	}
	return true;
}

void screen_end(void)
{
	endwin();
	delscreen(screen);
}

int screen_lines(void)
{
	return LINES;
}

int screen_columns(void)
{
	return COLS;
}

void screen_clear(void)
{
	erase();
}

void screen_show(void)
{
	refresh();
}

static attr_t attributes(enum ink ink)
{
	switch (ink) {
	case INK_PLAIN:
		return A_NORMAL;
	case INK_HEAD:
		return A_BOLD;
	case INK_FAINT:
		return A_DIM;
	default:
		return (attr_t)COLOR_PAIR(ink);
	}
}

/* How many of these characters fit into @room columns. */
static int fitting(const wchar_t *text, int room, int *columns)
{
	int n = 0;

	*columns = 0;
	for (; text[n]; n++) {
		int w = wcwidth(text[n]);

		if (w < 0 || *columns + w > room)
			break;
		*columns += w;
	}
	return n;
}

int screen_put(int y, int x, enum ink ink, const char *fmt, ...)
{
	char text[MAX_LINE];
	wchar_t wide[MAX_LINE];
	va_list args;
	int n, columns;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (y < 0 || y >= LINES || x < 0 || x >= COLS ||
	    mbstowcs(wide, text, MAX_LINE) == (size_t)-1)
		return x;
	wide[MAX_LINE - 1] = L'\0';
	n = fitting(wide, COLS - x, &columns);
	attrset(attributes(ink));
	mvaddnwstr(y, x, wide, n);
	attrset(A_NORMAL);
	return x + columns;
}

int screen_key(int msecs)
{
	int key;

	timeout(msecs);
	key = getch();
	switch (key) {
	case ERR:
		return -1;
	case KEY_UP:
		return SCREEN_UP;
	case KEY_DOWN:
		return SCREEN_DOWN;
	case KEY_ENTER:
	case '\n':
	case '\r':
		return SCREEN_ENTER;
	case KEY_RESIZE:
		return SCREEN_RESIZED;
	default:
		return key;
	}
}

const char *screen_level(double share, bool utf8)
{
	static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄",
					     "▅", "▆", "▇", "█"};
	static const char *const letters[] = {" ", ".", ":", "-", "=",
					      "+", "*", "#", "@"};
	int n = share <= 0 ? 0 : 1 + (int)(share * 7.999);

	n = n > 8 ? 8 : n;
	return utf8 ? blocks[n] : letters[n];
}
