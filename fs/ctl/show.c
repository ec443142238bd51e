/* SPDX-License-Identifier: BSD-3-Clause */
/* zsctl show (see show.h). */
#include "show.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "advice.h"
#include "args.h"
#include "ask.h"
#include "format.h"
#include "text.h"

#define BAR_WIDTH     30
#define SHARE_WIDTH   14
#define TEXT_WIDTH    76
#define PAGE_WIDTH    80 /* where there is no screen, too */
#define NEAR_PERCENT  90
#define CLOSE_PERCENT 75

struct page {
	const struct stats *s;
	const char *at;
	bool bytes, utf8, colours;
	int lacks; /* columns that a narrow screen has less */
};

/* ---- pieces ---- */

static const char *colour(const struct page *p, const char *sequence)
{
	return p->colours ? sequence : "";
}

#define BOLD(p)	  colour(p, "\033[1m")
#define RED(p)	  colour(p, "\033[31m")
#define YELLOW(p) colour(p, "\033[33m")
#define GREEN(p)  colour(p, "\033[32m")
#define NORMAL(p) colour(p, "\033[0m")

static const char *size_text(const struct page *p, char *text, int64_t n)
{
	return format_size(text, n, p->bytes);
}

static const char *bar_colour(const struct page *p, double percent)
{
	return percent >= NEAR_PERCENT	  ? RED(p)
	       : percent >= CLOSE_PERCENT ? YELLOW(p)
					  : GREEN(p);
}

static int lacking(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || !w.ws_col)
		return 0;
	return w.ws_col < PAGE_WIDTH ? PAGE_WIDTH - w.ws_col : 0;
}

/* A bar of @width columns, of which a narrow screen takes some or all. */
static void print_bar(const struct page *p, const char *sequence,
		      double percent, int width)
{
	char bar[FORMAT_BAR];

	if (width > p->lacks)
		printf("%s%s%s ", sequence,
		       format_bar(bar, percent, width - p->lacks, p->utf8),
		       NORMAL(p));
}

/* ---- head ---- */

static void print_title(const struct page *p)
{
	const struct stats *s = p->s;
	char age[FORMAT_SIZE];

	printf("%s%s%s   zsfs %s, mounted %s ago\n\n", BOLD(p), p->at,
	       NORMAL(p), s->version ? s->version : "-",
	       format_age(age, stats_age(s)));
}

static void print_saved(const struct page *p)
{
	const struct stats *s = p->s;
	char text[FORMAT_SIZE], share[FORMAT_SIZE], ratio[FORMAT_SIZE];
	int64_t saved = stats_saved(s);

	if (saved < 0) {
		printf("\n");
		return;
	}
	printf(": %s%s (%s) saved%s, ratio %s\n", BOLD(p),
	       size_text(p, text, saved),
	       format_percent(share, stats_saved_percent(s)), NORMAL(p),
	       format_ratio(ratio, stats_ratio(s->data, s->ram)));
}

static void print_totals(const struct page *p)
{
	char text[FORMAT_SIZE], count[FORMAT_SIZE];

	printf("Holds %10s in %s %s\n", size_text(p, text, p->s->data),
	       format_count(count, p->s->inodes),
	       p->s->inodes == 1 ? "folder" : "files and folders");
	printf("Takes %10s of RAM", size_text(p, text, p->s->ram));
	print_saved(p);
	printf("\n");
}

/* ---- limits ---- */

static void print_limit(const struct page *p, const char *name, int64_t used,
			int64_t most, const char *used_text,
			const char *most_text)
{
	double percent = stats_percent(used, most);
	char share[FORMAT_SIZE];

	printf("%-10s", name);
	if (most <= 0) {
		printf(" %s, %s\n", used_text,
		       most == 0 ? "no limit" : "limit unknown");
		return;
	}
	printf(" ");
	print_bar(p, bar_colour(p, percent), percent, BAR_WIDTH);
	printf("%5s  %s of %s\n", format_percent(share, percent), used_text,
	       most_text);
}

static void print_size_limit(const struct page *p, const char *name,
			     int64_t used, int64_t most)
{
	char a[FORMAT_SIZE], b[FORMAT_SIZE];

	print_limit(p, name, used, most, size_text(p, a, used),
		    size_text(p, b, most));
}

