/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of zsfs --help: what the knobs say, and the rest. */
#include <string.h>

#include "options.h"

#define WIDTH  78
#define INDENT 19

/* clang-format off */
static const char intro[] =
"Usage: zsfs [-o OPTION,OPTION,..] [SOURCE] MOUNTPOINT\n"
"Example: zsfs -o size=8G,nosuid,nodev /mnt/z\n"
"\n"
"Mount a compressed RAM disk on MOUNTPOINT. Unmount it with umount (root) or\n"
"fusermount3 -u (user); all that is in it is gone then.\n"
"\n"
"  -o LIST        options, separated by commas; may be given several times\n"
"  -f             stay in the foreground, log to stderr\n"
"  -d             show every request on stderr (implies -f)\n"
"  -o remount,..  change limits, comp and flags of the mount on MOUNTPOINT\n"
"  --replace      have this program take over the mount on MOUNTPOINT, which\n"
"                 stays as it is\n"
"  -h, --help     show this text and end\n"
"  -V, --version  show the version and end\n";

static const char limits[] =
"Limits (SIZE: bytes with an optional K, M, G or T, or a percentage of RAM such\n"
"as 50%; 0: no limit). All of them can be changed later in MOUNTPOINT/.zsctl.\n";

static const char generic[] =
"Generic\n"
"  ro rw, exec noexec, sync async, dirsync, noatime atime relatime strictatime\n"
"  nodiratime diratime, nosymfollow symfollow (root)\n"
"  suid nosuid, dev nodev\n"
"                   suid and dev are the default for root; a user's mount is\n"
"                   always nosuid,nodev\n"
"  context= fscontext= defcontext= rootcontext=\n"
"                   as for mount(8), with SELinux\n"
"  stack            mount over a zsfs that is mounted there already\n";

static const char ignored[] =
"  Options for mount(8) and fstab only (defaults, noauto, user, nofail, x-*, ..)\n"
"  are ignored; see zsfs(1) for those of tmpfs that mean nothing here.\n";

static const char end[] =
"\n"
"Statistics are in MOUNTPOINT/.zsstats. See zsfs(1).\n";
/* clang-format on */

/* What stands above the row of a knob. */
static const struct {
	enum knob_id above;
	const char *head;
} sections[] = {
	{KNOB_SIZE, limits},
	{KNOB_MODE, "The root directory\n"},
	{KNOB_COMP, "Compression\n"},
	{KNOB_NOSWAP, "The RAM itself, as for tmpfs\n"},
	{KNOB_ALLOW_OTHER, generic},
};

static void print_head(FILE *to, enum knob_id id)
{
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (sections[i].above == id)
			fprintf(to, "\n%s", sections[i].head);
}

/* @name, and @text beside it or, where that is too long, below. */
static void print_row(FILE *to, const char *name, const char *text)
{
	int at = fprintf(to, "  %s", name);

	if (at >= INDENT) {
		fputc('\n', to);
		at = 0;
	}
	at += fprintf(to, "%*s", INDENT - at, "");
	while (*text) {
		int n = (int)strcspn(text, " ");

		if (at + 1 + n > WIDTH)
			at = fprintf(to, "\n%*s", INDENT, "") - 1;
		else if (at > INDENT)
			at += fprintf(to, " ");
		at += fprintf(to, "%.*s", n, text);
		text += n + (text[n] == ' ');
	}
	fputc('\n', to);
}

/* "size=SIZE", "survive, nosurvive" */
static void option_usage(const struct knob *k, char *text, size_t size)
{
	if (k->kind == KIND_FLAG)
		snprintf(text, size, "%s, no%s", k->option, k->option);
	else
		snprintf(text, size, "%s%s%s", k->option, k->arg ? "=" : "",
			 k->arg ? k->arg : "");
}

static void print_option(FILE *to, const struct knob *k)
{
	char name[64], text[512];

	option_usage(k, name, sizeof(name));
	snprintf(text, sizeof(text), k->fallback ? "%s (default: %s)" : "%s",
		 k->help, k->fallback);
	print_row(to, name, text);
}

static void print_options(FILE *to)
{
	for (enum knob_id id = 0; id < KNOB_NR; id++) {
		print_head(to, id);
		if (knobs[id].option)
			print_option(to, &knobs[id]);
	}
}

static void print_remount(FILE *to)
{
	char room[512];
	struct textbuf t;

	textbuf_init(&t, room, sizeof(room));
	textbuf_add(&t, "change the mount that is there: ");
	knobs_list_live(&t);
	textbuf_add(&t, ", nr_blocks, and flags such as ro");
	print_row(to, "remount", room);
}

static void print_control(FILE *to, const struct knob *k)
{
	char usage[64], text[128];

	if (!k->option) {
		print_row(to, k->file, k->help);
		return;
	}
	option_usage(k, usage, sizeof(usage));
	snprintf(text, sizeof(text), "as the option %s", usage);
	print_row(to, k->file, text);
}

static void print_controls(FILE *to)
{
	fputs("\nControls: files in MOUNTPOINT/.zsctl, to be read and "
	      "written\n",
	      to);
	for (enum knob_id id = 0; id < KNOB_NR; id++)
		if (knobs[id].file)
			print_control(to, &knobs[id]);
}

void options_help(FILE *to)
{
	fputs(intro, to);
	print_options(to);
	print_remount(to);
	fputs(ignored, to);
	print_controls(to);
	fputs(end, to);
}
