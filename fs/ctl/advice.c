/* SPDX-License-Identifier: BSD-3-Clause */
/* What is odd (see advice.h). */
#include "advice.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "stats.h"

#define NEAR_PERCENT 90
#define RAW_PERCENT  30
#define GAPS_PERCENT 25
#define WORTH_BYTES  (16 << 20) /* less is not worth a word */

struct list {
	struct advice *out;
	size_t nr;
	const char *at;
};

static void say(struct list *l, bool bad, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct list *l, bool bad, const char *fmt, ...)
{
	va_list args;

	if (l->nr == MOST_ADVICE)
		return;
	l->out[l->nr].bad = bad;
	va_start(args, fmt);
	vsnprintf(l->out[l->nr++].text, ADVICE_SIZE, fmt, args);
	va_end(args);
}

/* ---- lost ---- */

static const char *were(int64_t n)
{
	return n == 1 ? " was" : "s were";
}

static void look_at_damage(struct list *l, const struct stats *s)
{
	if (s->corrupt > 0)
		say(l, true,
		    "%" PRId64 " damaged block%s read (EIO): check the "
		    "machine's RAM; \"zsctl verify %s\" names them all",
		    s->corrupt, were(s->corrupt), l->at);
	else if (s->bad > 0)
		say(l, true,
		    "the last check found %" PRId64 " damaged block%s: check "
		    "the machine's RAM",
		    s->bad, format_plural(s->bad));
	if (s->late_lost > 0)
		say(l, true,
		    "%" PRId64 " cached write%s lost on a full mount; fsync "
		    "and close said so",
		    s->late_lost, were(s->late_lost));
}

/* ---- limits ---- */

static const char *how_near(double percent)
{
	return percent >= 100 ? "reached" : "near";
}

static void look_at_memory(struct list *l, const struct stats *s)
{
	double left = stats_percent(s->available, s->mem_limit);
	char text[FORMAT_SIZE];

	if (left < 0 || left > 100 - NEAR_PERCENT)
		return;
	format_size(text, s->available, false);
	say(l, true,
	    "mem_limit is %s: %s are left. Delete something, \"zsctl settle "
	    "%s\", or raise it: \"zsctl set %s mem_limit=SIZE\"",
	    how_near(100 - left), text, l->at, l->at);
}

static void look_at_size(struct list *l, const struct stats *s)
{
	double size = stats_percent(stats_size_used(s), s->size);
	double inodes = stats_percent(s->inodes, s->nr_inodes);

	if (size >= NEAR_PERCENT)
		say(l, true,
		    "size is %s, however well it compresses; raise it: "
		    "\"zsctl set %s size=SIZE\" (0: no limit)",
		    how_near(size), l->at);
	if (inodes >= NEAR_PERCENT)
		say(l, true,
		    "nr_inodes is %s; raise it: \"zsctl set %s "
		    "nr_inodes=N\" (0: no limit)",
		    how_near(inodes), l->at);
}

/* ---- survival ---- */

static void look_at_survival(struct list *l, const struct stats *s)
{
	if (s->survive == 0 && s->why_not && !strcmp(s->why_not, "nosurvive"))
		say(l, false,
		    "one process serves it (nosurvive): the content is lost "
		    "if that dies");
	else if (s->survive == 0)
		say(l, true, "the content is lost if the worker dies: %s",
		    s->why_not && *s->why_not ? s->why_not : "no reason given");
	else if (s->survive > 0 && s->standby == 0)
		say(l, false,
		    "no standby is ready: normal for a moment after a start "
		    "or takeover, else the log says more (facility daemon)");
	if (s->deaths > 0)
		say(l, false,
		    "its worker has died %" PRId64 " time%s (last: %s) and "
		    "nothing was lost; \"zsctl report %s\" for a bug report",
		    s->deaths, format_plural(s->deaths),
		    s->last_cause ? s->last_cause : "unknown", l->at);
	if (s->poisoned > 0)
		say(l, false,
		    "%" PRId64 " request%s refused that had killed workers",
		    s->poisoned, were(s->poisoned));
}

/* ---- memory that could be spared ---- */

static void look_at_content(struct list *l, const struct stats *s)
{
	const struct stats_form *raw = &s->tier[INCOMPRESSIBLE];
	double share = stats_percent(raw->bytes, s->data);
	char text[FORMAT_SIZE];

	if (raw->bytes >= WORTH_BYTES && share >= RAW_PERCENT)
		say(l, false,
		    "%.0f %% of the content does not compress: archives, "
		    "pictures and films gain nothing here",
		    share);
	if (s->settle && !strcmp(s->settle, "off") &&
	    s->tier[WARM].ram >= WORTH_BYTES)
		say(l, false,
		    "settling is off: %s of RAM could become half; \"zsctl "
		    "settle %s\", or \"zsctl set %s settle=30\"",
		    format_size(text, s->tier[WARM].ram, false), l->at, l->at);
	if (s->gaps >= WORTH_BYTES &&
	    stats_percent(s->gaps, s->ram) >= GAPS_PERCENT)
		say(l, false, "%s of RAM are gaps: \"zsctl compact %s\"",
		    format_size(text, s->gaps, false), l->at);
}

static void move_worst_first(struct list *l)
{
	for (size_t i = 1; i < l->nr; i++) {
		struct advice a = l->out[i];
		size_t to = i;

		for (; to > 0 && a.bad && !l->out[to - 1].bad; to--)
			l->out[to] = l->out[to - 1];
		l->out[to] = a;
	}
}

size_t advice(const struct stats *s, const char *at, struct advice *out)
{
	struct list l = {.out = out, .at = at};

	look_at_damage(&l, s);
	look_at_memory(&l, s);
	look_at_size(&l, s);
	look_at_survival(&l, s);
	look_at_content(&l, s);
	move_worst_first(&l);
	return l.nr;
}
