/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays of numbers (see numbers.h). */
#include "numbers.h"

#include <errno.h>
#include <stdlib.h>

int numbers_add(struct numbers *a, uint64_t x)
{
	if (a->n == a->room) {
		size_t room = a->room ? a->room * 2 : 1024;
		uint64_t *v = realloc(a->v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		a->v = v;
		a->room = room;
	}
	a->v[a->n++] = x;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void numbers_sort(struct numbers *a)
{
	if (a->n)
		qsort(a->v, a->n, sizeof(a->v[0]), by_value);
}

size_t numbers_find(const struct numbers *a, uint64_t x)
{
	size_t lo = 0, hi = a->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (a->v[mid] < x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint64_t numbers_count(const struct numbers *a, uint64_t x)
{
	size_t first = numbers_find(a, x), k = first;

	while (k < a->n && a->v[k] == x)
		k++;
	return k - first;
}
