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

int ctl_error(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "zsctl: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
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
