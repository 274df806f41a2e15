/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/root.h"
#include "store/store_db.h"

#include "base/banned.h"

static const char *const place_names[STORE_PLACES] = {
	[STORE_BLOBS] = "blobs/sha256",
	[STORE_LAYERS] = "layers",
	[STORE_CONTAINERS] = "containers",
	[STORE_CACHE] = "cache",
	[STORE_LEASES] = "leases",
	[STORE_STUB] = "stub",
	[STORE_CACHE_MOUNTS] = "cachemounts",
	[STORE_HISTORY] = "history",
	[STORE_VOLUMES] = "volumes",
};

static char *default_path(void)
{
	const char *root = secure_getenv("STAVE_ROOT");
	const char *data = secure_getenv("XDG_DATA_HOME");
	const char *home = secure_getenv("HOME");

	if (!str_empty(root))
		return mem_strdup(root);
	if (geteuid() == 0)
		return mem_strdup("/var/lib/stave");
	if (!str_empty(data))
		return mem_printf("%s/stave", data);
	return mem_printf("%s/.local/share/stave", home ? home : "");
}

static char *absolute(const char *path)
{
	AUTO(free) char *clean = NULL;
	AUTO(free) char *here = NULL;

	if (*path == '/') {
		clean = root_clean_path(path);
	} else {
		AUTO(free) char *joined = NULL;

		here = get_current_dir_name();
		joined = mem_printf("%s/%s", here ? here : "", path);
		clean = root_clean_path(joined);
	}
	return mem_printf("/%s", clean);
}

/* mkdir -p of our own path, whose parents the user may have made links of. */
static int make_directories(const char *path, struct error *err)
{
	AUTO(free) char *copy = mem_strdup(path);

	for (char *p = copy + 1;; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = 0;
		if (mkdir(copy, c ? 0755 : 0700) < 0 && errno != EEXIST) {
			error_sys(err, "cannot create the store %s", path);
			error_hint(err, "choose another directory with --root or STAVE_ROOT");
			return -ERR_SYSTEM;
		}
		if (!c)
			return 0;
		*p = c;
	}
}

/*
 * What an empty container root must have for the mounts of the runtime; it
 * lies at the bottom of every stack, so that no mount point is ever made in a
 * layer.
 */
static int make_stub(int dir, struct error *err)
{
	static const char *const dirs[] = {"proc", "sys", "dev", "etc"};
	static const char *const files[] = {"etc/resolv.conf", "etc/hosts", "etc/hostname"};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdirat(dir, dirs[i], 0755) < 0 && errno != EEXIST)
			return error_sys(err, "cannot create stub/%s", dirs[i]);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		AUTO(fd) int fd = openat(dir, files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		if (fd < 0)
			return error_sys(err, "cannot create stub/%s", files[i]);
	}
	return 0;
}

/*
 * ext4 puts a new directory near its parent and its files into the same group of inodes, where
 * it passes over each inode that was deleted in the last minutes, for each new file again.
 * After the removal of one large layer the next one took ten times as long.  With this hint
 * (chattr(1), "T") each layer gets a group of its own choice; other file systems need none.
 */
static void spread_subdirectories(int dir)
{
	int flags;

	if (ioctl(dir, FS_IOC_GETFLAGS, &flags) < 0)
		return;
	flags |= FS_TOPDIR_FL;
	ioctl(dir, FS_IOC_SETFLAGS, &flags);
}

