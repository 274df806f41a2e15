/* SPDX-License-Identifier: Apache-2.0 */
/* cache-mounts=true: the directories of RUN --mount=type=cache, as layers of the cache. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/root.h"
#include "build/cache.h"
#include "build/mount.h"
#include "image/image.h"

#include "base/banned.h"

#define TREE "fs" /* of a cache mount, below its directory */

static void warn(const struct graph *g, const char *what, const char *id, const char *why)
{
	AUTO(free) char *text = mem_printf("%s: the cache mount %s: %s", what, id, why);

	progress_emit(g->o->progress,
		      &(struct progress_event){.kind = PROGRESS_WARNING, .text = text});
}

static int open_mount(const struct graph *g, const char *dir, int *out, struct error *err)
{
	*out = openat(store_dir(g->store, STORE_CACHE_MOUNTS), dir,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *out < 0 ? error_sys(err, "cachemounts/%s", dir) : 0;
}

/* ---- writing ---- */

struct gathering {
	const struct graph *g;
	const struct cache_place *place;
	const struct cache_target *to;
	const struct cache_document *before;
	struct cache_document *doc;
	struct map seen; /* hex of keys */
};

static size_t add_layer(struct gathering *x, const struct layer_info *info)
{
	struct cache_layer *l;

	for (size_t i = 0; i < x->doc->layers.n; i++)
		if (digest_eq(&x->doc->layers.items[i].diff_id, &info->diff_id))
			return i;
	l = vec_push(&x->doc->layers);
	*l = (struct cache_layer){.blob = DESCRIPTOR_INIT,
				  .diff_id = info->diff_id,
				  .measured = true,
				  .content_bytes = info->content_bytes,
				  .tar_bytes = info->tar_bytes,
				  .entries = info->entries};
	return x->doc->layers.n - 1;
}

static int pack(struct gathering *x, int fs, struct cache_layer *l, struct error *err)
{
	const struct image_form form = {.compression = x->place->compression,
					.level = x->place->level};
	struct digest diff_id;
	AUTO(fd) int fd = -1;
	int r = image_pack_tree(x->g->store, fs, &form, &diff_id, &l->blob, &fd, err);

	if (r == 0 && !digest_eq(&diff_id, &l->diff_id))
		r = error_set(err, ERR_CONFLICT, "it changed while it was read");
	return r < 0 ? r : x->to->file(x->to->data, l, fd, err);
}

static int add_tree(struct gathering *x, const struct build_mount *b, const struct digest *key,
		    int fs, struct error *err)
{
	struct cache_mount *m;
	struct layer_info info;
	struct cache_layer *l;
	struct stat st;
	size_t at;
	int r = layer_describe_tree(fs, NULL, &info, err);

	if (r < 0)
		return r;
	if (fstat(fs, &st) < 0)
		return error_sys(err, "cannot read it");
	at = add_layer(x, &info);
	l = &x->doc->layers.items[at];
	if (!l->has_blob && (r = x->to->blob(x->to->data, l, &l->has_blob, err)) < 0)
		return r;
	if (!l->has_blob && (r = pack(x, fs, l, err)) < 0)
		return r;
	l->has_blob = true;
	m = vec_push(&x->doc->mounts);
	*m = (struct cache_mount){.key = *key,
				  .id = mem_strdup(b->id),
				  .layer = at,
				  .mode = st.st_mode & 07777,
				  .uid = st.st_uid,
				  .gid = st.st_gid};
	return 0;
}

/* Of one that is not here, or that somebody works with: what was there before. */
static void keep(struct gathering *x, const struct digest *key)
{
	for (size_t i = 0; i < x->before->mounts.n; i++) {
		const struct cache_mount *old = &x->before->mounts.items[i];
		const struct cache_layer *l = &x->before->layers.items[old->layer];
		struct cache_mount *m;
		size_t at;

		if (!digest_eq(&old->key, key))
			continue;
		at = add_layer(x, &(struct layer_info){.diff_id = l->diff_id,
						       .content_bytes = l->content_bytes,
						       .tar_bytes = l->tar_bytes,
						       .entries = l->entries});
		if (!x->doc->layers.items[at].has_blob)
			descriptor_copy(&l->blob, &x->doc->layers.items[at].blob);
		x->doc->layers.items[at].has_blob = true;
		m = vec_push(&x->doc->mounts);
		*m = *old;
		m->id = mem_strdup(old->id);
		m->layer = at;
		return;
	}
}

/* Nobody else has it while it is read. */
static int add_mount(struct gathering *x, const struct build_mount *b, struct error *err)
{
	struct store_cache_use use = STORE_CACHE_USE_INIT;
	AUTO(error) struct error why = ERROR_INIT;
	char hex[DIGEST_HEX_SIZE];
	struct digest key;
	AUTO(fd) int dir = -1;
	AUTO(fd) int fs = -1;
	int r = 0;

	mount_cache_key(b, &key);
	if (map_has(&x->seen, digest_hex(&key, hex)))
		return 0;
	map_set(&x->seen, hex, NULL);
	if (store_cache_find(x->g->store, &key, &use, NULL) == 0 &&
	    open_mount(x->g, use.dir, &dir, NULL) == 0)
		fs = openat(dir, TREE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fs < 0)
		keep(x, &key);
	else
		r = add_tree(x, b, &key, fs, &why);
	store_cache_release(&use);
	/* what a layer cannot say is no reason to lose the rest */
	if (r == -ERR_CONFLICT || r == -ERR_UNSUPPORTED || r == -ERR_INVALID) {
		warn(x->g, "--cache-to", b->id, why.message);
		return 0;
	}
	error_move(err, &why);
	return r;
}

int cache_mounts_gather(const struct graph *g, const struct cache_place *p,
			const struct cache_target *to, const struct cache_document *before,
			struct cache_document *doc, struct error *err)
{
	struct gathering x = {.g = g, .place = p, .to = to, .before = before, .doc = doc};
	char hex[DIGEST_HEX_SIZE];
	int r = 0;

	for (size_t i = 0; r == 0 && p->cache_mounts && i < g->n; i++)
		for (size_t k = 0; r == 0 && k < g->items[i]->run.n_mounts; k++)
			if (g->items[i]->run.mounts[k].m.type == RUN_MOUNT_CACHE)
				r = add_mount(&x, &g->items[i]->run.mounts[k], err);
	/* those of the platforms that were built before */
	for (size_t i = 0; r == 0 && g->o->adds && i < before->mounts.n; i++)
		if (!map_has(&x.seen, digest_hex(&before->mounts.items[i].key, hex)))
			keep(&x, &before->mounts.items[i].key);
	map_clear(&x.seen);
	return r;
}

/* ---- taking ---- */

/* What came out is proved by what it would be packed to. */
static int unpack(const struct cache_mount *m, const struct cache_layer *l, int blob, int tree,
		  struct error *err)
{
	struct layer_unpack how = {.mode = LAYER_UNPACK_TREE,
				   .input = blob,
				   .tree = tree,
				   .below = "",
				   .limit_bytes = l->measured ? l->content_bytes + 1 : 0};
	struct layer_unpacked unpacked;
	struct layer_info info;
	int r;

	if ((r = layer_unpack(&how, &unpacked, err)) < 0 ||
	    (r = layer_describe_tree(tree, NULL, &info, err)) < 0)
		return r;
	if (!digest_eq(&info.diff_id, &l->diff_id))
		return error_set(err, ERR_CORRUPT, "its tar is not what its record says");
	if (fchown(tree, m->uid, m->gid) < 0 || fchmod(tree, m->mode) < 0)
		return error_sys(err, "cannot give it away");
	return 0;
}

/* Whole, or not at all; one that is there meanwhile stays. */
static int bring(const struct graph *g, const struct cache_source *from,
		 const struct cache_mount *m, int dir, struct error *err)
{
	const struct cache_layer *l = &from->doc.layers.items[m->layer];
	char name[16] = "new-";
	AUTO(fd) int blob = -1;
	AUTO(fd) int tree = -1;
	int r = cache_source_blob(from, g->store, l, &blob, err);

	if (r < 0)
		return r;
	random_hex(name + 4, sizeof(name) - 5);
	if (mkdirat(dir, name, 0700) < 0 ||
	    (tree = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return error_sys(err, "cannot make it");
	r = unpack(m, l, blob, tree, err);
	if (r == 0 && renameat2(dir, name, dir, TREE, RENAME_NOREPLACE) == 0)
		return 0;
	if (r == 0 && errno != EEXIST)
		r = error_sys(err, "cannot make it");
	root_remove(dir, name, NULL);
	return r;
}

void cache_mounts_fill(const struct graph *g, const struct build_mount *b,
		       const struct digest *key, const char *mount_dir)
{
	AUTO(error) struct error why = ERROR_INIT;
	const struct cache_source *from = NULL;
	const struct cache_mount *m = cache_imports_mount(g->imports, key, &from);
	AUTO(fd) int dir = -1;
	int r;

	if (!m || (r = open_mount(g, mount_dir, &dir, &why)) < 0 ||
	    faccessat(dir, TREE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	if ((r = bring(g, from, m, dir, &why)) < 0)
		warn(g, "--cache-from", b->id, why.message);
}
