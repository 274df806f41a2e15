/* SPDX-License-Identifier: Apache-2.0 */
/* The three files of /etc that belong to a container, not to its image. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/runtime.h"

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif

/* "web.example.org web": the whole name, and the part before the first dot. */
static void put_names(const struct container_options *o, const char *hostname, struct buf *out)
{
	const size_t len = strcspn(hostname, ".");

	buf_addstr(out, hostname);
	if (!str_empty(o->domainname))
		buf_printf(out, ".%s", o->domainname);
	if (hostname[len] || !str_empty(o->domainname))
		buf_printf(out, " %.*s", (int)len, hostname);
}

void runtime_hosts_names(const struct container_options *o, struct buf *out)
{
	AUTO(buf) struct buf hostname = BUF_INIT;

	runtime_hostname(o, &hostname);
	put_names(o, buf_str(&hostname), out);
}

static int make_hosts(const struct container_options *o, const struct network_endpoint *e,
		      struct buf *out, struct error *err)
{
	const struct network_ip loopback = {.len = 4, .bytes = {127, 0, 0, 1}};
	AUTO(buf) struct buf names = BUF_INIT;
	int r;

	if (o->network != RUNTIME_NETWORK_HOST) {
		runtime_hosts_names(o, &names);
		network_hosts(e, buf_str(&names), o->extra_hosts.items, out);
		for (size_t i = 0; i < o->link_hosts.n; i++)
			buf_printf(out, "%s\n", o->link_hosts.items[i]);
		return 0;
	}
	r = io_read_file(AT_FDCWD, "/etc/hosts", LIMIT_PASSWD_BYTES, out, err);
	if (r < 0 && r != -ERR_NOT_FOUND)
		return r;
	error_clear(err);
	if (out->len && out->data[out->len - 1] != '\n')
		buf_addch(out, '\n');
	network_hosts_extra(&loopback, o->extra_hosts.items, out);
	return 0;
}

static int open_bind(int dir, const char *name, struct error *err)
{
	int fd = (int)syscall(SYS_open_tree, dir, name,
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);

	if (fd >= 0)
		return fd;
	if (errno == EPERM)
		return error_set(err, ERR_DENIED, "cannot mount %s: %s", name,
				 error_reason(errno));
	return error_sys(err, "cannot mount %s", name);
}

static bool is_taken(const struct container_options *o, const char *destination)
{
	for (size_t i = 0; i < o->mounts.n; i++)
		if (str_eq(o->mounts.items[i].destination, destination))
			return true;
	return false;
}

static int bind_file(int dir, const struct container_options *o, const char *destination,
		     struct sandbox_bind *binds, size_t *n, struct error *err)
{
	int fd = open_bind(dir, strrchr(destination, '/') + 1, err);

	if (fd < 0)
		return fd;
	binds[(*n)++] = (struct sandbox_bind){
		.fd = fd, .destination = destination, .readonly = o->read_only};
	return 0;
}

int runtime_etc_share(int dir, const struct container_options *o, struct sandbox_bind *binds,
		      size_t *out_n, struct error *err)
{
	static const char *const files[] = {"/etc/resolv.conf", "/etc/hostname", "/etc/hosts"};
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
		if (!is_taken(o, files[i]))
			r = bind_file(dir, o, files[i], binds, &n, err);
	while (r < 0 && n)
		close(binds[--n].fd);
	*out_n = n;
	return r;
}

static int add_bind(int dir, const struct container_options *o, const char *destination,
		    const struct buf *text, struct sandbox_bind *binds, size_t *n,
		    struct error *err)
{
	const char *name = strrchr(destination, '/') + 1;

	if (is_taken(o, destination))
		return 0;
	if (io_write_file(dir, name, buf_str(text), text->len, 0644, 0, err) < 0)
		return -ERR_SYSTEM;
	/* whatever our umask: every user of the container reads it */
	if (fchmodat(dir, name, 0644, 0) < 0)
		return error_sys(err, "cannot set the mode of %s", name);
	return bind_file(dir, o, destination, binds, n, err);
}

/* Of a container on networks that a user made, the server is our own: network_serve(). */
static int make_resolv(const struct container_options *o, struct buf *out, struct error *err)
{
	const struct network_dns dns = {.servers = o->dns.items,
					.search = o->dns_search.items,
					.options = o->dns_options.items,
					.own = o->network != RUNTIME_NETWORK_HOST &&
					       runtime_has_names(o)};

	return network_resolv_conf(o->network == RUNTIME_NETWORK_HOST, &dns, out, err);
}

int runtime_etc_resolv(int dir, const struct container_options *o, struct error *err)
{
	AUTO(fd) int fd = openat(dir, "resolv.conf", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	AUTO(buf) struct buf text = BUF_INIT;
	int r;

	if (fd < 0 || is_taken(o, "/etc/resolv.conf"))
		return 0;
	if ((r = make_resolv(o, &text, err)) < 0)
		return r;
	/* in place: the file is mounted in the container, and another one would not be */
	if (io_write_full(fd, buf_str(&text), text.len) < 0 ||
	    ftruncate(fd, (off_t)text.len) < 0)
		return error_sys(err, "cannot write resolv.conf");
	return 0;
}

int runtime_etc_binds(int dir, const struct container_options *o,
		      const struct network_endpoint *e, struct sandbox_bind *binds,
		      size_t *out_n, struct error *err)
{
	AUTO(buf) struct buf resolv = BUF_INIT, hosts = BUF_INIT, hostname = BUF_INIT;
	size_t n = 0;
	int r;

	runtime_hostname(o, &hostname);
	r = make_resolv(o, &resolv, err);
	if (r == 0)
		r = make_hosts(o, e, &hosts, err);
	buf_addch(&hostname, '\n');
	if (r == 0)
		r = add_bind(dir, o, "/etc/resolv.conf", &resolv, binds, &n, err);
	if (r == 0)
		r = add_bind(dir, o, "/etc/hostname", &hostname, binds, &n, err);
	if (r == 0)
		r = add_bind(dir, o, "/etc/hosts", &hosts, binds, &n, err);
	while (r < 0 && n)
		close(binds[--n].fd);
	*out_n = n;
	return r;
}
