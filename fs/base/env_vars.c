/* SPDX-License-Identifier: BSD-3-Clause */
/* Environment variables (see env_vars.h). */
#include "env_vars.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of libc, the loader and what looks for errors: a new program needs these. */
static const char *const kept[] = {
	"PATH=*",
	"TZ=*",
	"LANG=*",
	"LANGUAGE=*",
	"LC_*",
	"LD_*",
	"GLIBC_TUNABLES=*",
	"MALLOC_*",
	"GCOV_*",
	"LLVM_PROF*",
	"[ALTU]*SAN_OPTIONS=*",
	"ZSFS_TEST_*",
};

/* Where the kernel has put them; NULL: nothing was copied. */
static char **old;

static void free_all(char **vars)
{
	for (char **v = vars; *v; v++)
		free(*v);
	free(vars);
}

bool env_vars_move(void)
{
	size_t n = 0;
	char **copy;

	while (environ[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	if (!copy)
		return false;
	for (size_t i = 0; i < n; i++) {
		copy[i] = strdup(environ[i]);
		if (!copy[i]) {
			free_all(copy);
			return false;
		}
	}
	old = environ;
	environ = copy;
	return true;
}

static bool is_kept(const char *var)
{
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (!fnmatch(kept[i], var, 0))
			return true;
	return false;
}

static void wipe(char *var)
{
	explicit_bzero(var, strlen(var));
}

void env_vars_wipe(void)
{
	char **last = environ;

	for (char **v = old; v && *v; v++)
		wipe(*v);
	for (char **v = environ; *v; v++) {
		if (is_kept(*v)) {
			*last++ = *v;
			continue;
		}
		wipe(*v);
		if (old)
			free(*v);
	}
	*last = NULL;
}
