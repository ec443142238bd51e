/* SPDX-License-Identifier: BSD-3-Clause */
/* The views of top (see top_view.h). */
#include "top_view.h"

#include <stdio.h>
#include <string.h>

#include "advice.h"
#include "ctl.h"
#include "format.h"
#include "history.h"
#include "screen.h"

#define BAR_WIDTH     30
#define VALUE_X	      10
#define MOST_X	      21
#define SPARK_X	      32
#define LEAST_NAME    10 /* columns of a mountpoint */
#define REST_WIDTH    46 /* those of the numbers beside it */
#define PAST_WIDTH    14 /* and of the RAM over time */
#define MOST_KINDS    24
#define NEAR_PERCENT  90
#define CLOSE_PERCENT 75
#define ADVICE_LINES  2	 /* of advice that are shown at least */
#define LEAST_BAR     6	 /* a shorter one is left out */
#define ALL_LINES     12 /* which all of it takes, without advice */
#define LOW_LINES     3	 /* what matters most */
#define RAM_TEXT      46 /* columns of the line of RAM without its bar */

static enum ink ink_of(double percent)
{
	return percent >= NEAR_PERCENT	  ? INK_BAD
	       : percent >= CLOSE_PERCENT ? INK_ODD
					  : INK_GOOD;
}

/* ---- sparklines ---- */

static void put_spark(int y, int x, const struct history *h, enum rate r,
		      int width)
{
	bool utf8 = ctl_has_utf8();
	double most;

	if (width <= 0)
		return;
	most = history_most(h, r, (size_t)width);
	for (int i = 0; i < width; i++) {
		double v = history_at(h, r, (size_t)(width - 1 - i));

		if (v > 0 && most > 0)
			screen_put(y, x + i, INK_GOOD, "%s",
				   screen_level(v / most, utf8));
	}
}

static const char *rate_text(char *text, enum rate r, double value)
{
	int64_t n = (int64_t)(value + 0.5);

	return r == RATE_REQUESTS ? format_count(text, n)
				  : format_size(text, n, false);
}

/* ---- one mount ---- */

/* To the right, where the text on the left leaves room. */
static void put_keys(int y, int left, const char *keys, double delay)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "every %g s  %s", delay, keys);

	if (left + 2 + n <= screen_columns())
		screen_put(y, screen_columns() - n, INK_FAINT, "%s", text);
}

static int put_head(const struct history *h, double delay)
{
	const struct stats *s = &h->now;
	char age[FORMAT_SIZE];
	int x = screen_put(0, 0, INK_HEAD, "%s", h->at);

	if (h->answer != ANSWERED)
		x = screen_put(0, x + 2, INK_BAD, "%s",
			       answer_sentence(h->answer));
	else
		x = screen_put(0, x + 2, INK_PLAIN, "zsfs %s, mounted %s ago",
			       s->version ? s->version : "-",
			       format_age(age, stats_age(s)));
	put_keys(0, x, "q: quit", delay);
	return 1;
}

static int put_ram_bar(int y, int x, int width, double percent)
{
	char bar[FORMAT_BAR], text[FORMAT_SIZE];

	x = screen_put(y, x, ink_of(percent), "%s",
		       format_bar(bar, percent, width, ctl_has_utf8()));
	return screen_put(y, x, INK_PLAIN, " %5s  ",
			  format_percent(text, percent));
}

/* Where there is no room for a bar, the number comes first. */
static int put_ram(const struct history *h, int y)
{
	const struct stats *s = &h->now;
	double percent = stats_percent(s->ram, s->mem_limit);
	char a[FORMAT_SIZE], b[FORMAT_SIZE], c[FORMAT_SIZE];
	int x = VALUE_X, width = screen_columns() - RAM_TEXT;

	width = width > BAR_WIDTH ? BAR_WIDTH : width;
	screen_put(y, 0, INK_PLAIN, "RAM");
	if (percent >= 0 && width >= LEAST_BAR)
		x = put_ram_bar(y, x, width, percent);
	x = screen_put(y, x, INK_HEAD, "%s", format_size(a, s->ram, false));
	if (percent >= 0 && width < LEAST_BAR)
		x = screen_put(y, x, ink_of(percent), " %s",
			       format_percent(a, percent));
	screen_put(y, x, INK_PLAIN, " of %s, peak %s",
		   s->mem_limit ? format_size(b, s->mem_limit, false)
				: "no limit",
		   format_size(c, s->ram_max, false));
	return y + 1;
}

