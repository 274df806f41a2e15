/* SPDX-License-Identifier: Apache-2.0 */
/* Two images: which files and which parts of the config differ. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/root.h"
#include "image/image.h"
#include "layer/layer.h"

#include "base/banned.h"

/* What is remembered of one file of the first image. */
struct seen {
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint64_t size;
	dev_t rdev;
	ino_t ino; /* of a regular file: the same one in both needs no reading */
	char *link;
	char *xattrs; /* "name=HEX …" */

	bool met; /* in the second image as well */
};

struct comparison {
	struct map before; /* path -> struct seen *, owned */
	int view;	   /* of the first image: content is read when sizes agree */
	struct image_difference_list *out;
};

static void seen_free(void *p)
{
	struct seen *s = p;

	free(s->link);
	free(s->xattrs);
	free(s);
}

static char *xattr_text(const struct layer_entry *e)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < e->nxattrs; i++) {
		const unsigned char *value = e->xattrs[i].value;

		buf_printf(&out, "%s=", e->xattrs[i].name);
		for (size_t n = 0; n < e->xattrs[i].size; n++)
			buf_printf(&out, "%02x", value[n]);
		buf_addch(&out, ' ');
	}
	return buf_steal(&out);
}

static int look(const struct layer_entry *e, int fd, struct seen *out, struct error *err)
{
	struct stat st = {0};

	if (fd >= 0 && fstat(fd, &st) < 0)
		return error_sys(err, "%s", e->path);
	*out = (struct seen){.mode = e->mode,
			     .uid = e->uid,
			     .gid = e->gid,
			     .size = e->size,
			     .rdev = S_ISCHR(e->mode) || S_ISBLK(e->mode) ? e->rdev : 0,
			     .ino = st.st_ino,
			     .link = e->link ? mem_strdup(e->link) : NULL,
			     .xattrs = xattr_text(e)};
	return 0;
}

static int remember(void *data, const struct layer_entry *e, int fd, struct error *err)
{
	struct comparison *c = data;
	struct seen *s = mem_new(struct seen);
	int r = look(e, fd, s, err);

	map_set(&c->before, e->path, s);
	return r;
}

static void tell(struct comparison *c, char kind, const char *path, const struct seen *old,
		 const struct seen *now, const char *what)
{
	struct image_difference *d = vec_push(c->out);

	*d = (struct image_difference){.kind = kind,
				       .path = mem_printf("/%s", path),
				       .what = mem_strdup(what),
				       .old_bytes = old ? old->size : 0,
				       .bytes = now ? now->size : 0};
}

static int hash_fd(int fd, const char *path, struct digest *out, struct error *err)
{
	char block[65536];
	struct hasher h;
	ssize_t n;

	hasher_init(&h);
	while ((n = read(fd, block, sizeof(block))) > 0)
		hasher_add(&h, block, (size_t)n);
	if (n < 0)
		return error_sys(err, "%s", path);
	hasher_end(&h, out);
	return 0;
}

/* Regular files of one size. */
static int same_content(struct comparison *c, const char *path, int fd, bool *out,
			struct error *err)
{
	struct digest old, now;
	AUTO(fd) int other = -1;
	int r = root_open(c->view, ROOT_BENEATH, path, O_RDONLY | O_NOFOLLOW, 0, &other, err);

	if (r < 0 || (r = hash_fd(other, path, &old, err)) < 0 ||
	    (r = hash_fd(fd, path, &now, err)) < 0)
		return r;
	*out = digest_eq(&old, &now);
	return 0;
}

static void add_word(struct buf *out, const char *word)
{
	buf_printf(out, "%s%s", out->len ? ", " : "", word);
}

static int compare_one(void *data, const struct layer_entry *e, int fd, struct error *err)
{
	struct comparison *c = data;
	struct seen *old = map_get(&c->before, e->path), now;
	AUTO(buf) struct buf what = BUF_INIT;
	bool same = true;
	int r = look(e, fd, &now, err);

	if (r == 0 && !old) {
		tell(c, 'A', e->path, NULL, &now, "");
	} else if (r == 0) {
		old->met = true;
		if ((old->mode & S_IFMT) != (now.mode & S_IFMT))
			add_word(&what, "type");
		else if (S_ISREG(now.mode) && old->size == now.size && old->ino != now.ino &&
			 fd >= 0)
			r = same_content(c, e->path, fd, &same, err);
		if (old->size != now.size || !same || old->rdev != now.rdev)
			add_word(&what, "content");
		if ((old->mode & 07777) != (now.mode & 07777) && !S_ISLNK(now.mode))
			add_word(&what, "mode");
		if (old->uid != now.uid || old->gid != now.gid)
			add_word(&what, "owner");
		if (!str_eq(old->link, now.link))
			add_word(&what, "link");
		if (!str_eq(old->xattrs, now.xattrs))
			add_word(&what, "attributes");
		if (r == 0 && what.len)
			tell(c, 'C', e->path, old, &now, buf_str(&what));
	}
	free(now.link);
	free(now.xattrs);
	return r;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct image_difference *)a)->path,
		      ((const struct image_difference *)b)->path);
}

