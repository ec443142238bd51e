/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: zsfs's virtual files. */
#include "killclient_virtual.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "killclient_record.h"

static char path[PATH_MAX];
static char text[1u << 20];
static size_t len;

static void load(void)
{
	int fd =
		(int)must(CALL(open, path, O_RDONLY | O_CLOEXEC), "open", path);
	ssize_t n;

	len = 0;
	do {
		n = CALL(read, fd, text + len, sizeof(text) - 1 - len);
		len += (size_t)must(n, "read", path);
	} while (n);
	text[len] = '\0';
	must_close(fd, path);
}

static void expect(bool fine, const char *what)
{
	if (!fine)
		fail("read %s: expected %s, got %zu bytes, \"%.200s\"", path,
		     what, len, text);
}

static void check_classes(void)
{
	load();
	expect(strstr(text, "Total") && text[len - 1] == '\n', "a Total line");
}

static void check_mm_stat(void)
{
	unsigned nr = 0;
	char *p, *end;

	load();
	p = text;
	for (;; nr++, p = end) {
		(void)strtoull(p, &end, 10);
		if (end == p)
			break;
	}
	expect(nr == 9 && strspn(p, " \n") == strlen(p), "nine numbers");
}

static void check_json(void)
{
	load();
	expect(len > 2 && text[0] == '{' && !strcmp(text + len - 2, "}\n"),
	       "an object and a line's end");
}

/* Where it is long work, that of another may go on. */
static void put(const char *value)
{
	int fd =
		(int)must(CALL(open, path, O_WRONLY | O_CLOEXEC), "open", path);
	ssize_t size = (ssize_t)strlen(value);
	ssize_t n = CALL(write, fd, value, (size_t)size);

	if (n < 0 && errno != EBUSY)
		must(n, "write", path);
	if (n >= 0 && n != size)
		fail("write %s: expected %zd, got %zd", path, size, n);
	must_close(fd, path);
}

static void trigger(void)
{
	put("1\n");
}

/* Damage is EIO at once. Another's verify may have been ended since. */
static void verify(void)
{
	trigger();
	load();
	expect(!strcmp(text, "clean\n") || !strncmp(text, "stopped", 7) ||
		       !strcmp(text, "never run\n"),
	       "no damage");
}

/* Often more than clients write, and none, and little. */
static void set_budget(void)
{
	static const char *const values[] = {"0\n",   "64K\n", "300K\n", "2M\n",
					     "64M\n", "64M\n", "256M\n"};

	put(values[rnd(sizeof(values) / sizeof(values[0]))]);
}

void virtual_use(const char *root)
{
	static const struct {
		const char *name;
		void (*use)(void);
	} files[] = {
		{".zsstats/classes", check_classes},
		{".zsstats/mm_stat", check_mm_stat},
		{".zsstats/stats.json", check_json},
		{".zsctl/compact", trigger},
		{".zsctl/settle", trigger},
		{".zsctl/hot", set_budget},
		{".zsctl/verify", verify},
	};
	unsigned i = rnd(sizeof(files) / sizeof(files[0]));

	snprintf(path, sizeof(path), "%s/%s", root, files[i].name);
	files[i].use();
}