static void print_limits(const struct page *p)
{
	const struct stats *s = p->s;
	char a[FORMAT_SIZE], b[FORMAT_SIZE];

	print_size_limit(p, "mem_limit", s->ram, s->mem_limit);
	print_size_limit(p, "size", stats_size_used(s), s->size);
	print_limit(p, "nr_inodes", s->inodes, s->nr_inodes,
		    format_count(a, s->inodes), format_count(b, s->nr_inodes));
	printf("\n");
}

/* ---- forms ---- */

static void form_name(const struct page *p, enum stats_tier t, char *text,
		      size_t size)
{
	static const char *const names[NR_TIERS] = {
		[HOT] = "hot, not yet compressed",
		[WARM] = "warm",
		[DENSE] = "dense",
		[INCOMPRESSIBLE] = "incompressible, as it is",
		[SAME_FILLED] = "zeros and the like",
	};
	const char *by = t == WARM    ? p->s->comp
			 : t == DENSE ? p->s->dense
				      : NULL;

	snprintf(text, size, "%s%s%s", names[t], by ? ", " : "", by ? by : "");
}

static void print_form(const struct page *p, enum stats_tier t)
{
	const struct stats_form *f = &p->s->tier[t];
	double share = stats_percent(f->bytes, p->s->data);
	char name[FORMAT_SIZE], a[FORMAT_SIZE], b[FORMAT_SIZE], c[FORMAT_SIZE];
	char d[FORMAT_SIZE];

	form_name(p, t, name, sizeof(name));
	printf("  %-24s %9s %9s %6s  ", name, size_text(p, a, f->bytes),
	       size_text(p, b, f->ram),
	       format_ratio(c, stats_ratio(f->bytes, f->ram)));
	print_bar(p, GREEN(p), share, SHARE_WIDTH);
	printf("%s\n", format_percent(d, share));
}

static void print_rest(const struct page *p, const char *name, int64_t ram)
{
	char text[FORMAT_SIZE];

	printf("  %-24s %9s %9s\n", name, "", size_text(p, text, ram));
}

static void print_forms(const struct page *p)
{
	printf("%s%-26s %9s %9s %6s  %s%s\n", BOLD(p), "Stored as", "content",
	       "RAM", "ratio", "share of content", NORMAL(p));
	/* With hot=0 there are none, once older ones are compressed. */
	for (enum stats_tier t = 0; t < NR_TIERS; t++)
		if (t != HOT || p->s->hot > 0 || p->s->tier[HOT].bytes > 0)
			print_form(p, t);
	print_rest(p, "gaps in the pool", p->s->gaps);
	print_rest(p, "tables and free memory", p->s->other);
	printf("\n");
}

/* ---- the rest ---- */

static const char *settling(const struct page *p, char *text, size_t size)
{
	const char *settle = p->s->settle;
	char rate[FORMAT_SIZE];

	if (!settle)
		snprintf(text, size, "-");
	else if (!strcmp(settle, "off"))
		snprintf(text, size, "off");
	else if (p->s->settling > 0)
		snprintf(text, size, "after %s s, now %s/s", settle,
			 format_size(rate, p->s->settling * 4096, false));
	else
		snprintf(text, size, "after %s s, idle", settle);
	return text;
}

static void print_survival(const struct page *p)
{
	const struct stats *s = p->s;
	char text[FORMAT_SIZE], taken[FORMAT_SIZE];

	printf("Survives   ");
	if (s->survive < 0)
		printf("-\n");
	else if (!s->survive)
		printf("no: %s\n", s->why_not ? s->why_not : "-");
	else
		printf("a crash: worker %" PRId64 ", standby %s%s, %s "
		       "takeover%s\n",
		       s->worker, s->standby ? "" : "none",
		       s->standby ? format_number(text, s->standby) : "",
		       format_number(taken, s->takeovers),
		       format_plural(s->takeovers));
}

static const char *capabilities_text(const struct stats *s)
{
	if (!s->capabilities)
		return "";
	if (!strcmp(s->capabilities, "none"))
		return ", no capabilities";
	return !strcmp(s->capabilities, "sys_nice") ? ", CAP_SYS_NICE alone"
						    : "";
}

