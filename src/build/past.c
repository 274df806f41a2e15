/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what earlier builds left in history/, and keeping it small. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/history.h"

#include "base/banned.h"

#define ID_DIGITS (HISTORY_ID_SIZE - 1)

static void take(struct past_list *l, const char *name)
{
	struct past *p;

	if (!str_starts(name, "build-") || strlen(name) != 6 + ID_DIGITS + 1 + 16)
		return;
	p = vec_push(l);
	memcpy(p->id, name + 6, ID_DIGITS);
	memcpy(p->identity, name + 6 + ID_DIGITS + 1, 16);
	p->name = mem_strdup(name);
}

int past_list(int history, struct past_list *out, struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	int r = dir_list_read(history, &list, err);

	/* sorted by name, which begins with the time */
	for (size_t i = list.n; r == 0 && i > 0; i--)
		take(out, list.items[i - 1].name);
	return r;
}

void past_list_clear(struct past_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].name);
	free(l->items);
	*l = (struct past_list){0};
}

int past_load(int history, const struct past *p, json_t **out, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (io_read_file(history, p->name, LIMIT_HISTORY_RECORD, &text, NULL) < 0 ||
	    json_parse(buf_str(&text), text.len, out, NULL) < 0)
		return error_set(err, ERR_NOT_FOUND, "there is no readable record of build %s",
				 p->id);
	if (json_is_object(*out) && json_is_array(json_object_get(*out, "steps")))
		return 0;
	json_decref(*out);
	*out = NULL;
	return error_set(err, ERR_NOT_FOUND, "the record of build %s is not one", p->id);
}

int past_log(int history, const char *key, const char *id, struct buf *out_name,
	     struct error *err)
{
	AUTO(dir_list) struct dir_list list = {0};
	AUTO(free) char *prefix = NULL;
	int r = dir_list_read(history, &list, err);

	if (r < 0)
		return r;
	if (str_starts(key, "sha256:"))
		key += 7;
	prefix = mem_printf("log-%.32s-", key);
	for (size_t i = list.n; i > 0; i--) {
		const char *name = list.items[i - 1].name;

		if (str_starts(name, prefix) && strcmp(name + strlen(prefix), id) <= 0) {
			buf_addstr(out_name, name);
			return 0;
		}
	}
	return error_set(err, ERR_NOT_FOUND, "no log");
}

/* ---- the ceiling ---- */

struct file {
	const char *name; /* borrowed from the list */
	int64_t mtime_ns;
	uint64_t bytes;
};

struct file_list {
	struct file *items;
	size_t n, cap;
};

static int newest_first(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	if (x->mtime_ns != y->mtime_ns)
		return x->mtime_ns < y->mtime_ns ? 1 : -1;
	return strcmp(y->name, x->name);
}

static void look(int history, const struct dir_list *names, struct file_list *out)
{
	for (size_t i = 0; i < names->n; i++) {
		struct file *f;
		struct stat st;

		if (fstatat(history, names->items[i].name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    str_eq(names->items[i].name, "salt"))
			continue;
		f = vec_push(out);
		f->name = names->items[i].name;
		f->mtime_ns = st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec;
		f->bytes = (uint64_t)st.st_size;
	}
	if (out->n)
		qsort(out->items, out->n, sizeof(*out->items), newest_first);
}

struct trimming {
	enum history_trim how;
	uint64_t bytes;
	unsigned builds;
	struct strlist identities; /* seen */
};

/* The files come newest first. */
static bool stays(struct trimming *t, const struct file *f)
{
	bool is_build = str_starts(f->name, "build-");
	const char *identity = is_build ? strrchr(f->name, '-') : NULL;

	t->builds += is_build;
	t->bytes += f->bytes;
	if (t->how == HISTORY_CEILING)
		return t->bytes <= LIMIT_HISTORY_BYTES &&
		       (!is_build || t->builds <= LIMIT_HISTORY_BUILDS);
	if (!identity || strlist_find(&t->identities, identity) >= 0)
		return false;
	strlist_add(&t->identities, identity);
	return true;
}

int history_trim(int history, enum history_trim how, uint64_t *out_bytes, struct error *err)
{
	AUTO(dir_list) struct dir_list names = {0};
	struct trimming t = {.how = how};
	struct file_list files = {0};
	uint64_t removed = 0;
	int r = dir_list_read(history, &names, err);

	if (r == 0)
		look(history, &names, &files);
	for (size_t i = 0; i < files.n; i++)
		/* somebody else may have been here: that is as good */
		if (!stays(&t, &files.items[i]) &&
		    unlinkat(history, files.items[i].name, 0) == 0)
			removed += files.items[i].bytes;
	free(files.items);
	strlist_clear(&t.identities);
	if (out_bytes)
		*out_bytes = removed;
	return r;
}

int build_forget(struct store *s, uint64_t *out_bytes, struct error *err)
{
	return history_trim(store_dir(s, STORE_HISTORY), HISTORY_PRUNE, out_bytes, err);
}
