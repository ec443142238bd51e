/* SPDX-License-Identifier: BSD-3-Clause */
/* zsctl: finding the command, and what holds for all of them (see ctl.h). */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"

static const struct ctl_command *const commands[] = {
	&cmd_list,    &cmd_show,       &cmd_top,     &cmd_du,	  &cmd_settle,
	&cmd_compact, &cmd_verify,     &cmd_get,     &cmd_set,	  &cmd_classes,
	&cmd_run,     &cmd_wait_ready, &cmd_replace, &cmd_report,
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* ---- standard streams ---- */

/*
 * A stream that is closed must not become a mount's file. What takes its place
 * cannot be written to, so that lost output is still an error.
 */
static void fill_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* Who closed a pipe has seen enough; anything else is told. */
static void flush_output(void)
{
	bool failed = ferror(stdout);

	errno = 0;
	if ((fflush(stdout) || failed) && errno != EPIPE) {
		fprintf(stderr, "zsctl: cannot write: %s\n", strerror(errno));
		_exit(CTL_FAILED);
	}
}

/* ---- commands ---- */

static void list_commands(void)
{
	printf("\nCommands\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
	printf("\n\"zsctl COMMAND --help\" says more of each. See zsctl(1).\n");
}

static int help_all(void)
{
	printf("Usage: zsctl [COMMAND] [options] [OPERANDS]\n\n"
	       "See and change what zsfs mounts do. Without a command: "
	       "list.\n");
	list_commands();
	printf("\nOptions\n  -h, --help     show this text and end\n"
	       "  -V, --version  show the version and end\n");
	return CTL_OK;
}

static const struct ctl_command *find(const char *name)
{
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static bool is(const char *arg, const char *letter, const char *name)
{
	return !strcmp(arg, letter) || !strcmp(arg, name);
}

/* Without a command, options and operands are those of list. */
static int dispatch(int argc, char **argv)
{
	struct args a = {.cmd = &cmd_list, .argc = argc, .argv = argv};
	const struct ctl_command *named = argc > 1 ? find(argv[1]) : NULL;

	if (argc > 1 && is(argv[1], "-h", "--help"))
		return help_all();
	if (argc > 1 && !strcmp(argv[1], "help"))
		return help_all();
	if (named) {
		a.cmd = named;
		a.argc--;
		a.argv++;
	} else if (argc > 1 && argv[1][0] != '-' && !strchr(argv[1], '/')) {
		ctl_error("there is no command \"%s\"; see \"zsctl --help\"",
			  argv[1]);
		return CTL_FAILED;
	}
	/* getopt_long() says it in its messages. */
	a.argv[0] = (char *)"zsctl";
	return a.cmd->run(&a);
}

int main(int argc, char **argv)
{
	fill_streams();
	/* Little memory, and the threads that ask take turns. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, 1 << 20);
	atexit(flush_output);
	return dispatch(argc, argv);
}
