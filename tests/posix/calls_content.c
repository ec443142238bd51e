/* SPDX-License-Identifier: BSD-3-Clause */
/* posix_table: calls about content of files (see posix_calls.h). */
#include "posix_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static long c_open(char **a)
{
	return call_push(open(a[1], arg_flags(a[2]) | O_CLOEXEC,
			      a[3] ? arg_oct(a[3]) : 0644));
}

static long c_close(char **a)
{
	return call_result(close(arg_fd(a[1])));
}

/* file PATH SIZE [MODE]: make one. */
static long c_file(char **a)
{
	int fd = open(a[1], O_WRONLY | O_CREAT | O_EXCL, 0644);
	long n = arg_num(a[2]), err = 0;

	memset(call_buf, 'x', sizeof(call_buf));
	if (fd < 0 || write(fd, call_buf, (size_t)n) != n ||
	    (a[3] && fchmod(fd, arg_oct(a[3]))))
		err = -errno;
	close(fd);
	return err;
}

static long c_read(char **a)
{
	return call_result(read(arg_fd(a[1]), call_buf, (size_t)arg_num(a[2])));
}

static long c_write(char **a)
{
	memset(call_buf, 'y', sizeof(call_buf));
	return call_result(
		write(arg_fd(a[1]), call_buf, (size_t)arg_num(a[2])));
}

static long c_pread(char **a)
{
	return call_result(pread(arg_fd(a[1]), call_buf, (size_t)arg_num(a[2]),
				 arg_num(a[3])));
}

static long c_pwrite(char **a)
{
	memset(call_buf, 'y', sizeof(call_buf));
	return call_result(pwrite(arg_fd(a[1]), call_buf, (size_t)arg_num(a[2]),
				  arg_num(a[3])));
}

/* badbuf FD r|w: with a buffer that is nowhere */
static long c_badbuf(char **a)
{
	void *none =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return call_result(*a[2] == 'r' ? read(arg_fd(a[1]), none, 100)
					: write(arg_fd(a[1]), none, 100));
}

static long c_lseek(char **a)
{
	static const char *const words[] = {"set", "cur", "end", "data",
					    "hole"};
	int whence = 99;

	for (int i = 0; i < 5; i++)
		if (!strcmp(a[3], words[i]))
			whence = i;
	return call_result(lseek(arg_fd(a[1]), arg_num(a[2]), whence));
}

static long c_truncate(char **a)
{
	return call_result(truncate(a[1], arg_num(a[2])));
}

static long c_ftruncate(char **a)
{
	return call_result(ftruncate(arg_fd(a[1]), arg_num(a[2])));
}

/* fallocate FD MODE OFFSET LENGTH */
static long c_fallocate(char **a)
{
	return call_result(fallocate(arg_fd(a[1]), (int)arg_num(a[2]),
				     arg_num(a[3]), arg_num(a[4])));
}

static long c_copy(char **a)
{
	return call_result(copy_file_range(arg_fd(a[1]), NULL, arg_fd(a[2]),
					   NULL, (size_t)arg_num(a[3]), 0));
}

static long c_sendfile(char **a)
{
	return call_result(sendfile(arg_fd(a[2]), arg_fd(a[1]), NULL,
				    (size_t)arg_num(a[3])));
}

static long c_fsync(char **a)
{
	return call_result(fsync(arg_fd(a[1])));
}

/* byte FD OFFSET: what is there. */
static long c_byte(char **a)
{
	unsigned char c = 0;
	ssize_t n = pread(arg_fd(a[1]), &c, 1, arg_num(a[2]));

	return n < 0 ? -errno : n ? c : -1000;
}

/* mmap FD LENGTH PROT(rw): mapped shared, and gone again */
static long c_mmap(char **a)
{
	int prot = PROT_READ | (strchr(a[3], 'w') ? PROT_WRITE : 0);
	void *p = mmap(NULL, (size_t)arg_num(a[2]), prot, MAP_SHARED,
		       arg_fd(a[1]), 0);

	if (p == MAP_FAILED)
		return -errno;
	return call_result(munmap(p, (size_t)arg_num(a[2])));
}

/* store FD OFFSET: one byte 'z' through a mapping */
static long c_store(char **a)
{
	long at = arg_num(a[2]), start = at & ~4095L;
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
		       arg_fd(a[1]), start);

	if (p == MAP_FAILED)
		return -errno;
	p[at - start] = 'z';
	if (msync(p, 4096, MS_SYNC))
		return -errno;
	return call_result(munmap(p, 4096));
}

/* appenders PATH N: N processes append 100 times 10 bytes; then the size */
static long c_appenders(char **a)
{
	struct stat st;

	for (long i = arg_num(a[2]); i > 0; i--) {
		int fd;

		if (fork())
			continue;
		fd = open(a[1], O_WRONLY | O_APPEND);
		for (int k = 0; k < 100; k++)
			if (write(fd, "0123456789", 10) != 10)
				_exit(1);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	return stat(a[1], &st) ? -errno : st.st_size;
}

const struct posix_call calls_content[] = {
	{"appenders", c_appenders}, {"badbuf", c_badbuf},
	{"byte", c_byte},	    {"close", c_close},
	{"copy", c_copy},	    {"fallocate", c_fallocate},
	{"file", c_file},	    {"fsync", c_fsync},
	{"ftruncate", c_ftruncate}, {"lseek", c_lseek},
	{"mmap", c_mmap},	    {"open", c_open},
	{"pread", c_pread},	    {"pwrite", c_pwrite},
	{"read", c_read},	    {"sendfile", c_sendfile},
	{"store", c_store},	    {"truncate", c_truncate},
	{"write", c_write},	    {0},
};
