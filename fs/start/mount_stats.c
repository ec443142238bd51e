/* SPDX-License-Identifier: BSD-3-Clause */
/* What a mount says of itself (see mount_stats.h). */
#include "mount_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/textbuf.h"

int mount_stats_read(const char *mountpoint, char *text)
{
	char path[PATH_MAX];
	size_t n;
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "%s/.zsstats/stats.json", mountpoint);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!f) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	n = fread(text, 1, MOUNT_STATS_SIZE - 1, f);
	text[n] = '\0';
	fclose(f);
	return n > 0 ? 0 : -ENODATA;
}

const char *mount_stats_value(const char *text, const char *key, char room[256])
{
	char want[64];
	const char *at;
	bool quoted;
	size_t n;

	snprintf(want, sizeof(want), "\"%s\":", key);
	at = strstr(text, want);
	room[0] = '\0';
	if (!at)
		return room;
	at += strlen(want);
	/* A word may have commas in it. */
	quoted = *at == '"';
	at += quoted;
	n = strcspn(at, quoted ? "\"" : ",}");
	n = n < 255 ? n : 255;
	memcpy(room, at, n);
	room[n] = '\0';
	/* Any file system may be there. */
	text_make_harmless(room);
	return room;
}
