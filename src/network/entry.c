/* SPDX-License-Identifier: Apache-2.0 */
#include "network/network_entry.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/root.h"
#include "network/network_serve.h"

#include "base/banned.h"

#define DIRECTORY	  "endpoints"
#define LOCK		  ".lock"
#define LIMIT_ENTRY_BYTES (1u << 20)

int entries_open(struct entries *s, struct error *err)
{
	AUTO(fd) int state = -1;
	int r = network_state_dir(&state, err);

	if (r < 0)
		return r;
	if (mkdirat(state, DIRECTORY, 0700) < 0 && errno != EEXIST)
		return error_sys(err, "cannot create " DIRECTORY);
	s->dir = openat(state, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s->dir < 0)
		return error_sys(err, "cannot open " DIRECTORY);
	s->lock = openat(s->dir, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0)
		return error_sys(err, "cannot open the lock of " DIRECTORY);
	return io_lock(s->lock, true, true, err);
}

void entries_close(struct entries *s)
{
	close_fd(&s->lock);
	close_fd(&s->dir);
}

static bool lock_entry(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

int entry_make(const struct entries *s, const char *id, struct network_endpoint *e,
	       struct error *err)
{
	AUTO(fd)
	int fd = openat(s->dir, id, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_sys(err, "cannot create an entry for %.12s", id);
	/* that of an earlier life, whose owner was killed, is as good as a new one */
	if (!lock_entry(fd))
		return error_set(err, ERR_CONFLICT, "%.12s is on the network already", id);
	if (ftruncate(fd, 0) < 0)
		return error_sys(err, "cannot write the entry of %.12s", id);
	close_fd(&e->entry);
	free(e->id);
	e->entry = take_fd(&fd);
	e->id = mem_strdup(id);
	return 0;
}

int entry_write(const struct network_endpoint *e, const struct buf *text, struct error *err)
{
	if (ftruncate(e->entry, 0) < 0 || lseek(e->entry, 0, SEEK_SET) < 0 ||
	    io_write_full(e->entry, buf_str(text), text->len) < 0)
		return error_sys(err, "cannot write the entry of %.12s", e->id);
	return 0;
}

static void add_lines(const struct buf *text, struct strlist *lines)
{
	const char *end;

	for (const char *at = buf_str(text); (end = strchr(at, '\n')); at = end + 1)
		strlist_addn(lines, at, (size_t)(end - at));
}

static int read_one(const struct entries *s, const char *name, struct strlist *lines,
		    bool *out_dead, struct error *err)
{
	AUTO(fd) int fd = openat(s->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	AUTO(buf) struct buf text = BUF_INIT;
	int r;

	if (fd < 0)
		return 0;
	if (lock_entry(fd)) {
		log_debug("network", "the owner of %.12s is dead", name);
		*out_dead = true;
		unlinkat(s->dir, name, 0);
		return 0;
	}
	if ((r = io_read_regular(fd, LIMIT_ENTRY_BYTES, &text, err)) < 0)
		return error_wrap(err, "entry of %.12s", name);
	add_lines(&text, lines);
	return 0;
}

int entries_read(const struct entries *s, struct strlist *lines, bool *out_dead,
		 struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int r = dir_list_read(s->dir, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		if (!str_eq(list.items[i].name, LOCK))
			r = read_one(s, list.items[i].name, lines, out_dead, err);
	return r;
}

int entry_read(const char *id, struct strlist *lines, struct error *err)
{
	AUTO(entries) struct entries s = ENTRIES_INIT;
	AUTO(fd) int state = -1;
	bool dead = false;
	int r;

	/* mostly there is none, and then no lock is needed to say so */
	if (network_state_dir(&state, NULL) < 0)
		return 0;
	s.dir = openat(state, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s.dir < 0 || !root_is_component(id) || faccessat(s.dir, id, F_OK, 0) < 0)
		return 0;
	entries_close(&s);
	r = entries_open(&s, err);
	return r < 0 ? r : read_one(&s, id, lines, &dead, err);
}

static bool is_named(const struct network_endpoint *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->items[i].names.n)
			return true;
	return false;
}

int network_announce(struct network_endpoint *e, const char *id, struct error *err)
{
	AUTO(entries) struct entries s = ENTRIES_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	const bool known = e->entry >= 0, had_ports = e->ports.n;
	const struct network_attachment *through;
	int r = ports_take(e, err);

	if (r < 0 || (!known && !e->ports.n && !is_named(e)))
		return r;
	if ((r = entries_open(&s, err)) < 0 || (!known && (r = entry_make(&s, id, e, err)) < 0))
		return r;
	publish_describe(e, &text);
	names_describe(e, &text);
	if ((r = entry_write(e, &text, err)) < 0)
		return r;
	if ((e->ports.n || had_ports) && (r = publish_sync(&s, err)) < 0)
		return r;
	through = network_gateway(e, NETWORK_IPV4);
	if (through && e->ports.n && (r = publish_allow_loopback(through->bridge, err)) < 0)
		return r;
	if ((r = forward_start(e, err)) < 0)
		return r;
	/* one that is there may have left a bridge */
	if (known)
		return names_sync(&s, NULL, err);
	for (size_t i = 0; r == 0 && i < e->n; i++)
		if (e->items[i].names.n)
			r = names_sync(&s, e->items[i].bridge, err);
	return r;
}

static void remove_entry(struct network_endpoint *e)
{
	AUTO(entries) struct entries s = ENTRIES_INIT;
	AUTO(error) struct error why = ERROR_INIT;

	if (entries_open(&s, &why) == 0) {
		unlinkat(s.dir, e->id, 0);
		if (e->n_sockets)
			publish_sync(&s, &why);
		for (size_t i = 0; i < e->n; i++)
			if (e->items[i].names.n)
				names_sync(&s, e->items[i].bridge, NULL);
	}
	/* nobody is there to be told; the next command looks again */
	if (why.message)
		log_debug("network", "%s", why.message);
	close_fd(&e->entry);
}

void entry_close(struct network_endpoint *e)
{
	forward_stop(e);
	if (e->entry >= 0)
		remove_entry(e);
	ports_release(e);
}

int network_reap(struct error *err)
{
	AUTO(entries) struct entries s = ENTRIES_INIT;
	AUTO(strlist) struct strlist lines = STRLIST_INIT;
	bool dead = false;
	int r = entries_open(&s, err);

	if (r == 0)
		r = entries_read(&s, &lines, &dead, err);
	if (r == 0 && dead)
		r = names_sync(&s, NULL, err);
	return r == 0 && dead ? publish_sync(&s, err) : r;
}
