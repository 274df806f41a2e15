/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of files behind the content digest of a COPY.
 *
 * A list is a magic and the selected entries; an entry is its name, mode,
 * owner (0 where it does not count), the first half of its digest, its link
 * or NULL, and for a directory the number of entries in it, which follow. Names
 * are not repeated, so 20,000 files are a megabyte that is written in one go.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "build/history.h"
#include "build/step.h"

#include "base/banned.h"

#define FILES_MAGIC "stave files 1"

/* ---- writing ---- */

struct writing {
	struct buf out;
	bool owners;
	bool given_up;
};

static void put_head(struct writing *w, const char *name, mode_t mode, const char *link)
{
	buf_put_string(&w->out, name);
	buf_put_u32(&w->out, mode);
	buf_put_string(&w->out, link);
}

static void put_owner(struct writing *w, uid_t uid, gid_t gid)
{
	buf_put_u32(&w->out, w->owners ? uid : 0);
	buf_put_u32(&w->out, w->owners ? gid : 0);
}

static void put_node(struct writing *w, const struct tree_node *n, const char *name,
		     const char *link)
{
	uint32_t children = 0;

	if (w->out.len > LIMIT_HISTORY_FILES || (S_ISREG(n->mode) && !n->has_digest)) {
		w->given_up = true;
		return;
	}
	put_head(w, name, n->mode, link ? link : n->link);
	put_owner(w, n->uid, n->gid);
	if (S_ISREG(n->mode))
		buf_add(&w->out, n->digest.bytes, FILES_TAG);
	if (!S_ISDIR(n->mode))
		return;
	for (size_t i = 0; i < n->n_children; i++)
		children += !n->children[i]->hidden;
	buf_put_u32(&w->out, children);
	for (size_t i = 0; i < n->n_children && !w->given_up; i++)
		if (!n->children[i]->hidden)
			put_node(w, n->children[i], n->children[i]->name, NULL);
}

/* A link that was selected is what it points to, under its own name. */
static void put_selected(struct writing *w, const struct selected *s)
{
	AUTO(buf) struct buf path = BUF_INIT;
	const char *slash, *last;

	tree_path(s->node, &path);
	slash = strrchr(buf_str(&path), '/');
	last = slash ? slash + 1 : buf_str(&path);
	if (str_eq(last, s->name) || !*last)
		put_node(w, s->node, buf_str(&path), NULL);
	else
		put_node(w, s->node, s->name, buf_str(&path));
}

static void put_heredoc(struct writing *w, const struct copy_file *f)
{
	AUTO(free) char *name = mem_printf("%s%s", f->data ? "<<" : "", f->name);
	struct digest d;

	put_head(w, name, S_IFREG, NULL);
	put_owner(w, 0, 0);
	if (f->data)
		digest_of(f->data, f->len, &d);
	else
		d = f->body.digest;
	buf_add(&w->out, d.bytes, FILES_TAG);
}

static void name_of(const struct digest *content, char out[FILES_NAME_SIZE])
{
	char hex[DIGEST_HEX_SIZE];

	memcpy(out, "files-", 6);
	memcpy(out + 6, digest_hex(content, hex), DIGEST_HEX_SIZE);
}

void files_save(int history, const struct digest *content, const struct selection *sel,
		bool owners)
{
	struct writing w = {.owners = owners};
	char name[FILES_NAME_SIZE];

	name_of(content, name);
	/* one that is there is as good, and young again */
	if (history < 0 || utimensat(history, name, NULL, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	buf_add(&w.out, FILES_MAGIC, sizeof(FILES_MAGIC));
	buf_put_u32(&w.out, (uint32_t)sel->n);
	for (size_t i = 0; i < sel->n && !w.given_up; i++) {
		if (sel->items[i].node)
			put_selected(&w, &sel->items[i]);
		else
			put_heredoc(&w, sel->items[i].file);
	}
	if (w.given_up ||
	    io_write_file(history, name, w.out.data, w.out.len, 0600, 0, NULL) < 0)
		log_debug("build", "no list of files was kept");
	buf_clear(&w.out);
}

/* ---- reading ---- */

static void take_node(struct cursor *c, struct files *out, const char *dir, unsigned depth)
{
	AUTO(free) char *name = cursor_string(c);
	struct files_entry *e;
	const void *tag;
	uint32_t children = 0;
	char *path;

	if (c->failed || !name || depth > LIMIT_TREE_DEPTH) {
		c->failed = 1;
		return;
	}
	path = dir && *dir ? mem_printf("%s/%s", dir, name) : mem_strdup(name);
	e = mem_new(struct files_entry);
	e->path = path;
	e->mode = cursor_u32(c);
	e->link = cursor_string(c);
	e->uid = cursor_u32(c);
	e->gid = cursor_u32(c);
	tag = S_ISREG(e->mode) ? cursor_bytes(c, FILES_TAG) : NULL;
	if (tag)
		memcpy(e->tag, tag, FILES_TAG);
	if (S_ISDIR(e->mode))
		children = cursor_u32(c);
	map_set(&out->by_path, path, e);
	for (; children && !c->failed; children--)
		take_node(c, out, path, depth + 1);
}

static void free_entry(void *p)
{
	struct files_entry *e = p;

	free(e->path);
	free(e->link);
	free(e);
}

bool files_load(int history, const struct digest *content, struct files *out)
{
	AUTO(buf) struct buf data = BUF_INIT;
	char name[FILES_NAME_SIZE];
	struct cursor c;
	const void *magic;
	uint32_t n;

	*out = (struct files){.by_path = MAP_INIT_FREE(free_entry)};
	name_of(content, name);
	if (io_read_file(history, name, LIMIT_HISTORY_FILES * 2, &data, NULL) < 0)
		return false;
	c = (struct cursor){.at = (const unsigned char *)data.data, .left = data.len};
	magic = cursor_bytes(&c, sizeof(FILES_MAGIC));
	if (!magic || memcmp(magic, FILES_MAGIC, sizeof(FILES_MAGIC)) != 0)
		return false;
	for (n = cursor_u32(&c); n && !c.failed; n--)
		take_node(&c, out, "", 0);
	if (c.failed)
		files_clear(out);
	return !c.failed;
}

void files_clear(struct files *f)
{
	map_clear(&f->by_path);
}
