/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * standalone: runs a fuzz target without libFuzzer, as a regression test.
 *
 *   TARGET [-runs=N] [-seed=S] FILE|DIRECTORY...
 *
 * Every file is given to the target as it is; then N random changes of them
 * are. When the target dies, the input that did it is named, and so is the
 * way to see it again: the changes depend on the seed and the files alone.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fuzz.h"

#define INPUT_SIZE 65536u
#define MAX_INPUTS 65536u

struct input {
	char *path;
	uint8_t *data;
	size_t size;
};

static struct input inputs[MAX_INPUTS];
static size_t nr_inputs;
static uint64_t rng_state;

/* What is being run, for the message when it dies. */
static const char *running_path = "(none)";
static unsigned long running_change, seed = 1;

void __sanitizer_set_death_callback(void (*callback)(void))
	__attribute__((weak));

static void say_what_died(void)
{
	char text[512];
	int len = snprintf(text, sizeof(text),
			   "died on %s, change %lu (0: none) of -seed=%lu\n",
			   running_path, running_change, seed);

	if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0)
		_exit(1);
}

static void on_signal(int sig)
{
	say_what_died();
	raise(sig);
}

/* A sanitizer has its own handlers and calls back; else we need ours. */
static void watch_for_death(void)
{
	static const int signals[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};
	struct sigaction action = {.sa_handler = on_signal,
				   .sa_flags = (int)SA_RESETHAND};
	size_t i;

	if (__sanitizer_set_death_callback) {
		__sanitizer_set_death_callback(say_what_died);
		sigaction(SIGABRT, &action, NULL);
		return;
	}
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

static void fail(const char *path, const char *what)
{
	fprintf(stderr, "%s: %s\n", path, what);
	exit(2);
}

static void add_file(const char *path)
{
	struct input *in = &inputs[nr_inputs];
	FILE *file = fopen(path, "rb");

	if (!file)
		fail(path, strerror(errno));
	if (nr_inputs == MAX_INPUTS)
		fail(path, "too many inputs");
	in->path = strdup(path);
	in->data = malloc(INPUT_SIZE);
	if (!in->path || !in->data)
		fail(path, "no memory");
	in->size = fread(in->data, 1, INPUT_SIZE, file);
	if (ferror(file))
		fail(path, "cannot be read");
	fclose(file);
	nr_inputs++;
}

static void add_path(const char *path);

/* Sorted by name, so that the random changes are the same everywhere. */
static void add_directory(const char *path)
{
	struct dirent **entries;
	char child[4096];
	int n = scandir(path, &entries, NULL, alphasort);
	int i;

	if (n < 0)
		fail(path, strerror(errno));
	for (i = 0; i < n; i++) {
		snprintf(child, sizeof(child), "%s/%s", path,
			 entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			add_path(child);
		free(entries[i]);
	}
	free(entries);
}

static void add_path(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		fail(path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		add_directory(path);
	else
		add_file(path);
}

/* A copy of exactly @size bytes, so that a sanitizer sees its end. */
static void run_one(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		fail(running_path, "no memory");
	if (size)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static uint64_t rng(void)
{
	uint64_t z = rng_state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static size_t rng_below(size_t limit)
{
	return limit ? (size_t)(rng() % limit) : 0;
}

/* One random change of the @size bytes at @data, which has room for more. */
static size_t change(uint8_t *data, size_t size)
{
	size_t kind = rng_below(5);
	size_t at = rng_below(size);
	size_t from = rng_below(size);
	uint8_t byte = (uint8_t)rng();

	if (!size || (kind == 0 && size < INPUT_SIZE)) { /* one byte more */
		memmove(data + at + 1, data + at, size - at);
		data[at] = byte;
		return size + 1;
	}
	switch (kind) {
	case 1: /* cut */
		return at;
	case 2: /* flip a bit */
		data[at] ^= (uint8_t)(1u << byte % 8);
		return size;
	case 3: /* copy a part over another */
		memmove(data + at, data + from,
			rng_below(size - (at > from ? at : from)));
		return size;
	default: /* another byte */
		data[at] = byte;
		return size;
	}
}

static void run_changed(unsigned long runs)
{
	static uint8_t data[INPUT_SIZE];
	unsigned long i;

	rng_state = seed;
	for (i = 1; i <= runs; i++) {
		const struct input *in = &inputs[rng_below(nr_inputs)];
		size_t size = in->size;
		size_t nr_changes = 1 + rng_below(4);

		memcpy(data, in->data, size);
		while (nr_changes--)
			size = change(data, size);
		running_path = in->path;
		running_change = i;
		run_one(data, size);
	}
}

int main(int argc, char **argv)
{
	unsigned long runs = 0;
	size_t i;
	int arg;

	watch_for_death();
	for (arg = 1; arg < argc; arg++) {
		if (!strncmp(argv[arg], "-runs=", 6))
			runs = strtoul(argv[arg] + 6, NULL, 10);
		else if (!strncmp(argv[arg], "-seed=", 6))
			seed = strtoul(argv[arg] + 6, NULL, 10);
		else
			add_path(argv[arg]);
	}
	if (!nr_inputs)
		fail(argv[0], "no input given");
	for (i = 0; i < nr_inputs; i++) {
		running_path = inputs[i].path;
		run_one(inputs[i].data, inputs[i].size);
	}
	run_changed(runs);
	printf("%zu inputs, %lu changed ones of seed %lu\n", nr_inputs, runs,
	       seed);
	for (i = 0; i < nr_inputs; i++) {
		free(inputs[i].data);
		free(inputs[i].path);
	}
	return 0;
}
