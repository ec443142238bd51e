/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: the first byte chooses a control file, the rest is written to
 * it. A value is taken whole or refused without a trace.
 */
#include <stdarg.h>
#include "../unit/fs_fakes.h"
#include "fuzz.h"
#include "base/log.h"
#include "state/zsfs.h"

#define TEXT 512u

static const enum knob_id files[] = {
	KNOB_COMPACT,	KNOB_COMP,	   KNOB_SIZE,	KNOB_MEM_LIMIT,
	KNOB_NR_INODES, KNOB_MEM_USED_MAX, KNOB_VERIFY, KNOB_MODE,
};

/* Instead of log.c's, which would fill the terminal. */
void zsfs_log(int level, const char *fmt, ...)
{
	FUZZ_CHECK(level >= 0 && fmt);
}

void zsfs_log_limited(struct log_ratelimit *rl, int level, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	FUZZ_CHECK(vsnprintf(text, sizeof(text), fmt, ap) < 400);
	va_end(ap);
}

static void render(enum knob_id id, char *text)
{
	int len = control_render(&fake_fs, id, text, TEXT);

	FUZZ_CHECK(len > 0 && text[len] == '\0' && text[len - 1] == '\n');
}

static bool has_limit(enum knob_id id)
{
	return id == KNOB_SIZE || id == KNOB_MEM_LIMIT || id == KNOB_NR_INODES;
}

static int write_to(enum knob_id id, const void *data, size_t len)
{
	return control_write(&fake_fs, &fake_threads[0], false, id, data, len);
}

/* Taken: what it shows now is another way to write the same. */
static void check_taken(enum knob_id id, char *text)
{
	char again[TEXT];

	render(id, text);
	if (!has_limit(id))
		return;
	FUZZ_CHECK(write_to(id, text, strlen(text)) == 0);
	render(id, again);
	FUZZ_CHECK(!strcmp(text, again));
}

static void set_up(unsigned how)
{
	fake_reset();
	fake_fs.used_blocks = how % 2 ? 1000 : 0;
	fake_fs.used_inodes = how % 2 ? 10 : 0;
	fake_super.size_limit = 4096000;
	fake_super.inode_limit = 1000;
	fake.mem.limit = UINT64_C(1) << 30;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char before[TEXT], after[TEXT];
	enum knob_id id;
	int err;

	if (size < 1)
		return 0;
	id = files[data[0] % 8];
	set_up(data[0] / 8);
	err = write_to(id, data + 1, size - 1);
	if (id == KNOB_MODE) {
		FUZZ_CHECK(err == -EPERM || err == -EINVAL);
		return 0;
	}
	FUZZ_CHECK(err == 0 || err == -EINVAL);
	if (!err) {
		check_taken(id, after);
		return 0;
	}
	render(id, after);
	set_up(data[0] / 8);
	render(id, before);
	FUZZ_CHECK(!strcmp(before, after));
	return 0;
}
