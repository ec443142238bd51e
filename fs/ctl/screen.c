/* SPDX-License-Identifier: BSD-3-Clause */
/* The screen (see screen.h). The only file that knows ncurses. */
#include "screen.h"

/* Functions alone: they are called by their address. */
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "ctl.h"
#include "text.h"

#define MAX_LINE 512

/* ---- the library ---- */

#define TEXT_(n) #n
#define TEXT(n)	 TEXT_(n)
/* By the name that the linker would have noted. */
#define LIBRARY "libncursesw.so." TEXT(NCURSES_VERSION_MAJOR)

/* What is used of it, functions and variables. */
/* clang-format off */
#define USED(C)                                                                \
	C(newterm) C(delscreen) C(endwin) C(cbreak) C(noecho) C(keypad)        \
	C(set_escdelay) C(curs_set) C(has_colors) C(start_color)               \
	C(use_default_colors) C(init_pair) C(COLOR_PAIR) C(erase) C(refresh)   \
	C(attrset) C(mvaddnwstr) C(timeout) C(getch)                           \
	C(stdscr) C(LINES) C(COLS)
/* clang-format on */

/*
 * Where it is: other commands do without a library whose loading takes longer
 * than to ask a mount.
 */
static struct {
#define PLACE(name) __typeof__(name) *name;
	USED(PLACE)
#undef PLACE
} curses;

/* NULL, or what is missing. */
static const char *load(void)
{
	void *lib = dlopen(LIBRARY, RTLD_NOW);

	if (!lib)
		return LIBRARY;
#define FIND(name)                                                             \
	curses.name = dlsym(lib, #name);                                       \
	if (!curses.name)                                                      \
		return LIBRARY " with " #name;
	USED(FIND)
#undef FIND
	return NULL;
}

/* ---- begin and end ---- */

static SCREEN *screen;

static void choose_colours(void)
{
	if (!curses.has_colors() || getenv("NO_COLOR"))
		return;
	curses.start_color();
	curses.use_default_colors();
	curses.init_pair(INK_GOOD, COLOR_GREEN, -1);
	curses.init_pair(INK_ODD, COLOR_YELLOW, -1);
	curses.init_pair(INK_BAD, COLOR_RED, -1);
}

int screen_begin(void)
{
	const char *missing = load();

	if (missing)
		return ctl_error("top needs the library ncurses (%s), which is "
				 "not installed",
				 missing);
	ctl_use_locale();
	screen = curses.newterm(NULL, stdout, stdin);
	if (!screen)
		return ctl_error(SCREEN_NEEDED);
	curses.cbreak();
	curses.noecho();
	curses.keypad(*curses.stdscr, true);
	curses.set_escdelay(50);
	curses.curs_set(0);
	choose_colours();
	return CTL_OK;
}

void screen_end(void)
{
	curses.endwin();
	curses.delscreen(screen);
}

int screen_lines(void)
{
	return *curses.LINES;
}

int screen_columns(void)
{
	return *curses.COLS;
}

void screen_clear(void)
{
	curses.erase();
}

void screen_show(void)
{
	curses.refresh();
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
		return (attr_t)curses.COLOR_PAIR(ink);
	}
}

/* Within @room columns. Returns the column behind it. */
static int put(int y, int x, enum ink ink, int room, const wchar_t *text)
{
	int n, columns;

	if (y < 0 || y >= screen_lines() || x < 0 || x >= screen_columns())
		return x;
	if (room > screen_columns() - x)
		room = screen_columns() - x;
	n = text_fitting(text, room, &columns);
	curses.attrset((int)attributes(ink));
	curses.mvaddnwstr(y, x, text, n);
	curses.attrset(A_NORMAL);
	return x + columns;
}

int screen_put(int y, int x, enum ink ink, const char *fmt, ...)
{
	wchar_t wide[MAX_LINE];
	char text[MAX_LINE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	text_wide(wide, MAX_LINE, text);
	return put(y, x, ink, screen_columns(), wide);
}

int screen_put_name(int y, int x, enum ink ink, int width, const char *name)
{
	wchar_t wide[PATH_MAX];

	text_wide(wide, PATH_MAX, name);
	text_cut_left(wide, width, ctl_has_utf8() ? L"\u2026" : L"...");
	put(y, x, ink, width, wide);
	return x + width;
}

int screen_width(const char *name)
{
	wchar_t wide[PATH_MAX];

	text_wide(wide, PATH_MAX, name);
	return text_columns(wide);
}

int screen_key(int msecs)
{
	int key;

	curses.timeout(msecs);
	key = curses.getch();
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
