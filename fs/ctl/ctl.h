/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zsctl: what all its commands share.
 *
 * The program includes nothing of the other rooms. It knows mounts from
 * /proc/self/mountinfo and from their virtual files alone, so that it works
 * with mounts of older and newer versions: what one does not tell is shown
 * as "-".
 */
#ifndef FS_CTL_H
#define FS_CTL_H

#include <stdarg.h>
#include <stdbool.h>

/* How zsctl ends; zsctl(1) has the same list. */
enum ctl_status {
	CTL_OK = 0,
	CTL_FAILED = 1,	  /* bad usage, no permission, any other error */
	CTL_DAMAGED = 2,  /* verify found damage */
	CTL_TIMEOUT = 3,  /* wait-ready waited in vain */
	CTL_NO_MOUNT = 4, /* no zsfs is mounted there, or it is dead */
	/* Of "run", where the command has not said it. */
	CTL_RUN_FAILED = 125,
	CTL_RUN_NO_EXEC = 126,
	CTL_RUN_NOT_FOUND = 127,
};

struct ctl_option {
	int key;	  /* the letter, or a number above all of them */
	const char *name; /* NULL ends a list */
	const char *arg;  /* NULL: none */
	const char *help;
};

struct args;

struct ctl_command {
	const char *name;
	const char *operands; /* of the usage line */
	const char *summary;
	const struct ctl_option *options;
	/* Adds what --help says below the options, or NULL. */
	void (*more_help)(void);
	int (*run)(struct args *a);
	bool has_command; /* options end with the first operand */
};

extern const struct ctl_command cmd_list, cmd_show, cmd_top, cmd_settle,
	cmd_compact, cmd_verify, cmd_get, cmd_set, cmd_classes, cmd_run,
	cmd_wait_ready, cmd_replace, cmd_report, cmd_du;

/* @who and the message, on standard error, without control characters. */
void ctl_message(const char *who, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

/* The same from "zsctl". Returns CTL_FAILED. */
int ctl_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Do people look at this stream, and do they want colours there? */
bool ctl_wants_colours(int fd);

/*
 * Characters are those of the locale from now on. Nobody else calls it who
 * prints nothing but ASCII, or has others do without a look at it: to load it
 * takes longer than to ask a mount. Texts are not translated, and numbers are
 * as scripts read them.
 */
void ctl_use_locale(void);

/* Are characters of UTF-8 shown as such? Loads the locale. */
bool ctl_has_utf8(void);

#endif
