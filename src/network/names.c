/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names on a network: no server answers for them, each container has those of the others
 * in its file of hosts, behind a line that says so.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "network/network_entry.h"

#include "base/banned.h"

#define MARKER		  "# containers of this network, kept by stave\n"
#define LIMIT_HOSTS_BYTES (1u << 20)

/* "net BRIDGE ADDRESS ID NAMES PATH", in pieces of the line. */
struct line {
	char *bridge, *address, *id, *names, *path;
};

static bool split(char *text, struct line *out)
{
	char **const fields[] = {&out->bridge, &out->address, &out->id, &out->names};
	char *at = text + strlen("net ");

	if (!str_starts(text, "net "))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		*fields[i] = at;
		at = strchr(at, ' ');
		if (!at)
			return false;
		*at++ = 0;
	}
	out->path = at;
	return true;
}

struct line_list {
	struct line *items;
	size_t n;
	size_t cap;
};

static void line_list_auto(struct line_list *l)
{
	free(l->items);
}

/* Of @bridge, or of all; they borrow from @texts. */
static void find(struct strlist *texts, const char *bridge, struct line_list *out)
{
	for (size_t i = 0; i < texts->n; i++) {
		struct line l;

		if (split(texts->items[i], &l) && (!bridge || str_eq(l.bridge, bridge)))
			*vec_push(out) = l;
	}
}

static void describe(const struct line_list *all, const char *bridge, struct buf *out)
{
	buf_addstr(out, MARKER);
	for (size_t i = 0; i < all->n; i++) {
		const struct line *l = &all->items[i];

		if (!str_eq(l->bridge, bridge))
			continue;
		buf_printf(out, "%s\t", l->address);
		for (const char *c = l->names; *c; c++)
			buf_addch(out, *c == ',' ? ' ' : *c);
		buf_addch(out, '\n');
	}
}

/* In place: the file is mounted in the container, and another one would not be. */
static void update(const struct line *l, const struct line_list *all)
{
	AUTO(fd) int fd = open(l->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	AUTO(buf) struct buf old = BUF_INIT, text = BUF_INIT;
	const char *cut;

	if (fd < 0 || io_read_regular(fd, LIMIT_HOSTS_BYTES, &old, NULL) < 0)
		return;
	cut = strstr(buf_str(&old), MARKER);
	buf_add(&text, buf_str(&old), cut ? (size_t)(cut - buf_str(&old)) : old.len);
	describe(all, l->bridge, &text);
	if (str_eq(buf_str(&old), buf_str(&text)))
		return;
	if (lseek(fd, 0, SEEK_SET) < 0 || io_write_full(fd, buf_str(&text), text.len) < 0 ||
	    ftruncate(fd, (off_t)text.len) < 0)
		log_debug("network", "cannot write %s", l->path);
}

int names_sync(const struct entries *s, const char *bridge, struct error *err)
{
	AUTO(strlist) struct strlist texts = STRLIST_INIT;
	AUTO(line_list) struct line_list all = {0};
	bool dead = false;
	int r = entries_read(s, &texts, &dead, err);

	if (r < 0)
		return r;
	find(&texts, bridge, &all);
	for (size_t i = 0; i < all.n; i++)
		update(&all.items[i], &all);
	return 0;
}

int network_join(struct network_endpoint *e, const char *id, const struct strlist *names,
		 const char *hosts, struct error *err)
{
	const struct in_addr a = {htonl(e->address)};
	AUTO(entries) struct entries s = ENTRIES_INIT;
	AUTO(free) char *words = strlist_join(names, ",");
	AUTO(buf) struct buf text = BUF_INIT;
	char address[INET_ADDRSTRLEN];
	int r = entries_open(&s, err);

	if (r < 0 || (e->entry < 0 && (r = entry_make(&s, id, e, err)) < 0))
		return r;
	inet_ntop(AF_INET, &a, address, sizeof(address));
	buf_printf(&text, "net %s %s %s %s %s\n", e->bridge, address, id, words, hosts);
	if ((r = entry_write(e, &text, err)) < 0)
		return r;
	e->named = true;
	return names_sync(&s, e->bridge, err);
}

int network_members(const char *bridge, struct network_member_list *out, struct error *err)
{
	AUTO(entries) struct entries s = ENTRIES_INIT;
	AUTO(strlist) struct strlist texts = STRLIST_INIT;
	AUTO(line_list) struct line_list all = {0};
	bool dead = false;
	int r = entries_open(&s, err);

	if (r < 0 || (r = entries_read(&s, &texts, &dead, err)) < 0)
		return r;
	find(&texts, bridge, &all);
	for (size_t i = 0; i < all.n; i++) {
		const struct line *l = &all.items[i];
		struct in_addr a = {0};

		inet_pton(AF_INET, l->address, &a);
		*vec_push(out) = (struct network_member){
			.id = mem_strdup(l->id),
			.name = mem_strndup(l->names, strcspn(l->names, ",")),
			.address = ntohl(a.s_addr)};
	}
	return 0;
}

void network_member_list_clear(struct network_member_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].id);
		free(l->items[i].name);
	}
	free(l->items);
	*l = (struct network_member_list){0};
}
