/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "store/store_db.h"

#include "base/banned.h"

/*
 * A file without a name until it is whole: a killed command leaves nothing.
 * Where the file system cannot do that (-ERR_UNSUPPORTED), io_write_file() serves.
 */
static int write_nameless(int dir, const char *name, const void *data, size_t len,
			  struct error *err)
{
	AUTO(fd) int fd = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	char self[64];

	if (fd < 0)
		return -ERR_UNSUPPORTED;
	if (io_write_full(fd, data, len) < 0 || fsync(fd) < 0)
		return error_sys(err, "cannot write blob %s", name);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
		return errno == ENOENT ? -ERR_UNSUPPORTED
				       : error_sys(err, "cannot name blob %s", name);
	if (fsync(dir) < 0)
		return error_sys(err, "cannot sync the blobs");
	return 0;
}

int store_blob_write(struct store *s, const void *data, size_t len, struct digest *out,
		     struct error *err)
{
	int dir = s->dirs[STORE_BLOBS], r;
	char hex[DIGEST_HEX_SIZE];
	struct stat st;

	digest_of(data, len, out);
	digest_hex(out, hex);
	if (fstatat(dir, hex, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if ((size_t)st.st_size == len)
			return 0;
		unlinkat(dir, hex, 0);
	}
	r = write_nameless(dir, hex, data, len, err);
	if (r == -ERR_UNSUPPORTED)
		r = io_write_file(dir, hex, data, len, 0600, IO_SYNC, err);
	return r;
}

int store_blob_read(struct store *s, const struct digest *d, size_t limit, struct buf *out,
		    struct error *err)
{
	char hex[DIGEST_HEX_SIZE];
	struct digest have;
	size_t start = out->len;
	int r = io_read_file(s->dirs[STORE_BLOBS], digest_hex(d, hex), limit, out, err);

	if (r == -ERR_NOT_FOUND)
		return error_set(err, ERR_NOT_FOUND, "blob sha256:%s is not in the store", hex);
	if (r < 0)
		return r;
	digest_of(out->data + start, out->len - start, &have);
	if (!digest_eq(&have, d)) {
		error_set(err, ERR_CORRUPT, "blob sha256:%s is damaged", hex);
		error_hint(err, "run `stave system check --repair`");
		return -ERR_CORRUPT;
	}
	return 0;
}

/* All of @from to @to (-1: only read); the digest of what it was. */
static int copy_hashed(int from, int to, uint64_t limit, struct digest *out, uint64_t *out_len,
		       struct error *err)
{
	enum {
		CHUNK = 256 << 10
	};
	AUTO(free) char *data = mem_alloc(CHUNK);
	struct hasher h;
	ssize_t n;

	hasher_init(&h);
	*out_len = 0;
	while ((n = io_read_full(from, data, CHUNK)) > 0) {
		*out_len += (uint64_t)n;
		if (*out_len > limit)
			return error_set(err, ERR_CORRUPT, "it is longer than announced");
		hasher_add(&h, data, (size_t)n);
		if (to >= 0 && io_write_full(to, data, (size_t)n) < 0)
			return error_sys(err, "cannot write a blob");
	}
	hasher_end(&h, out);
	return n < 0 ? error_sys(err, "cannot read a blob") : 0;
}

static int copy_to(struct store *s, int fd, int from, const char *temporary, const char *hex,
		   const struct digest *want, uint64_t size, struct error *err)
{
	int dir = s->dirs[STORE_BLOBS], r;
	struct digest have;
	uint64_t len;

	if ((r = copy_hashed(from, fd, size, &have, &len, err)) < 0)
		return r;
	if (len != size || !digest_eq(&have, want))
		return error_set(err, ERR_CORRUPT, "its bytes do not have this digest");
	if (fsync(fd) < 0 || renameat(dir, temporary, dir, hex) < 0 || fsync(dir) < 0)
		return error_sys(err, "cannot keep it");
	return 0;
}

int store_blob_copy(struct store *s, int from, const struct digest *want, uint64_t size,
		    struct error *err)
{
	int dir = s->dirs[STORE_BLOBS], r;
	char hex[DIGEST_HEX_SIZE], temporary[48] = "new-";
	AUTO(fd) int fd = -1;
	struct stat st;

	digest_hex(want, hex);
	if (fstatat(dir, hex, &st, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)st.st_size == size)
		return 0;
	/* killed before it has its name, it is a blob that no row uses: garbage */
	random_hex(temporary + 4, 32);
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_sys(err, "cannot make a blob");
	r = copy_to(s, fd, from, temporary, hex, want, size, err);
	if (r < 0) {
		unlinkat(dir, temporary, 0);
		return error_wrap(err, "blob sha256:%s", hex);
	}
	return 0;
}

int store_blob_open(struct store *s, const struct digest *d, int *out, struct error *err)
{
	char hex[DIGEST_HEX_SIZE];

	*out = openat(s->dirs[STORE_BLOBS], digest_hex(d, hex),
		      O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (*out >= 0)
		return 0;
	if (errno == ENOENT)
		return error_set(err, ERR_NOT_FOUND, "blob sha256:%s is not in the store", hex);
	return error_sys(err, "blob sha256:%s", hex);
}

/* -1 with errno. */
static int move(struct store *s, int dir, const char *name, int fd, const struct digest *d)
{
	int blobs = s->dirs[STORE_BLOBS];
	char hex[DIGEST_HEX_SIZE];

	if (fchmod(fd, 0600) < 0 || fsync(fd) < 0 ||
	    renameat(dir, name, blobs, digest_hex(d, hex)) < 0)
		return -1;
	return fsync(blobs);
}

static int take(struct store *s, int dir, const char *name, const struct digest *want,
		uint64_t size, struct error *err)
{
	AUTO(fd) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct digest have;
	uint64_t len;
	int r;

	if (fd < 0)
		return error_sys(err, "cannot open it");
	if ((r = copy_hashed(fd, -1, size, &have, &len, err)) < 0)
		return r;
	if (len != size || !digest_eq(&have, want))
		return error_set(err, ERR_CORRUPT, "its bytes do not have this digest");
	r = move(s, dir, name, fd, want);
	if (r == 0)
		return 0;
	if (errno != EXDEV)
		return error_sys(err, "cannot keep it");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, "cannot rewind it");
	return store_blob_copy(s, fd, want, size, err);
}

int store_blob_take(struct store *s, int dir, const char *name, const struct digest *want,
		    uint64_t size, struct error *err)
{
	char hex[DIGEST_HEX_SIZE];
	int r = take(s, dir, name, want, size, err);

	return r < 0 ? error_wrap(err, "blob sha256:%s", digest_hex(want, hex)) : 0;
}

int store_blob_adopt(struct store *s, int dir, const char *name, const struct digest *hashed,
		     struct error *err)
{
	AUTO(fd) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char hex[DIGEST_HEX_SIZE];

	if (fd >= 0 && move(s, dir, name, fd, hashed) == 0)
		return 0;
	return error_sys(err, "cannot keep the blob sha256:%s", digest_hex(hashed, hex));
}
