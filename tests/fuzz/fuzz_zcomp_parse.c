/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzz target: the text is an algorithm, as in comp= and comp_algorithm. */
#include <errno.h>
#include <string.h>
#include "fuzz.h"
#include "guard.h"
#include "zcomp.h"

#define MAX_TEXT 64u

static int max_level(enum zcomp_alg alg)
{
	return alg == ZCOMP_LZ4 ? 65537 : alg == ZCOMP_ZSTD ? 19 : 0;
}

/* @text was taken as @params: does it say just that? */
static void check_taken(const char *text, const struct zcomp_params *params)
{
	struct zcomp_params again = {ZCOMP_NR_ALGS, -1};
	char name[32], list[96];
	int len = zcomp_format(params, name, sizeof(name));

	FUZZ_CHECK(params->alg < ZCOMP_NR_ALGS);
	FUZZ_CHECK(params->level >= (params->alg != ZCOMP_RAW));
	FUZZ_CHECK(params->level <= max_level(params->alg));
	FUZZ_CHECK(len > 0 && (size_t)len == strlen(name));
	/* Another spelling than the canonical one names the default level. */
	FUZZ_CHECK(!strncmp(text, name, (size_t)len));
	FUZZ_CHECK(!text[len] ||
		   (params->level == 1 && !strcmp(text + len, ":1")));
	FUZZ_CHECK(!zcomp_parse(name, &again));
	FUZZ_CHECK(again.alg == params->alg && again.level == params->level);
	len = zcomp_format_list(params, list, sizeof(list));
	FUZZ_CHECK((size_t)len == strlen(list) && strstr(list, name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char *guard;
	struct zcomp_params params = {ZCOMP_NR_ALGS, -1};
	char *text;
	int ret;

	if (!guard)
		guard = guard_create();
	if (size > MAX_TEXT)
		size = MAX_TEXT;
	text = (char *)guard_tail(guard, size + 1);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';

	ret = zcomp_parse(text, &params);
	if (!ret) {
		check_taken(text, &params);
		return 0;
	}
	FUZZ_CHECK(ret == -EINVAL);
	FUZZ_CHECK(params.alg == ZCOMP_NR_ALGS && params.level == -1);
	return 0;
}