static int compare_files(struct store *s, const struct image *a, const struct image *b,
			 struct image_difference_list *out, struct error *err)
{
	struct comparison c = {.before = MAP_INIT_FREE(seen_free), .view = -1, .out = out};
	struct layer_visitor first = {remember, &c}, second = {compare_one, &c};
	AUTO(fd) int view = -1;
	int r;

	if ((r = image_view(s, &a->config, &c.view, err)) == 0 &&
	    (r = image_view(s, &b->config, &view, err)) == 0 &&
	    (r = layer_visit_tree(c.view, &first, err)) == 0)
		r = layer_visit_tree(view, &second, err);
	map_each (&c.before, e)
		if (r == 0 && !((const struct seen *)e->value)->met)
			tell(&c, 'D', e->key, e->value, NULL, "");
	map_clear(&c.before);
	close_fd(&c.view);
	if (out->n)
		qsort(out->items, out->n, sizeof(*out->items), by_path);
	return r;
}

static void tell_config(struct image_difference_list *out, const char *key, const json_t *old,
			const json_t *now)
{
	struct image_difference *d = vec_push(out);
	struct buf a = BUF_INIT, b = BUF_INIT;

	json_text(old, &a);
	json_text(now, &b);
	*d = (struct image_difference){.kind = '=',
				       .path = mem_strdup(key),
				       .what = mem_strdup(""),
				       .old_value = buf_steal(&a),
				       .value = buf_steal(&b)};
}

static void compare_configs(const struct image *a, const struct image *b,
			    struct image_difference_list *out)
{
	AUTO(json) json_t *old = image_config_inspect(&a->config);
	AUTO(json) json_t *now = image_config_inspect(&b->config);
	const char *key;
	json_t *value;

	json_object_foreach (now, key, value)
		if (!json_equal(json_object_get(old, key), value))
			tell_config(out, key, json_object_get(old, key), value);
	json_object_foreach (old, key, value)
		if (!json_object_get(now, key))
			tell_config(out, key, value, NULL);
}

int image_compare(struct store *s, const struct image *a, const struct image *b,
		  struct image_difference_list *out, struct error *err)
{
	int r = compare_files(s, a, b, out, err);

	if (r == 0)
		compare_configs(a, b, out);
	return r;
}

void image_difference_list_clear(struct image_difference_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].path);
		free(l->items[i].what);
		free(l->items[i].old_value);
		free(l->items[i].value);
	}
	free(l->items);
	*l = (struct image_difference_list){0};
}

/* ---- verify ---- */

static int verify_layer(struct store *s, const struct digest *diff_id, uint64_t *out_bytes,
			struct error *err)
{
	char text[DIGEST_TEXT_SIZE];
	struct store_layer layer;
	struct layer_info info;
	struct digest tree; /* of our tar; a layer from elsewhere may have had another */
	AUTO(fd) int fd = -1;
	int r = store_layer_find(s, diff_id, &layer, err);

	if (r < 0 || (r = store_layer_tree(s, diff_id, &tree, err)) < 0 ||
	    (r = store_layer_open(s, layer.dir, &fd, err)) < 0 ||
	    (r = layer_describe(fd, NULL, &info, err)) < 0)
		return error_wrap(err, "layer %s", digest_text(diff_id, text));
	*out_bytes += info.tar_bytes;
	if (digest_eq(&info.diff_id, &tree))
		return 0;
	error_set(err, ERR_CORRUPT, "layer %s: its files are not those that the digest names",
		  digest_text(diff_id, text));
	error_hint(err, "`stave system check --repair` removes what is damaged");
	return -ERR_CORRUPT;
}

int image_verify(struct store *s, const struct image *i, uint64_t *out_bytes, struct error *err)
{
	AUTO(buf) struct buf manifest = BUF_INIT;
	int r = store_blob_read(s, &i->row.manifest, LIMIT_MANIFEST_BYTES, &manifest, err);

	*out_bytes = manifest.len + i->config_bytes.len;
	for (size_t n = 0; r == 0 && n < i->config.diff_ids.n; n++)
		r = verify_layer(s, &i->config.diff_ids.items[n], out_bytes, err);
	return r;
}
