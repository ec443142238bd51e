/* SPDX-License-Identifier: BSD-3-Clause */
/* The program zsfs (see program.h). */
#include "program.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool beside(char *path)
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 8);
	char *slash;

	if (n <= 0)
		return false;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return false;
	strcpy(slash + 1, "zsfs");
	return !access(path, X_OK);
}

void program_exec_zsfs(char **argv)
{
	char path[PATH_MAX];
	const char *named = getenv("ZSFS");

	argv[0] = named && *named ? (char *)named
		  : beside(path)  ? path
				  : (char *)"zsfs";
	execvp(argv[0], argv);
}
