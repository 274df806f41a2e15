/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names on a network: each container has a file of those that it can find, which is
 * what its name server answers from.  All are made of the entries.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "network/network_entry.h"

#include "base/banned.h"

#define LIMIT_NAMES_BYTES (1u << 20)
#define NOTHING		  "-"

/* "net BRIDGE NETWORK IPV4 IPV6 ID NAMES LINKS PATH", in pieces of the line. */
struct line {
	char *bridge, *network, *addresses[NETWORK_FAMILIES], *id, *names, *links, *path;
};

static bool split(char *text, struct line *out)
{
	char **const fields[] = {&out->bridge,
				 &out->network,
				 &out->addresses[NETWORK_IPV4],
				 &out->addresses[NETWORK_IPV6],
				 &out->id,
				 &out->names,
				 &out->links};
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

/* All of them; they borrow from @texts. */
static void find(struct strlist *texts, struct line_list *out)
{
	for (size_t i = 0; i < texts->n; i++) {
		struct line l;

		if (split(texts->items[i], &l))
			*vec_push(out) = l;
	}
}

/* ---- an entry's lines ---- */

/* A name that a line can hold: others could not be asked for anyway. */
static bool is_plain(const char *name)
{
	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		if (*c <= ' ' || *c == ',' || *c == '=' || *c == 127)
			return false;
	return *name != 0;
}

/* Joined by commas; of a link "ALIAS NAME" its blank is an equals sign. */
static void put_words(const struct strlist *words, struct buf *out)
{
	const size_t start = out->len;

	for (size_t i = 0; i < words->n; i++) {
		AUTO(free) char *word = mem_strdup(words->items[i]);
		char *blank = strchr(word, ' ');

		if (blank)
			*blank = 0;
		if (!is_plain(word) || (blank && !is_plain(blank + 1)))
			continue;
		buf_printf(out, "%s%s", out->len > start ? "," : "", word);
		if (blank)
			buf_printf(out, "=%s", blank + 1);
	}
	if (out->len == start)
		buf_addstr(out, NOTHING);
}

void names_describe(const struct network_endpoint *e, struct buf *out)
{
	for (size_t i = 0; i < e->n; i++) {
		const struct network_attachment *a = &e->items[i];
		char text[NETWORK_TEXT_BYTES];

		if (!a->names.n || !e->names_path)
			continue;
		buf_printf(out, "net %s %s", a->bridge, a->network);
		for (size_t k = 0; k < NETWORK_FAMILIES; k++)
			buf_printf(out, " %s",
				   a->addresses[k].ip.len
					   ? network_ip_text(&a->addresses[k].ip, text)
					   : NOTHING);
		buf_printf(out, " %s ", e->id);
		put_words(&a->names, out);
		buf_addch(out, ' ');
		put_words(&a->links, out);
		buf_printf(out, " %s\n", e->names_path);
	}
}

/* ---- files of names ---- */

/* Is @word one of @words, which commas separate? */
static bool has_word(const char *words, const char *word, size_t len)
{
	for (const char *at = words; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strcspn(at, ",") == len && !strncmp(at, word, len))
			return true;
	}
	return false;
}

/* What @own alone calls @other. */
static void put_links(const struct line *own, const struct line *other, struct buf *out)
{
	for (const char *at = own->links; at && *at; at = strchr(at, ',')) {
		size_t alias, name;

		at += *at == ',';
		alias = strcspn(at, "=");
		if (at[alias] != '=')
			continue;
		name = strcspn(at + alias + 1, ",");
		if (has_word(other->names, at + alias + 1, name))
			buf_printf(out, " %.*s", (int)alias, at);
	}
}

static void put_member(const struct line *own, const struct line *other, struct buf *out)
{
	for (size_t k = 0; k < NETWORK_FAMILIES; k++) {
		if (str_eq(other->addresses[k], NOTHING))
			continue;
		buf_printf(out, "%s %s ", other->network, other->addresses[k]);
		for (const char *c = other->names; *c; c++)
			buf_addch(out, *c == ',' ? ' ' : *c);
		put_links(own, other, out);
		buf_addch(out, '\n');
	}
}

/* All that @id finds: those on each of its networks. */
static void describe(const struct line_list *all, const char *id, struct buf *out)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct line *own = &all->items[i];

		if (!str_eq(own->id, id))
			continue;
		for (size_t k = 0; k < all->n; k++)
			if (str_eq(all->items[k].bridge, own->bridge))
				put_member(own, &all->items[k], out);
	}
}

/* In place and under a lock: the server holds the file open. */
static void update(const struct line *l, const struct line_list *all)
{
	AUTO(fd)
	int fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	AUTO(buf) struct buf old = BUF_INIT, text = BUF_INIT;

	if (fd < 0 || io_lock(fd, true, true, NULL) < 0 ||
	    io_read_regular(fd, LIMIT_NAMES_BYTES, &old, NULL) < 0)
		return;
	describe(all, l->id, &text);
	if (old.len == text.len && str_eq(buf_str(&old), buf_str(&text)))
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
	find(&texts, &all);
	for (size_t i = 0; i < all.n; i++)
		if (!bridge || str_eq(all.items[i].bridge, bridge))
			update(&all.items[i], &all);
	return 0;
}
