/* SPDX-License-Identifier: BSD-3-Clause */
/* On which CPU a process ran last (see client_cpu.h). */
#include "client_cpu.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The fields behind the name, in parentheses, begin with number 3. */
#define FIELD_STATE	3
#define FIELD_PROCESSOR 39

void client_cpu_forget(struct client_cpu *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->pid = 0;
}

/* By way of its task, so that not all threads of a process are summed up. */
static void open_stat(struct client_cpu *c, pid_t pid)
{
	char path[64];

	client_cpu_forget(c);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, pid);
	c->fd = open(path, O_RDONLY | O_CLOEXEC);
	c->pid = pid;
}

/* A name may hold spaces and parentheses: the last one ends it. */
static int find_processor(const char *line)
{
	const char *p = strrchr(line, ')');

	if (!p)
		return -1;
	p++;
	for (unsigned field = FIELD_STATE; p && field < FIELD_PROCESSOR;
	     field++)
		p = strchr(p + 1, ' ');
	return p ? atoi(p + 1) : -1;
}

int client_cpu_read(struct client_cpu *c, pid_t pid)
{
	char line[1024];
	ssize_t n;

	if (!pid)
		return -1;
	if (c->fd < 0 || c->pid != pid)
		open_stat(c, pid);
	n = pread(c->fd, line, sizeof(line) - 1, 0);
	if (n <= 0) {
		client_cpu_forget(c);
		return -1;
	}
	line[n] = '\0';
	return find_processor(line);
}
