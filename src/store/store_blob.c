/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "store/store_db.h"

#include "base/banned.h"

int store_blob_write(struct store *s, const void *data, size_t len, struct digest *out,
		     struct error *err)
{
	char hex[DIGEST_HEX_SIZE];
	struct stat st;

	digest_of(data, len, out);
	digest_hex(out, hex);
	if (fstatat(s->dirs[STORE_BLOBS], hex, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (size_t)st.st_size == len)
		return 0;
	return io_write_file(s->dirs[STORE_BLOBS], hex, data, len, 0600, IO_SYNC, err);
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
