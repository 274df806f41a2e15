/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/remote_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/root.h"
#include "base/strlist.h"

#include "base/banned.h"

#define PREFIX	   "new-"
#define YOUNG_SECS 60 /* between its making and its lock, a new thing is nobody's */

static void remove_if_left(int dir, const char *name)
{
	AUTO(fd) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    st.st_ctim.tv_sec > clock_now_ns() / 1000000000 - YOUNG_SECS ||
	    io_lock(fd, true, false, NULL) < 0)
		return;
	root_remove(dir, name, NULL);
}

static void sweep(int dir)
{
	AUTO(dir_list) struct dir_list list = {0};

	if (dir_list_read(dir, &list, NULL) < 0)
		return;
	for (size_t i = 0; i < list.n; i++)
		if (str_starts(list.items[i].name, PREFIX))
			remove_if_left(dir, list.items[i].name);
}

int remote_cache_open(int cache, const char *name, int *out_fd, struct error *err)
{
	if (mkdirat(cache, name, 0700) < 0 && errno != EEXIST)
		return error_sys(err, "cannot create cache/%s", name);
	*out_fd = openat(cache, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*out_fd < 0)
		return error_sys(err, "cannot open cache/%s", name);
	sweep(*out_fd);
	return 0;
}

int remote_cache_new(int dir, bool directory, char name[REMOTE_NEW_SIZE], int *out_fd,
		     struct error *err)
{
	memcpy(name, PREFIX, sizeof(PREFIX));
	random_hex(name + strlen(PREFIX), 32);
	if (!directory)
		*out_fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	else if (mkdirat(dir, name, 0700) < 0)
		*out_fd = -1;
	else
		*out_fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out_fd < 0)
		return error_sys(err, "cannot make a file in the cache");
	return io_lock(*out_fd, true, true, err);
}
