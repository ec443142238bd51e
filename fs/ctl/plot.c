/* SPDX-License-Identifier: BSD-3-Clause */
/* The picture of the pool (see plot.h). */
#include "plot.h"

#include <inttypes.h>
#include <math.h>

#include "format.h"
#include "fullness.h"

#define WIDTH	   900
#define LEFT	   64
#define RIGHT	   16
#define TOP	   64
#define ROW_HEIGHT 24
#define BOTTOM	   84
#define PLOT_WIDTH (WIDTH - LEFT - RIGHT)
#define HEIGHT	   (TOP + FULLNESS_GROUPS * ROW_HEIGHT + BOTTOM)
#define MOST_CELL  40.0
#define LABELS	   14
#define PAGE_SIZE  4096u
#define SWATCHES   5

struct grid {
	FILE *to;
	const struct fullness *f;
	double cell; /* width */
	double most; /* bytes of the fullest cell */
};

static uint64_t bytes_of(const struct fullness_row *r, int group)
{
	return r->zspages[group] * r->pages_per_zspage * PAGE_SIZE;
}

static void put_text(FILE *to, const char *s)
{
	for (; *s; s++) {
		if (*s == '<')
			fputs("&lt;", to);
		else if (*s == '&')
			fputs("&amp;", to);
		else if ((unsigned char)*s < ' ')
			fputc('?', to);
		else
			fputc(*s, to);
	}
}

/*
 * Powers of two, and straight lines between them. libm's logarithm would be a
 * library more for each command to load; these two are libc's. @n >= 1.
 */
static double powers_in(double n)
{
	int exponent;
	double half = frexp(n, &exponent); /* 0.5 and more, below 1 */

	return exponent - 2 + 2 * half;
}

/* The other way round. */
static double of_powers(double powers)
{
	int whole = (int)powers;

	return ldexp(1 + powers - whole, whole);
}

/* Between what is there at all and the most there is, by powers. */
static double strength(const struct grid *g, double bytes)
{
	double least = PAGE_SIZE;

	if (g->most <= least)
		return 1;
	return 0.15 +
	       0.85 * powers_in(bytes / least) / powers_in(g->most / least);
}

static double find_most(const struct fullness *f)
{
	uint64_t most = 0;

	for (size_t i = 0; i < f->nr; i++)
		for (int k = 0; k < FULLNESS_GROUPS; k++)
			if (bytes_of(&f->row[i], k) > most)
				most = bytes_of(&f->row[i], k);
	return (double)most;
}

/* ---- parts ---- */

static void draw_head(const struct grid *g, const char *title)
{
	fprintf(g->to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" "
		"viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
		"font-size=\"12\">\n<style>\n"
		"text { fill: #57606a }\n"
		".frame { fill: #808080; fill-opacity: 0.08 }\n"
		".cell { fill: #d9480f }\n"
		"@media (prefers-color-scheme: dark) {\n"
		"text { fill: #adb5bd }\n.cell { fill: #ff922b }\n}\n"
		"</style>\n<text x=\"%d\" y=\"24\" font-size=\"16\">",
		WIDTH, HEIGHT, LEFT);
	put_text(g->to, title);
	fprintf(g->to,
		"</text>\n<text x=\"%d\" y=\"44\">each column is a class of "
		"objects, each row how full its zspages are</text>\n"
		"<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" "
		"height=\"%d\"/>\n",
		LEFT, LEFT, TOP, PLOT_WIDTH, FULLNESS_GROUPS * ROW_HEIGHT);
}

/* The fullest are on top. */
static int row_y(int group)
{
	return TOP + (FULLNESS_GROUPS - 1 - group) * ROW_HEIGHT;
}

static void draw_rows(const struct grid *g)
{
	for (int k = 0; k < FULLNESS_GROUPS; k++)
		fprintf(g->to,
			"<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s"
			"</text>\n",
			LEFT - 8, row_y(k) + ROW_HEIGHT - 8, fullness_group[k]);
}

static void draw_cell(const struct grid *g, size_t i, int group)
{
	const struct fullness_row *r = &g->f->row[i];
	uint64_t bytes = bytes_of(r, group);
	char text[FORMAT_SIZE];

	if (!bytes)
		return;
	fprintf(g->to,
		"<rect class=\"cell\" x=\"%.2f\" y=\"%d\" width=\"%.2f\" "
		"height=\"%d\" fill-opacity=\"%.2f\"><title>%u bytes, %s "
		"full: %" PRIu64 " zspages, %s</title></rect>\n",
		LEFT + (double)i * g->cell, row_y(group) + 1, g->cell * 0.9,
		ROW_HEIGHT - 2, strength(g, (double)bytes), r->size,
		fullness_group[group], r->zspages[group],
		format_size(text, (int64_t)bytes, false));
}

static void draw_cells(const struct grid *g)
{
	for (size_t i = 0; i < g->f->nr; i++)
		for (int k = 0; k < FULLNESS_GROUPS; k++)
			draw_cell(g, i, k);
}

/* Sizes of some of the classes. */
static void draw_columns(const struct grid *g)
{
	size_t step = (g->f->nr + LABELS - 1) / LABELS;
	int y = TOP + FULLNESS_GROUPS * ROW_HEIGHT + 16;

	for (size_t i = 0; i < g->f->nr; i += step ? step : 1)
		fprintf(g->to,
			"<text x=\"%.2f\" y=\"%d\" text-anchor=\"middle\">%u"
			"</text>\n",
			LEFT + ((double)i + 0.45) * g->cell, y,
			g->f->row[i].size);
	fprintf(g->to,
		"<text x=\"%d\" y=\"%d\">bytes of an object in the class"
		"</text>\n",
		LEFT, y + 20);
}

static void draw_legend(const struct grid *g)
{
	double powers = powers_in(g->most / PAGE_SIZE);
	int y = HEIGHT - 16;
	char text[FORMAT_SIZE];

	for (int i = 0; i < SWATCHES && g->f->nr; i++) {
		double bytes =
			PAGE_SIZE * of_powers(powers * i / (SWATCHES - 1));

		fprintf(g->to,
			"<rect class=\"cell\" x=\"%d\" y=\"%d\" width=\"14\" "
			"height=\"14\" fill-opacity=\"%.2f\"/>"
			"<text x=\"%d\" y=\"%d\">%s</text>\n",
			LEFT + 90 * i, y - 12, strength(g, bytes),
			LEFT + 90 * i + 20, y,
			format_size(text, (int64_t)bytes, false));
	}
	if (!g->f->nr)
		fprintf(g->to,
			"<text x=\"%d\" y=\"%d\">the pool is empty"
			"</text>\n",
			LEFT, y);
}

void plot(FILE *to, const struct fullness *f, const char *title)
{
	struct grid g = {.to = to, .f = f, .most = find_most(f)};

	g.cell = f->nr ? (double)PLOT_WIDTH / (double)f->nr : 0;
	g.cell = g.cell > MOST_CELL ? MOST_CELL : g.cell;
	draw_head(&g, title);
	draw_rows(&g);
	draw_cells(&g);
	draw_columns(&g);
	draw_legend(&g);
	fprintf(to, "</svg>\n");
}
