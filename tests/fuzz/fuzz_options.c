/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzz target: each line of the input is one word of the command line. */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include "fuzz.h"
#include "start/options.h"
#include "state/zsfs.h"
#include "state/reserve.h"
#include "volume/volume.h"

#define MAX_WORDS 12
#define MAX_TEXT  4096u

/* As volume.c's, but without all that hangs on it. */
uint64_t zsfs_min_mem_limit(unsigned nr_threads)
{
	return UINT64_C(16) << 20;
}

/* Is @name one of the options in the list, as libfuse reads it? */
static bool lists(const char *opts, const char *name)
{
	size_t len = strlen(name);
	const char *p = opts;

	for (;;) {
		size_t n = 0;

		while (p[n] && p[n] != ',')
			n += p[n] == '\\' && p[n + 1] ? 2 : 1;
		if (n == len && strncmp(p, name, n) == 0)
			return true;
		if (!p[n])
			return false;
		p += n + 1;
	}
}

static void check_taken(const struct zsfs_options *o, bool privileged)
{
	const struct zsfs_params *p = &o->fs;
	char *opts;

	if (o->help || o->version)
		return;
	FUZZ_CHECK(o->mountpoint && o->fsname && o->subtype);
	FUZZ_CHECK(strlen(o->fsname) <= 255 && strlen(o->subtype) <= 255);
	FUZZ_CHECK(p->mode <= 07777);
	FUZZ_CHECK(p->uid != UINT32_MAX && p->gid != UINT32_MAX);
	FUZZ_CHECK(p->chain_size >= 4 && p->chain_size <= 16);
	FUZZ_CHECK(p->size_limit % 4096 == 0 && p->size_limit <= INT64_MAX);
	FUZZ_CHECK(p->inode_limit <= INT64_MAX);
	FUZZ_CHECK(p->mem_limit == 0 || (p->mem_limit >= UINT64_C(16) << 20 &&
					 p->mem_limit <= INT64_MAX));
	FUZZ_CHECK(p->comp.alg < ZCOMP_NR_ALGS);
	opts = options_mount_string(o, privileged);
	FUZZ_CHECK(opts && lists(opts, "default_permissions"));
	/* Nothing that was hidden in a name became an option. */
	FUZZ_CHECK(lists(opts, "suid") ==
		   (privileged && !(o->flags & MS_NOSUID)));
	FUZZ_CHECK(lists(opts, "allow_other") == o->allow_other);
	free(opts);
}

static void check_message(const char *msg)
{
	size_t len = strlen(msg);

	FUZZ_CHECK(len > 0 && len < OPTIONS_MSG_SIZE - 1);
	for (size_t i = 0; i < len; i++)
		FUZZ_CHECK(isprint((unsigned char)msg[i]));
}

static int split(char *text, char **argv)
{
	static char as_helper[] = "/sbin/mount.zsfs", as_program[] = "zsfs";
	int argc = 1;

	argv[0] = strchr(text, 'm') ? as_helper : as_program;
	while (argc < MAX_WORDS) {
		char *end = strchr(text, '\n');

		argv[argc++] = text;
		if (!end)
			break;
		*end = '\0';
		text = end + 1;
	}
	argv[argc] = NULL;
	return argc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct environment env = {
		.ram = UINT64_C(1) << 34,
		.cpus = 1 + (unsigned)size % 20,
		.privileged = size % 2,
	};
	char text[MAX_TEXT + 1], *argv[MAX_WORDS + 1];
	char msg[OPTIONS_MSG_SIZE];
	struct zsfs_options o;
	int err, argc;

	if (size > MAX_TEXT)
		size = MAX_TEXT;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	argc = split(text, argv);
	err = options_parse(argc, argv, &env, &o, msg, sizeof(msg));
	FUZZ_CHECK(err == 0 || err == -EINVAL);
	if (err)
		check_message(msg);
	else
		check_taken(&o, env.privileged);
	options_free(&o);
	return 0;
}
