/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fills a disk must be removable, and removing needs room in the database:
 * a file that is there only to be removed when there is none.
 */
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/store_db.h"

#include "base/banned.h"

#define SPARE	    "stave.db-spare"
#define SPARE_BYTES (1u << 20)
#define LOW_BYTES   (SPARE_BYTES / 4)
#define MUCH_BYTES  (4u * SPARE_BYTES)

static uint64_t room(int root)
{
	struct statvfs fs;

	return fstatvfs(root, &fs) < 0 ? LOW_BYTES : (uint64_t)fs.f_bavail * fs.f_frsize;
}

void spare_keep(const struct store *s)
{
	const int root = s->dirs[STORE_ROOT];
	AUTO(fd) int fd = -1;

	if (faccessat(root, SPARE, F_OK, 0) == 0 || room(root) < MUCH_BYTES)
		return;
	fd = openat(root, SPARE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && fallocate(fd, 0, 0, SPARE_BYTES) < 0)
		unlinkat(root, SPARE, 0);
}

void spare_use(const struct store *s)
{
	if (room(s->dirs[STORE_ROOT]) < LOW_BYTES)
		unlinkat(s->dirs[STORE_ROOT], SPARE, 0);
}
