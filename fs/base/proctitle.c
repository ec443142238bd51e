/* SPDX-License-Identifier: BSD-3-Clause */
/* What ps(1) shows of a process (see proctitle.h). */
#include "proctitle.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "env_vars.h"

/* The kernel shows one page of a title. */
#define MAX_TITLE ((size_t)4096)

/*
 * Room for the title. The kernel takes the command line for a title when the
 * last byte of the arguments is not NUL, and then shows all up to the first
 * NUL.
 */
static char *room;
static size_t room_size; /* 0 = none */
static size_t args_size;

/* The end of @strings, as far as one begins where the last one ended. */
static char *end_of(char **strings, char *end)
{
	for (; *strings; strings++) {
		if (*strings == end)
			end += strlen(end) + 1;
	}
	return end;
}

void proctitle_init(int argc, char **argv)
{
	char *args_end, *end;

	if (argc < 1)
		return;
	args_end = end_of(argv, argv[0]);
	end = end_of(environ, args_end);
	if (!env_vars_move())
		return;
	room = argv[0];
	args_size = (size_t)(args_end - room);
	room_size = (size_t)(end - room);
	if (room_size > MAX_TITLE)
		room_size = MAX_TITLE;
}

void proctitle_set(const char *role, const char *mountpoint)
{
	int len;

	if (!room_size)
		return;
	len = snprintf(room, room_size, "zsfs: %s %s", role, mountpoint);
	/* One that ends with the arguments looks like them, NUL and all. */
	if (len >= 0 && (size_t)len + 1 < args_size)
		room[args_size - 1] = ' ';
}
