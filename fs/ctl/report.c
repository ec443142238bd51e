/* SPDX-License-Identifier: BSD-3-Clause */
/* zsctl report: what a bug report needs, without names of files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "args.h"
#include "ask.h"
#include "advice.h"
#include "text.h"

#define MAX_TEXT (256u << 10)

/* ---- text without the mountpoint ---- */

/* What others wrote may command a terminal: @text is changed. */
static void put_hidden(char *text, const char *at)
{
	size_t len = strlen(at);
	char *found;

	while (len > 1 && (found = strstr(text, at))) {
		*found = '\0';
		printf("%sMOUNT", text_clean(text, '\n'));
		text = found + len;
	}
	printf("%s", text_clean(text, '\n'));
}

static void section(const char *name)
{
	printf("\n## %s\n\n", name);
}

/* ---- the machine ---- */

/* Lines of a file that begin with one of these words. */
static void put_lines(const char *path, const char *const *words)
{
	char line[512];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		for (const char *const *w = words; *w; w++)
			if (!strncmp(line, *w, strlen(*w)))
				printf("%s", line);
	if (f)
		fclose(f);
}

static void put_machine(void)
{
	static const char *const system[] = {"PRETTY_NAME=", NULL};
	static const char *const memory[] = {
		"MemTotal:", "MemAvailable:", "SwapTotal:", "SwapFree:", NULL};
	struct utsname u;

	section("machine");
	if (!uname(&u))
		printf("%s %s %s, %ld processors\n", u.sysname, u.release,
		       u.machine, sysconf(_SC_NPROCESSORS_ONLN));
	put_lines("/etc/os-release", system);
	put_lines("/proc/meminfo", memory);
}

/* ---- the mount ---- */

static void put_mount(const struct mount *m)
{
	char type[256], options[512], super_options[4096];

	section("mount");
	printf("%s %s %s\n", text_shown(type, sizeof(type), m->type),
	       text_shown(options, sizeof(options), m->options),
	       text_shown(super_options, sizeof(super_options),
			  m->super_options));
}

static void put_file(const char *at, const char *file, char *text)
{
	long len = ask_file(at, file, text, MAX_TEXT);

	section(file + 1);
	if (len < 0)
		printf("%s\n", strerror((int)-len));
	else
		put_hidden(text, at);
}

static void put_files(const char *at, char *text)
{
	static const char *const files[] = {
		"/.zsstats/tiers",	   "/.zsstats/mm_stat",
		"/.zsstats/io_stat",	   "/.zsstats/classes",
		"/.zsstats/fullness",	   "/.zsstats/stats.json",
		"/.zsctl/last_cmd_status", "/.zsctl/verify"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		put_file(at, files[i], text);
}

static void put_advice(const struct stats *s)
{
	struct advice list[MOST_ADVICE];
	size_t n = advice(s, "MOUNT", list);

	section("odd");
	for (size_t i = 0; i < n; i++)
		printf("%s\n", list[i].text);
	if (!n)
		printf("nothing\n");
}

static int report(const struct one *o)
{
	char *text = malloc(MAX_TEXT);

	if (!text)
		return ctl_error("%s", strerror(ENOMEM));
	printf("# zsfs %s, zsctl %s\n",
	       o->asked.stats.version ? o->asked.stats.version : "-",
	       ZSFS_VERSION);
	put_machine();
	put_mount(o->asked.mount);
	put_advice(&o->asked.stats);
	put_files(o->at, text);
	free(text);
	return CTL_OK;
}

static int run(struct args *a)
{
	struct one o;
	int status;

	while (args_next(a) >= 0)
		;
	status = one_begin(&o, args_expect(a, 1, 1)[0]);
	if (status)
		return status;
	status = report(&o);
	one_end(&o);
	return status;
}

const struct ctl_command cmd_report = {
	.name = "report",
	.operands = "MOUNT",
	.summary = "what a bug report needs, without names of files",
	.run = run,
};
