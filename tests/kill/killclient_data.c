/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: content, and moving it to and from files. */
#include "killclient_data.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "killclient_record.h"

#define CELL  64u /* 32 bytes that say where they belong, 32 random ones */
#define SHOWN 40u

static char *put_hex(char *p, uint64_t val, unsigned digits)
{
	while (digits--)
		*p++ = "0123456789abcdef"[val >> (4 * digits) & 15];
	return p;
}

static void put_text(char *p, uint32_t id, uint32_t version, uint64_t cell)
{
	*p++ = '<';
	p = put_hex(p, id, 8);
	*p++ = ' ';
	p = put_hex(p, version, 8);
	*p++ = ' ';
	p = put_hex(p, cell * CELL, 8);
	memcpy(p, " zsfs", 5);
}

static void put_random(unsigned char *p, uint64_t key, unsigned len)
{
	for (unsigned i = 0; i < len; i += 8) {
		uint64_t x = mix(key + i);

		memcpy(p + i, &x, 8);
	}
}

static void make_cell(unsigned char *p, uint32_t id, uint32_t version,
		      uint64_t cell)
{
	uint64_t key = mix((uint64_t)id << 32 | version);
	unsigned kind = (unsigned)(mix(key + cell * CELL / BLOCK) >> 60);

	key = mix(key ^ cell << 20);
	if (kind == 0) {
		memset(p, 0, CELL);
	} else if (kind == 1) {
		put_random(p, key, CELL);
	} else {
		put_text((char *)p, id, version, cell);
		put_random(p + CELL / 2, key, CELL / 2);
	}
}

void data_fill(unsigned char *buf, uint32_t id, uint32_t version, size_t off,
	       size_t len)
{
	size_t n;

	for (size_t done = 0; done < len; done += n) {
		unsigned char cell[CELL];
		size_t at = (off + done) % CELL;

		n = CELL - at < len - done ? CELL - at : len - done;
		make_cell(cell, id, version, (off + done) / CELL);
		memcpy(buf + done, cell + at, n);
	}
}

bool data_is_zero(const unsigned char *p, size_t len)
{
	return len == 0 || (p[0] == 0 && !memcmp(p, p + 1, len - 1));
}

/* ---- comparing ---- */

static void show(char *out, const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len && i < SHOWN; i++)
		out += p[i] > ' ' && p[i] < 127 && p[i] != '\\'
			       ? sprintf(out, "%c", p[i])
			       : sprintf(out, "\\%02x", p[i]);
	*out = '\0';
}

void data_compare(const unsigned char *got, const unsigned char *want,
		  size_t off, size_t len, const char *how, const char *path)
{
	char want_text[SHOWN * 3 + 1], got_text[SHOWN * 3 + 1];
	size_t first = 0, last = 0, differ = 0;

	if (!memcmp(got, want, len))
		return;
	for (size_t i = 0; i < len; i++) {
		if (got[i] == want[i])
			continue;
		if (!differ++)
			first = i;
		last = i;
	}
	show(want_text, want + first, len - first);
	show(got_text, got + first, len - first);
	fail("%s %s: wrong bytes: %zu of %zu read at offset %zu differ, "
	     "the first at %zu, the last at %zu; from the first on "
	     "expected \"%s\", got \"%s\"",
	     how, path, differ, len, off, off + first, off + last, want_text,
	     got_text);
}

/* ---- moving ---- */

void data_put(int fd, const void *buf, size_t len, off_t off, const char *path)
{
	const char *call = off < 0 ? "write" : "pwrite";
	size_t done = 0;

	while (done < len) {
		const char *from = (const char *)buf + done;
		ssize_t n;

		if (off < 0)
			n = CALL(write, fd, from, len - done);
		else
			n = CALL(pwrite, fd, from, len - done,
				 off + (off_t)done);
		if (n < 0)
			fail("%s %s: %zu bytes at offset %lld: expected "
			     "success, got %s",
			     call, path, len - done,
			     (long long)(off < 0 ? off : off + (off_t)done),
			     strerrorname_np(errno));
		if (n == 0 || (size_t)n > len - done ||
		    ((size_t)n < len - done && !interruptible))
			fail("%s %s: short write: %zd of %zu bytes at offset "
			     "%lld",
			     call, path, n, len - done,
			     (long long)(off < 0 ? off : off + (off_t)done));
		done += (size_t)n;
	}
}

bool data_get(int fd, unsigned char *buf, size_t len, off_t off, size_t want,
	      bool may_refuse, const char *path)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = CALL(pread, fd, buf + done, len - done,
				 off + (off_t)done);

		if (n < 0 && may_refuse && errno == EINVAL)
			return false;
		if (n < 0)
			fail("pread %s: %zu bytes at offset %lld: expected "
			     "success, got %s",
			     path, len - done, (long long)off + (off_t)done,
			     strerrorname_np(errno));
		if (n == 0)
			break;
		done += (size_t)n;
		if (done < want && !interruptible)
			fail("pread %s: short read: %zu of %zu bytes at offset "
			     "%lld",
			     path, done, want, (long long)off);
	}
	if (done != want)
		fail("pread %s: %zu bytes at offset %lld: expected %zu, got "
		     "%zu",
		     path, len, (long long)off, want, done);
	return true;
}