/* What confines the processes that serve; older mounts do not say. */
static void print_sandbox(const struct page *p)
{
	const struct stats *s = p->s;

	if (!s->sandbox || !s->sandbox_off || !s->sandbox_lacks)
		return;
	printf("Sandbox    %s", s->sandbox);
	if (*s->sandbox_off) {
		printf(": %s\n", s->sandbox_off);
		return;
	}
	printf(": user %" PRId64 "%s", s->own_uid, capabilities_text(s));
	if (s->landlock > 0)
		printf(", Landlock %" PRId64, s->landlock);
	printf("%s\n", s->seccomp > 0 ? ", seccomp" : "");
	if (*s->sandbox_lacks)
		printf("           lacks %s\n", s->sandbox_lacks);
}

static void print_requests(const struct page *p)
{
	char all[FORMAT_SIZE], in[FORMAT_SIZE], out[FORMAT_SIZE];
	const struct stats *s = p->s;

	printf("Requests   %s; %s written, %s read (in blocks)\n",
	       format_count(all, stats_requests(s)),
	       format_size(in,
			   s->blocks_written < 0 ? STATS_MISSING
						 : s->blocks_written * 4096,
			   false),
	       format_size(out,
			   s->blocks_read < 0 ? STATS_MISSING
					      : s->blocks_read * 4096,
			   false));
}

static void print_pool(const struct page *p)
{
	const struct stats *s = p->s;
	char pages[FORMAT_SIZE], objects[FORMAT_SIZE], gaps[FORMAT_SIZE];
	int64_t bytes =
		s->pool_pages < 0 ? STATS_MISSING : s->pool_pages * 4096;

	printf("Pool       %s with %s objects, %s of it gaps\n",
	       size_text(p, pages, bytes),
	       format_count(objects, s->pool_objects),
	       format_percent(gaps, stats_percent(s->gaps, bytes)));
}

static void print_processes(const struct page *p)
{
	char text[96];

	print_survival(p);
	print_sandbox(p);
	printf("Settling   %s\n", settling(p, text, sizeof(text)));
	print_requests(p);
	print_pool(p);
}

/* ---- what is odd ---- */

/* Words of @text in lines that begin below the first one. */
static void wrap(const char *text, int indent, int width)
{
	int at = indent;

	while (*text) {
		int n = (int)strcspn(text, " ");

		if (at + n + 1 > width && at > indent)
			at = printf("\n%*s", indent, "") - 1;
		at += printf("%s%.*s", at > indent ? " " : "", n, text);
		text += n + (text[n] == ' ');
	}
	printf("\n");
}

static void print_advice(const struct page *p)
{
	struct advice list[MOST_ADVICE];
	size_t n = advice(p->s, p->at, list);

	if (n)
		printf("\n");
	for (size_t i = 0; i < n; i++) {
		printf("%s%s%s", list[i].bad ? RED(p) : YELLOW(p),
		       list[i].bad ? "!!  " : "!   ", NORMAL(p));
		wrap(list[i].text, 4, TEXT_WIDTH - p->lacks);
	}
}

void show_print(const struct stats *s, const char *at, bool bytes)
{
	char shown[PATH_MAX];
	struct page p = {.s = s,
			 .at = text_shown(shown, sizeof(shown), at),
			 .bytes = bytes,
			 .utf8 = ctl_has_utf8(),
			 .colours = ctl_wants_colours(STDOUT_FILENO),
			 .lacks = lacking()};

	print_title(&p);
	print_totals(&p);
	print_limits(&p);
	print_forms(&p);
	print_processes(&p);
	print_advice(&p);
}

static int run(struct args *a)
{
	bool bytes = false;
	struct one o;
	int key, status;

	while ((key = args_next(a)) >= 0)
		bytes |= key == 'b';
	status = one_begin(&o, args_expect(a, 1, 1)[0]);
	if (status)
		return status;
	show_print(&o.asked.stats, o.at, bytes);
	one_end(&o);
	return CTL_OK;
}

static const struct ctl_option options[] = {
	{'b', "bytes", NULL, "sizes in bytes, not in K, M, G"},
	{0},
};

const struct ctl_command cmd_show = {
	.name = "show",
	.operands = "MOUNT",
	.summary = "a page about one mount, and what is odd about it",
	.options = options,
	.run = run,
};
