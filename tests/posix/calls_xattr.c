/* SPDX-License-Identifier: BSD-3-Clause */
/* posix_table: extended attributes and access lists (see posix_calls.h). */
#include "posix_calls.h"

#include <errno.h>
#include <linux/limits.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>

/* ---- attributes ---- */

/* @n bytes that no other number of them begins with. */
static const char *value_of(long n)
{
	for (long i = 0; i < n && i < CALL_BUF_SIZE; i++)
		call_buf[i] = (char)(n + i);
	return call_buf;
}

/* c: CREATE, r: REPLACE, other letters: what is none */
static int how(const char *s)
{
	int flags = 0;

	for (; s && *s; s++)
		flags |= *s == 'c'   ? XATTR_CREATE
			 : *s == 'r' ? XATTR_REPLACE
				     : 0x100;
	return flags;
}

/* setxattr PATH NAME BYTES [HOW] */
static long c_setxattr(char **a)
{
	long n = arg_num(a[3]);

	return call_result(
		setxattr(a[1], a[2], value_of(n), (size_t)n, how(a[4])));
}

static long c_lsetxattr(char **a)
{
	long n = arg_num(a[3]);

	return call_result(
		lsetxattr(a[1], a[2], value_of(n), (size_t)n, how(a[4])));
}

static long c_fsetxattr(char **a)
{
	long n = arg_num(a[3]);

	return call_result(fsetxattr(arg_fd(a[1]), a[2], value_of(n), (size_t)n,
				     how(a[4])));
}

static size_t room_of(const char *s)
{
	return s ? (size_t)arg_num(s) : CALL_BUF_SIZE;
}

/* getxattr PATH NAME [ROOM]; so it is with the list */
static long c_getxattr(char **a)
{
	return call_result(getxattr(a[1], a[2], call_buf, room_of(a[3])));
}

static long c_lgetxattr(char **a)
{
	return call_result(lgetxattr(a[1], a[2], call_buf, room_of(a[3])));
}

static long c_fgetxattr(char **a)
{
	return call_result(
		fgetxattr(arg_fd(a[1]), a[2], call_buf, room_of(a[3])));
}

/* hasxattr PATH NAME BYTES: is it what setxattr put? */
static long c_hasxattr(char **a)
{
	long n = arg_num(a[3]);
	ssize_t got;
	char *p = malloc(CALL_BUF_SIZE);

	if (!p)
		abort();
	got = lgetxattr(a[1], a[2], p, CALL_BUF_SIZE);
	return got < 0 ? -errno
		       : got == n && !memcmp(p, value_of(n), (size_t)n);
}

static long c_listxattr(char **a)
{
	return call_result(listxattr(a[1], call_buf, room_of(a[2])));
}

static long c_llistxattr(char **a)
{
	return call_result(llistxattr(a[1], call_buf, room_of(a[2])));
}

static long c_flistxattr(char **a)
{
	return call_result(flistxattr(arg_fd(a[1]), call_buf, room_of(a[2])));
}

static long c_removexattr(char **a)
{
	return call_result(removexattr(a[1], a[2]));
}

static long c_lremovexattr(char **a)
{
	return call_result(lremovexattr(a[1], a[2]));
}

static long c_fremovexattr(char **a)
{
	return call_result(fremovexattr(arg_fd(a[1]), a[2]));
}

/* badxattr PATH WHAT: with a name, a value or a place for one that is nowhere
 */
static long c_badxattr(char **a)
{
	char *none =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!strcmp(a[2], "name"))
		return call_result(setxattr(a[1], none, "x", 1, 0));
	if (!strcmp(a[2], "value"))
		return call_result(setxattr(a[1], "user.a", none, 9, 0));
	if (!strcmp(a[2], "get"))
		return call_result(getxattr(a[1], "user.a", none, 4096));
	return call_result(listxattr(a[1], none, 4096));
}

/* manyxattrs PATH N: N of the longest names */
static long c_manyxattrs(char **a)
{
	long n = arg_num(a[2]), err = 0;
	char name[XATTR_NAME_MAX + 1];

	for (long i = 0; !err && i < n; i++) {
		snprintf(name, sizeof(name), "user.%0250ld", i);
		err = call_result(setxattr(a[1], name, "", 0, 0));
	}
	return err;
}

/* setcap PATH [VERSION]: cap_net_raw, as setcap(8) writes it */
static long c_setcap(char **a)
{
	unsigned char cap[20] = {1, 0, 0, 2, 0, 0x20};

	if (a[2])
		cap[3] = (unsigned char)arg_num(a[2]);
	return call_result(
		setxattr(a[1], "security.capability", cap, sizeof(cap), 0));
}

