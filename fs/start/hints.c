/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hints: what somebody who does not know the command line may have meant, and
 * how that is said to zsfs. Without them most of it would mount something: a
 * SOURCE may be any word.
 */
#include <errno.h>
#include <string.h>

#include "options_i.h"

struct command {
	const char *words; /* separated by blanks */
	const char *how;
};

static const struct command commands[] = {
	{"umount unmount stop eject",
	 "to unmount: umount MOUNTPOINT, as an ordinary user fusermount3 -u "
	 "MOUNTPOINT"},
	{"status stat stats show list ls info df",
	 "findmnt -t fuse.zsfs lists the mounts, and MOUNTPOINT/.zsstats has "
	 "their figures"},
	{"remount resize set config tune",
	 "to change limits: zsfs -o remount,size=8G MOUNTPOINT"},
	{"compact trim verify check fsck scrub",
	 "write anything to MOUNTPOINT/.zsctl/compact or "
	 "MOUNTPOINT/.zsctl/verify"},
	{"replace upgrade update restart",
	 "to put this program under a mount: zsfs --replace MOUNTPOINT"},
	{"help version", "see zsfs --help and zsfs --version"},
	{"mount start create run mkfs format new",
	 "to mount: zsfs -o size=8G MOUNTPOINT"},
};

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (;;) {
		size_t n = strcspn(list, " ");

		if (n == len && !strncmp(list, word, n))
			return true;
		if (!list[n])
			return false;
		list += n + 1;
	}
}

static int explain_command(struct parser *p, const char *word)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!has_word(commands[i].words, word))
			continue;
		textbuf_add(&p->msg, "there is no command \"%s\"; %s", word,
			    commands[i].how);
		return -EINVAL;
	}
	return 0;
}

/* "size=8G", "ro,size=8G" and so on, which belong behind -o. */
static bool looks_like_options(const struct parser *p, const char *text)
{
	bool with_value = text[strcspn(text, "=,")] != '\0';

	/* What mount(8) is given as a source may well be called "dev". */
	return options_is_name(text, strcspn(text, "=,")) &&
	       (with_value || !p->by_mount);
}

static int explain_option(struct parser *p, const char *text)
{
	char room[64];

	options_shown(text, room);
	textbuf_add(&p->msg,
		    "\"%s\" is an option, and options go behind -o, separated "
		    "by commas: did you mean -o %s? (A SOURCE of this name: -o "
		    "fsname=%s)",
		    room, room, room);
	return -EINVAL;
}

int hints_for_operands(struct parser *p, int n, char **args)
{
	int err = n && !p->by_mount ? explain_command(p, args[0]) : 0;

	for (int i = 0; !err && i < n; i++) {
		if (looks_like_options(p, args[i]))
			err = explain_option(p, args[i]);
	}
	return err;
}

/* "--size=8G", "-nosuid": an option as other programs take them. */
static const char *dashed_option(char **argv)
{
	for (int i = 1; argv[i] && strcmp(argv[i], "--"); i++) {
		const char *name = argv[i] + strspn(argv[i], "-");

		if (name != argv[i] && name[0] && name[1] &&
		    options_is_name(name, strcspn(name, "=,")))
			return argv[i];
	}
	return NULL;
}

int hints_for_dashes(struct parser *p, char **argv)
{
	const char *dashed = dashed_option(argv);
	char room[64];

	if (!dashed)
		return 0;
	options_shown(dashed, room);
	textbuf_add(&p->msg, "unknown option \"%s\"; did you mean -o %s?", room,
		    room + strspn(room, "-"));
	return -EINVAL;
}

int hints_for_flag(struct parser *p, const char *flag)
{
	if (strcmp(flag, "-u") && strcmp(flag, "--unmount"))
		return options_unknown(p, "unknown option", flag);
	textbuf_add(&p->msg, "unknown option \"%s\"; %s", flag,
		    commands[0].how);
	return -EINVAL;
}