static int put_content(const struct history *h, int y)
{
	const struct stats *s = &h->now;
	char a[FORMAT_SIZE], b[FORMAT_SIZE];
	int x;

	screen_put(y, 0, INK_PLAIN, "Content");
	x = screen_put(y, VALUE_X, INK_HEAD, "%s",
		       format_size(a, s->data, false));
	x = screen_put(y, x, INK_PLAIN, " in %s %s", format_count(b, s->inodes),
		       s->inodes == 1 ? "folder" : "files and folders");
	if (stats_saved(s) >= 0)
		screen_put(y, x, INK_PLAIN, ", saves %s (%s)",
			   format_size(a, stats_saved(s), false),
			   format_percent(b, stats_saved_percent(s)));
	return y + 1;
}

static int put_forms(const struct history *h, int y)
{
	static const char *const names[NR_TIERS] = {
		[HOT] = "hot",		 [WARM] = "warm",
		[DENSE] = "dense",	 [INCOMPRESSIBLE] = "incompressible",
		[SAME_FILLED] = "zeros",
	};
	int x = VALUE_X;

	screen_put(y, 0, INK_PLAIN, "Stored");
	for (int t = 0; t < NR_TIERS; t++) {
		double p = stats_percent(h->now.tier[t].bytes, h->now.data);
		char text[FORMAT_SIZE];

		x = screen_put(y, x, INK_PLAIN, "%s%s ", t ? ", " : "",
			       names[t]);
		x = screen_put(y, x, INK_HEAD, "%s", format_percent(text, p));
	}
	return y + 1;
}

/* How many columns are for what was. */
static int past_width(void)
{
	int width = screen_columns() - SPARK_X - 1;

	return width > (int)HISTORY_LENGTH ? (int)HISTORY_LENGTH : width;
}

static int put_rates_head(int y, double delay)
{
	char age[FORMAT_SIZE];

	screen_put(y, 0, INK_HEAD, "%-9s %9s  %9s", "", "now", "most");
	screen_put(y, SPARK_X, INK_HEAD, "the last %s",
		   format_age(age, (int64_t)(past_width() * delay + 0.5)));
	return y + 1;
}

/* On lines before @end. */
static int put_rates(const struct history *h, int y, int end)
{
	static const char *const names[NR_RATES] = {
		[RATE_REQUESTS] = "Requests", [RATE_IN] = "Written",
		[RATE_OUT] = "Read",	      [RATE_SETTLED] = "Settled",
		[RATE_RAM] = "RAM",
	};
	int width = past_width();
	char a[FORMAT_SIZE], b[FORMAT_SIZE];

	for (enum rate r = 0; r < NR_RATES && y < end; r++, y++) {
		const char *unit = r == RATE_RAM ? "  " : "/s";
		size_t n = width > 0 ? (size_t)width : 1;

		screen_put(y, 0, INK_PLAIN, "%-8s %8s%s %8s%s", names[r],
			   rate_text(a, r, history_now(h, r)), unit,
			   rate_text(b, r, history_most(h, r, n)), unit);
		put_spark(y, SPARK_X, h, r, width);
	}
	return y;
}

/* Requests by kind, in as many columns as there is room for. */
static int put_kinds(const struct history *h, int y, int end)
{
	struct kind_rate kind[MOST_KINDS];
	size_t nr = history_kinds(h, kind, MOST_KINDS);
	int rows = end - y - 1, columns = screen_columns() / 40;
	char a[FORMAT_SIZE], b[FORMAT_SIZE];

	if (rows <= 0)
		return y;
	columns = columns < 1 ? 1 : columns;
	for (int c = 0; c < columns; c++)
		screen_put(y, c * 40, INK_HEAD, "%-16s %8s %10s", "Request",
			   "a second", "in all");
	for (size_t i = 0; i < nr && (int)i < rows * columns; i++)
		screen_put(y + 1 + (int)i % rows, (int)i / rows * 40,
			   kind[i].rate > 0 ? INK_PLAIN : INK_FAINT,
			   "%-16s %8s %10s", kind[i].name,
			   format_count(a, (int64_t)(kind[i].rate + 0.5)),
			   format_count(b, kind[i].total));
	return end;
}