/* ---- access lists ---- */

#define MAX_ENTRIES 4096

struct acl {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry e[MAX_ENTRIES];
	unsigned n;
};

static const char *acl_name(const char *s)
{
	return *s == 'd' ? XATTR_NAME_POSIX_ACL_DEFAULT
			 : XATTR_NAME_POSIX_ACL_ACCESS;
}

static void add_entry(struct acl *l, unsigned tag, unsigned id, long perm)
{
	if (l->n == MAX_ENTRIES)
		abort();
	l->e[l->n++] = (struct posix_acl_xattr_entry){
		.e_tag = (uint16_t)tag, .e_perm = (uint16_t)perm, .e_id = id};
}

static unsigned tag_of(char letter, bool named)
{
	return letter == 'u'   ? named ? ACL_USER : ACL_USER_OBJ
	       : letter == 'g' ? named ? ACL_GROUP : ACL_GROUP_OBJ
	       : letter == 'm' ? ACL_MASK
	       : letter == 'o' ? ACL_OTHER
			       : 0x40;
}

/* One entry of @s: who, and what he may; behind it. */
static const char *parse_entry(struct acl *l, const char *s)
{
	char letter = *s++, *end;
	bool named = *s == ':';
	unsigned id = UINT32_MAX;
	long perm;

	if (named) {
		id = (unsigned)strtoul(s + 1, &end, 0);
		s = end + 1;
	}
	perm = strtol(s, &end, 8);
	add_entry(l, tag_of(letter, named), id, perm);
	return end;
}

static const char *add_users(struct acl *l, const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	for (unsigned i = 0; i < n; i++)
		add_entry(l, ACL_USER, 1000 + i, 4);
	return end;
}

/* u6,u:1:6,g4,g:2:5,m6,o4; *N: N users. The size as an attribute. */
static size_t acl_of(const char *s, struct acl *l)
{
	l->head.a_version = POSIX_ACL_XATTR_VERSION;
	l->n = 0;
	while (*s) {
		s = *s == '*' ? add_users(l, s + 1) : parse_entry(l, s);
		s += *s == ',';
	}
	return sizeof(l->head) + l->n * sizeof(l->e[0]);
}

/* setacl PATH a|d LIST: the list of access, or the default one */
static long c_setacl(char **a)
{
	static struct acl l;
	size_t size = acl_of(a[3] ? a[3] : "", &l);

	return call_result(setxattr(a[1], acl_name(a[2]), &l, size, 0));
}

/* isacl PATH a|d LIST: is it that? */
static long c_isacl(char **a)
{
	static struct acl l;
	size_t size = acl_of(a[3] ? a[3] : "", &l);
	ssize_t got = getxattr(a[1], acl_name(a[2]), call_buf, CALL_BUF_SIZE);

	return got < 0 ? -errno
		       : got == (ssize_t)size && !memcmp(call_buf, &l, size);
}

static long c_dropacl(char **a)
{
	return call_result(removexattr(a[1], acl_name(a[2])));
}

/* badacl PATH a|d WHAT: what is no list */
static long c_badacl(char **a)
{
	static struct acl l;
	size_t size = acl_of("u6,g4,o4", &l);

	if (!strcmp(a[3], "version"))
		l.head.a_version++;
	else if (!strcmp(a[3], "nothing"))
		size = 0;
	else if (!strcmp(a[3], "short"))
		size = 3;
	else if (!strcmp(a[3], "odd"))
		size--;
	else
		memset(l.e, 0xff, size - sizeof(l.head));
	return call_result(setxattr(a[1], acl_name(a[2]), &l, size, 0));
}

const struct posix_call calls_xattr[] = {
	{"badacl", c_badacl},
	{"badxattr", c_badxattr},
	{"dropacl", c_dropacl},
	{"fgetxattr", c_fgetxattr},
	{"flistxattr", c_flistxattr},
	{"fremovexattr", c_fremovexattr},
	{"fsetxattr", c_fsetxattr},
	{"getxattr", c_getxattr},
	{"hasxattr", c_hasxattr},
	{"isacl", c_isacl},
	{"lgetxattr", c_lgetxattr},
	{"listxattr", c_listxattr},
	{"llistxattr", c_llistxattr},
	{"lremovexattr", c_lremovexattr},
	{"lsetxattr", c_lsetxattr},
	{"manyxattrs", c_manyxattrs},
	{"removexattr", c_removexattr},
	{"setacl", c_setacl},
	{"setcap", c_setcap},
	{"setxattr", c_setxattr},
	{0},
};
