/* SPDX-License-Identifier: Apache-2.0 */
/* Two lists of files: what was added, removed or changed, and what of it. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "build/explain.h"

#include "base/banned.h"

#define CONTENT_TAG                                                              \
	8 /* the beginning of a digest is of the bytes alone: tree_file_digest() \
	   */
#define FILES_MAX 10000u

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "link";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "device";
	}
}

static void what(json_t *list, struct buf *text, const char *name, const char *from,
		 const char *to)
{
	json_array_append_new(list, json_string(name));
	buf_printf(text, "%s%s", text->len ? ", " : "", name);
	if (from)
		buf_printf(text, " %s → %s", from, to);
	else
		buf_addstr(text, " changed");
}

static void compare_content(const struct files_entry *now, const struct files_entry *then,
			    json_t *list, struct buf *text)
{
	if (!S_ISREG(now->mode) || !memcmp(now->tag, then->tag, FILES_TAG))
		return;
	what(list, text,
	     memcmp(now->tag, then->tag, CONTENT_TAG) ? "content" : "extended attributes", NULL,
	     NULL);
}

static void compare_modes(const struct files_entry *now, const struct files_entry *then,
			  json_t *list, struct buf *text)
{
	AUTO(free) char *from = NULL;
	AUTO(free) char *to = NULL;

	if ((now->mode & 07777) == (then->mode & 07777) || S_ISLNK(now->mode))
		return;
	from = mem_printf("%04o", then->mode & 07777u);
	to = mem_printf("%04o", now->mode & 07777u);
	what(list, text, "mode", from, to);
}

static void compare_owners(const struct files_entry *now, const struct files_entry *then,
			   json_t *list, struct buf *text)
{
	AUTO(free) char *from = mem_printf("%u:%u", then->uid, then->gid);
	AUTO(free) char *to = mem_printf("%u:%u", now->uid, now->gid);

	if (!str_eq(from, to))
		what(list, text, "owner", from, to);
}

static void compare(const struct files_entry *now, const struct files_entry *then, json_t *list,
		    struct buf *text)
{
	if ((now->mode & S_IFMT) != (then->mode & S_IFMT)) {
		what(list, text, "type", type_name(then->mode), type_name(now->mode));
		return;
	}
	compare_content(now, then, list, text);
	compare_modes(now, then, list, text);
	compare_owners(now, then, list, text);
	if (!str_eq(now->link, then->link))
		what(list, text, "link", then->link ? then->link : "no link",
		     now->link ? now->link : "no link");
}

/* A directory that came or went with what is in it is told by that, which follows it. */
static bool told_by_files(const struct files *in, const struct map_entry *e)
{
	const struct files_entry *entry = e->value;
	const struct map_entry *next = e + 1;
	size_t len = strlen(e->key);

	if (!S_ISDIR(entry->mode) || next == in->by_path.items + in->by_path.n)
		return false;
	return !len || (!strncmp(next->key, e->key, len) && next->key[len] == '/');
}

static json_t *add(json_t *list, const char *source, const char *path, const char *change,
		   const char *text)
{
	const char *shown = *path ? path : ".";
	bool is_heredoc = str_starts(path, "<<");
	json_t *r;

	r = reason_add(list, "file", "%s%s: %s", is_heredoc ? "the heredoc " : "", shown, text);
	json_object_set_new(r, "source", json_string(source));
	json_object_set_new(r, "path", json_string(shown));
	json_object_set_new(r, "change", json_string(change));
	return r;
}

/* One side's entries that the other has not. */
static unsigned only_in(const struct files *here, const struct files *there, const char *source,
			const char *change, json_t *list)
{
	unsigned n = 0;

	map_each (&here->by_path, e) {
		if (map_has(&there->by_path, e->key) || told_by_files(here, e))
			continue;
		if (n++ < FILES_MAX)
			add(list, source, e->key, change, change);
	}
	return n;
}

static unsigned changed(const struct files *now, const struct files *then, const char *source,
			json_t *list)
{
	unsigned n = 0;

	map_each (&now->by_path, e) {
		const struct files_entry *old = map_get(&then->by_path, e->key);
		AUTO(buf) struct buf text = BUF_INIT;
		json_t *of;

		if (!old)
			continue;
		of = json_array();
		compare(e->value, old, of, &text);
		if (text.len && n++ < FILES_MAX)
			json_object_set(add(list, source, e->key, "changed", buf_str(&text)),
					"what", of);
		json_decref(of);
	}
	return n;
}

bool reasons_of_files(int history, const char *source, const char *now, const char *then,
		      json_t *list)
{
	AUTO(files) struct files a = {0};
	AUTO(files) struct files b = {0};
	struct digest da, db;
	unsigned n;

	if (!digest_parse(now, &da) || !digest_parse(then, &db) ||
	    !files_load(history, &da, &a) || !files_load(history, &db, &b))
		return false;
	n = changed(&a, &b, source, list);
	n += only_in(&a, &b, source, "added", list);
	n += only_in(&b, &a, source, "removed", list);
	/* the same files under other names of sources, or in another order */
	return n > 0;
}