/* On the last lines, below @least others; the first line it takes. */
static int put_advice(const struct history *h, int least)
{
	struct advice list[MOST_ADVICE];
	size_t nr = h->answer == ANSWERED ? advice(&h->now, h->at, list) : 0;
	int y = screen_lines();

	nr = nr > ADVICE_LINES ? ADVICE_LINES : nr;
	while (nr > 0 && y - (int)nr < least)
		nr--;
	for (size_t i = nr; i-- > 0;)
		screen_put(--y, 0, list[i].bad ? INK_BAD : INK_ODD, "! %s",
			   list[i].text);
	return y;
}

/* What matters most comes first. */
static void put_low(const struct history *h, double delay)
{
	int end = put_advice(h, LOW_LINES), y = put_head(h, delay);

	y = put_ram(h, y);
	y = put_rates(h, y, end);
	if (y < end)
		y = put_content(h, y);
	if (y < end)
		put_forms(h, y);
}

static void put_all(const struct history *h, double delay)
{
	int end = put_advice(h, ALL_LINES), y = put_head(h, delay) + 1;

	y = put_ram(h, y);
	y = put_content(h, y);
	y = put_forms(h, y) + 1;
	y = put_rates_head(y, delay);
	y = put_rates(h, y, end);
	put_kinds(h, y + 1, end);
}

void top_view_one(const struct history *h, double delay)
{
	screen_clear();
	if (screen_lines() < ALL_LINES)
		put_low(h, delay);
	else
		put_all(h, delay);
	screen_show();
}

/* ---- all mounts ---- */

/*
 * For the longest name, within what numbers leave of the screen: at least a
 * quarter of it.
 */
static int name_width(const struct history *h, size_t nr)
{
	int columns = screen_columns(), longest = LEAST_NAME;
	int room = columns - REST_WIDTH - PAST_WIDTH;

	for (size_t i = 0; i < nr; i++) {
		int width = screen_width(h[i].at);

		longest = width > longest ? width : longest;
	}
	if (room < columns / 4)
		room = columns / 4;
	return longest < room ? longest : room;
}

static void put_row(const struct history *h, int y, int width, bool selected)
{
	double used = stats_percent(h->now.ram, h->now.mem_limit);
	char text[4][FORMAT_SIZE];
	enum ink ink = selected ? INK_HEAD : INK_PLAIN;
	int x = screen_put(y, 0, ink, "%s", selected ? ">" : " ");

	x = screen_put_name(y, x, ink, width, h->at);
	if (h->answer != ANSWERED) {
		screen_put(y, x + 1, INK_BAD, "%s", answer_word(h->answer));
		return;
	}
	for (int r = RATE_REQUESTS; r <= RATE_OUT; r++)
		x = screen_put(y, x, ink, " %9s",
			       rate_text(text[0], (enum rate)r,
					 history_now(h, (enum rate)r)));
	x = screen_put(y, x, ink, " %8s",
		       format_size(text[1], h->now.ram, false));
	x = screen_put(y, x, used < 0 ? ink : ink_of(used), " %5s",
		       format_percent(text[2], used));
	put_spark(y, x + 1, h, RATE_RAM, screen_columns() - x - 1);
}

void top_view_all(const struct history *h, size_t nr, size_t selected,
		  double delay)
{
	size_t rows = screen_lines() > 4 ? (size_t)screen_lines() - 3 : 1;
	int y = 3, width = name_width(h, nr), x;

	screen_clear();
	put_keys(0,
		 screen_put(0, 0, INK_HEAD, "%zu mount%s", nr,
			    format_plural((int64_t)nr)),
		 "up, down, Enter: one of them  q: quit", delay);
	x = screen_put_name(2, 1, INK_HEAD, width, "Mountpoint");
	screen_put(2, x, INK_HEAD, " %9s %9s %9s %8s %5s %s", "Request/s",
		   "Written/s", "Read/s", "RAM", "used", "RAM over time");
	/* The selected one is always seen. */
	for (size_t i = selected >= rows ? selected - rows + 1 : 0; i < nr; i++)
		put_row(&h[i], y++, width, i == selected);
	if (!nr)
		screen_put(3, 0, INK_PLAIN, "no zsfs is mounted");
	screen_show();
}
