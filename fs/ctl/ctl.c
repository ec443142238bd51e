/* SPDX-License-Identifier: BSD-3-Clause */
/* What all commands share (see ctl.h). */
#include "ctl.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

void ctl_message(const char *who, const char *fmt, va_list args)
{
	char *text = NULL;

	fflush(stdout);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	fprintf(stderr, "%s: %s\n", who,
		text ? text_clean(text, '\0') : "no memory");
	free(text);
}

int ctl_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	ctl_message("zsctl", fmt, args);
	va_end(args);
	return CTL_FAILED;
}

bool ctl_wants_colours(int fd)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	return isatty(fd) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

void ctl_use_locale(void)
{
	static bool loaded;

	if (!loaded)
		setlocale(LC_CTYPE, "");
	loaded = true;
}

bool ctl_has_utf8(void)
{
	ctl_use_locale();
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}