static int make_layout(struct store *s, struct error *err)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	int root = s->dirs[STORE_ROOT];
	AUTO(fd) int stub = -1, layers = -1;

	if (faccessat(root, "oci-layout", F_OK, 0) == 0)
		return 0;
	if (mkdirat(root, "blobs", 0700) < 0 && errno != EEXIST)
		return error_sys(err, "cannot create %s/blobs", s->path);
	for (int i = 1; i < STORE_PLACES; i++)
		if (mkdirat(root, place_names[i], i == STORE_STUB ? 0755 : 0700) < 0 &&
		    errno != EEXIST)
			return error_sys(err, "cannot create %s/%s", s->path, place_names[i]);
	layers = openat(root, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (layers >= 0)
		spread_subdirectories(layers);
	stub = openat(root, "stub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (stub < 0 || make_stub(stub, err) < 0)
		return -ERR_SYSTEM;
	return io_write_file(root, "oci-layout", layout, sizeof(layout) - 1, 0600, IO_SYNC,
			     err);
}

static int open_places(struct store *s, struct error *err)
{
	for (int i = 1; i < STORE_PLACES; i++) {
		s->dirs[i] = openat(s->dirs[STORE_ROOT], place_names[i],
				    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		/* a store of an older version has not all of them */
		if (s->dirs[i] < 0 && errno == ENOENT &&
		    mkdirat(s->dirs[STORE_ROOT], place_names[i], 0700) == 0)
			s->dirs[i] = openat(s->dirs[STORE_ROOT], place_names[i],
					    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s->dirs[i] < 0)
			return error_sys(err, "cannot open %s/%s", s->path, place_names[i]);
	}
	return 0;
}

static int take_lock(struct store *s, struct error *err)
{
	s->lock = openat(s->dirs[STORE_ROOT], "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0)
		return error_sys(err, "cannot open %s/lock", s->path);
	return io_lock(s->lock, false, true, err);
}

static void read_boot_id(struct store *s)
{
	AUTO(fd) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : io_read_full(fd, s->boot, 36);

	/* without it every unsynced layer is doubtful each time: slow, but right */
	if (n != 36)
		random_hex(s->boot, 36);
	s->boot[36] = 0;
}

static int open_store(struct store *s, struct error *err)
{
	int r;

	if ((r = make_directories(s->path, err)) < 0)
		return r;
	s->dirs[STORE_ROOT] = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dirs[STORE_ROOT] < 0) {
		error_sys(err, "cannot open the store %s", s->path);
		error_hint(err, "choose another directory with --root or STAVE_ROOT");
		return -ERR_SYSTEM;
	}
	read_boot_id(s);
	spare_keep(s);
	if ((r = make_layout(s, err)) < 0 || (r = open_places(s, err)) < 0 ||
	    (r = take_lock(s, err)) < 0 || (r = db_open(s, err)) < 0)
		return r;
	return store_reap(s, err);
}

static struct store *new_store(const char *path)
{
	AUTO(free) char *chosen = path ? mem_strdup(path) : default_path();
	struct store *s = mem_new(struct store);

	s->path = absolute(chosen);
	s->lock = -1;
	for (int i = 0; i < STORE_PLACES; i++)
		s->dirs[i] = -1;
	return s;
}

int store_look(const char *path, struct store **out, struct error *err)
{
	AUTO(store) struct store *s = new_store(path);
	int r;

	s->dirs[STORE_ROOT] = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dirs[STORE_ROOT] < 0)
		return error_set(err, ERR_NOT_FOUND, "there is no store in %s", s->path);
	read_boot_id(s);
	if ((r = open_places(s, err)) < 0 || (r = db_look(s, err)) < 0)
		return r;
	*out = take_ptr(s);
	return 0;
}

int store_open(const char *path, store_undo_fn undo, void *data, struct store **out,
	       struct error *err)
{
	AUTO(store) struct store *s = new_store(path);
	int r;

	s->undo = undo;
	s->undo_data = data;
	if ((r = open_store(s, err)) < 0)
		return r;
	*out = take_ptr(s);
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	db_close(s);
	for (int i = 0; i < STORE_PLACES; i++)
		close_fd(&s->dirs[i]);
	close_fd(&s->lock);
	free(s->path);
	free(s);
}

const char *store_path(const struct store *s)
{
	return s->path;
}

int store_dir(const struct store *s, enum store_place place)
{
	return s->dirs[place];
}
