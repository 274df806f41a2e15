/* SPDX-License-Identifier: Apache-2.0 */
#include "base/io.h"

#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"

#include "base/banned.h"

#define READ_BYTES 4096

ssize_t io_read_full(int fd, void *data, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, (char *)data + have, len - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int io_write_full(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int io_read_all(int fd, size_t limit, struct buf *out, struct error *err)
{
	size_t start = out->len;

	for (;;) {
		/* small files are the rule: a page first, then twice as much each time */
		size_t spare = out->cap > out->len + 1 ? out->cap - out->len - 1 : 0;
		char *room = buf_reserve(out, spare ? spare : READ_BYTES);
		ssize_t n = read(fd, room, out->cap - out->len - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "cannot read");
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		out->data[out->len] = 0;
		if (out->len - start > limit)
			return error_set(err, ERR_LIMIT, "more than %zu bytes", limit);
	}
}

int io_read_regular(int fd, size_t limit, struct buf *out, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_sys(err, "cannot look at it");
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_INVALID, "not a regular file");
	/* one byte more, so that its end is seen; what proc says of its files is 0 */
	if (st.st_size > 0 && (uint64_t)st.st_size <= limit)
		buf_reserve(out, (size_t)st.st_size + 1);
	return io_read_all(fd, limit, out, err);
}

int io_read_file(int dirfd, const char *name, size_t limit, struct buf *out, struct error *err)
{
	AUTO(fd) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r;

	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERR_NOT_FOUND, "%s: no such file", name);
	if (fd < 0)
		return error_sys(err, "cannot open %s", name);
	if ((r = io_read_regular(fd, limit, out, err)) < 0)
		error_wrap(err, "%s", name);
	return r;
}

static int write_temporary(int fd, const void *data, size_t len, unsigned flags,
			   const char *name, struct error *err)
{
	if (io_write_full(fd, data, len) < 0)
		return error_sys(err, "cannot write %s", name);
	if ((flags & IO_SYNC) && fsync(fd) < 0)
		return error_sys(err, "cannot sync %s", name);
	return 0;
}

int io_write_file(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		  unsigned flags, struct error *err)
{
	char tag[13], temporary[64];
	AUTO(fd) int fd = -1;
	int r;

	random_hex(tag, 12);
	snprintf(temporary, sizeof(temporary), ".tmp-%s", tag);
	fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		    mode);
	if (fd < 0)
		return error_sys(err, "cannot create %s", name);
	r = write_temporary(fd, data, len, flags, name, err);
	if (r == 0) {
		unsigned how = (flags & IO_EXCLUDE) ? RENAME_NOREPLACE : 0;

		if (renameat2(dirfd, temporary, dirfd, name, how) == 0) {
			if ((flags & IO_SYNC) && fsync(dirfd) < 0)
				return error_sys(err, "cannot sync the directory of %s", name);
			return 0;
		}
		r = errno == EEXIST ? error_set(err, ERR_EXISTS, "%s exists", name)
				    : error_sys(err, "cannot write %s", name);
	}
	unlinkat(dirfd, temporary, 0);
	return r;
}

static int copy_by_buffer(int from, int to, uint64_t len, struct error *err)
{
	enum {
		CHUNK = 256 << 10
	};
	AUTO(free) char *data = mem_alloc(CHUNK);

	while (len) {
		ssize_t n = io_read_full(from, data, len < CHUNK ? (size_t)len : CHUNK);

		if (n < 0)
			return error_sys(err, "cannot read");
		if (n == 0)
			return 0;
		if (io_write_full(to, data, (size_t)n) < 0)
			return error_sys(err, "cannot write");
		if (len != UINT64_MAX)
			len -= (uint64_t)n;
	}
	return 0;
}

int io_copy(int from, int to, uint64_t len, struct error *err)
{
	if (len == UINT64_MAX && ioctl(to, FICLONE, from) == 0)
		return 0;
	while (len) {
		size_t want = len < (1u << 30) ? (size_t)len : 1u << 30;
		ssize_t n = copy_file_range(from, NULL, to, NULL, want, 0);

		if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
			      errno == EOPNOTSUPP || errno == EBADF))
			return copy_by_buffer(from, to, len, err);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, "cannot copy");
		if (n == 0)
			/* procfs and the like report no size: read to be sure */
			return copy_by_buffer(from, to, len, err);
		if (len != UINT64_MAX)
			len -= (uint64_t)n;
	}
	return 0;
}

int io_lock(int fd, bool exclusive, bool wait, struct error *err)
{
	int op = (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB);

	while (flock(fd, op) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EWOULDBLOCK)
			return error_set(err, ERR_CONFLICT, "locked by another command");
		return error_sys(err, "cannot lock");
	}
	return 0;
}

void io_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int io_pipe(int out[2], struct error *err)
{
	if (pipe2(out, O_CLOEXEC) < 0)
		return error_sys(err, "cannot make a pipe");
	return 0;
}

char *io_fd_path(int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n == (ssize_t)sizeof(path))
		errno = ENAMETOOLONG;
	return n < 0 || n == (ssize_t)sizeof(path) ? NULL : mem_strndup(path, (size_t)n);
}

int io_memfd(const char *name, const void *data, size_t len, int *out, struct error *err)
{
	AUTO(fd) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || io_write_full(fd, data, len) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) <
		    0)
		return error_sys(err, "cannot make a memory file");
	*out = take_fd(&fd);
	return 0;
}

int io_send_fds(int socket, struct iovec *parts, size_t n_parts, const int *fds, size_t n)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(IO_FDS_MAX * sizeof(int))];
	} control = {0};
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = n_parts};

	if (n > IO_FDS_MAX) {
		errno = EINVAL;
		return -1;
	}
	if (n) {
		control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(n * sizeof(int)),
						.cmsg_level = SOL_SOCKET,
						.cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.head), fds, n * sizeof(int));
		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
	}
	while (sendmsg(socket, &m, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

ssize_t io_receive_fd(int socket, struct iovec *parts, size_t n_parts, int *out_fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr m = {.msg_iov = parts,
			   .msg_iovlen = n_parts,
			   .msg_control = control.room,
			   /* not CMSG_SPACE: in its padding is room for another one */
			   .msg_controllen = CMSG_LEN(sizeof(int))};
	struct cmsghdr *c;
	ssize_t n;

	do {
		n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	*out_fd = -1;
	c = n < 0 ? NULL : CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(out_fd, CMSG_DATA(c), sizeof(int));
	return n;
}
