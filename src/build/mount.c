/* SPDX-License-Identifier: Apache-2.0 */
#include "build/mount.h"

#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/mem.h"
#include "base/root.h"
#include "build/cache.h"
#include "build/lower.h"
#include "image/image.h"

#include "base/banned.h"

#define CONTEXT_PATH  "/context" /* where the copy of a part of the context lies */
#define NAMESPACE_ARG "BUILDKIT_CACHE_MOUNT_NS"

/* ---- lowering ---- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A source is a path: what would be a pattern to COPY is a character of a name here. */
static char *literal(const char *path)
{
	AUTO(free) char *clean = root_clean_path(path);
	struct buf out = BUF_INIT;

	if (!glob_is_pattern(clean)) {
		buf_addstr(&out, *clean ? clean : "/");
		return buf_steal(&out);
	}
	for (const char *c = clean; *c; c++) {
		if (strchr("*?[\\", *c))
			buf_addch(&out, '\\');
		buf_addch(&out, *c);
	}
	return buf_steal(&out);
}

static bool is_context_copy(const struct vertex *v)
{
	return v && v->kind == VERTEX_COPY && !v->step && str_eq(v->copy.dest, CONTEXT_PATH);
}

char *mount_source_path(const struct build_mount *b)
{
	if (is_context_copy(b->files.from))
		return mem_strdup(CONTEXT_PATH);
	return root_clean_path(b->m.source ? b->m.source : "");
}

/* The vertex that copies a part of a directory, one for each part. */
static struct vertex *context_vertex(struct graph *g, const struct instruction *i,
				     const char *source, struct vertex *from, const char *name)
{
	AUTO(free) char *path = literal(source);
	struct vertex *v;

	for (size_t k = 0; k < g->n; k++)
		if (is_context_copy(g->items[k]) && g->items[k]->copy.from == from &&
		    str_eq(g->items[k]->copy.sources.items[0], path))
			return g->items[k];
	v = graph_add(g, VERTEX_COPY, NULL);
	v->instruction = i;
	v->line = i->line;
	v->text = mem_printf("--mount source=%s", source);
	v->title = mem_printf("[internal] load %s of %s", *source ? source : "/", name);
	v->no_cache = g->o->no_cache;
	v->copy.has_from = from != NULL;
	v->copy.from = from;
	v->copy.from_name = from ? mem_strdup(name) : NULL;
	v->copy.dest = mem_strdup(CONTEXT_PATH);
	/* a context's own mode is the user's affair, that of a directory in it is content */
	v->copy.keep_top = !str_eq(path, "/");
	strlist_add(&v->copy.sources, path);
	return v;
}

static int take_files(struct graph *g, struct stage_state *st, const struct instruction *i,
		      struct build_mount *b, struct error *err)
{
	const char *source = b->m.source ? b->m.source : "";
	const char *name = str_empty(b->m.from) ? "the build context" : b->m.from;
	struct copy_spec *c = &b->files;
	int r = 0;

	if (b->m.type == RUN_MOUNT_CACHE && str_empty(b->m.from))
		return 0;
	b->has_files = true;
	c->has_from = true;
	c->from_name = mem_strdup(name);
	if (!str_empty(b->m.from))
		r = lower_from(g, st, b->m.from, &c->from, err);
	else if (g->o->context < 0)
		r = error_set(err, ERR_INVALID,
			      "--mount=type=bind needs a build context, and the Dockerfile "
			      "came without one");
	if (r < 0)
		return r;
	if (!str_empty(b->m.from) && (!c->from || c->from->kind != VERTEX_SOURCE)) {
		strlist_take(&c->sources, literal(source));
		return 0;
	}
	c->from = context_vertex(g, i, source, c->from, name);
	strlist_add(&c->sources, CONTEXT_PATH);
	return 0;
}

static int take_target(struct stage_state *st, const char *text, struct build_mount *b,
		       struct error *err)
{
	AUTO(free) char *joined = imgconfig_path(st, text);
	AUTO(free) char *clean = root_clean_path(joined);

	if (!*clean) {
		error_set(err, ERR_INVALID, "invalid mount target \"%s\"", *text ? text : "/");
		error_hint(err, "a mount has a target that is not the root: target=/path");
		return -ERR_INVALID;
	}
	b->target = mem_printf("/%s", clean);
	return 0;
}

/* Who has no target gets BuildKit's; @n counts the ssh mounts before it. */
static int choose_target(struct stage_state *st, struct build_mount *b, unsigned n,
			 struct error *err)
{
	const char *target = b->m.target ? b->m.target : "";
	AUTO(free) char *own = NULL;

	if (!*target && b->m.type == RUN_MOUNT_SECRET && b->env)
		return 0;
	if (!*target && b->m.type == RUN_MOUNT_SECRET)
		target = own = mem_printf("/run/secrets/%s", base_name(b->id));
	else if (!*target && b->m.type == RUN_MOUNT_SSH)
		target = own = mem_printf("/run/buildkit/ssh_agent.%u", n);
	return take_target(st, target, b, err);
}

static char *choose_id(const struct graph *g, const struct build_mount *b)
{
	const struct run_mount *m = &b->m;
	const char *space =
		g->o->build_args ? strlist_env_get(g->o->build_args, NAMESPACE_ARG) : NULL;

	switch (m->type) {
	case RUN_MOUNT_SECRET:
		if (!str_empty(m->source))
			return mem_strdup(m->source);
		return mem_strdup(str_empty(m->id) ? base_name(m->target) : m->id);
	case RUN_MOUNT_SSH:
		return mem_strdup(str_empty(m->id) ? "default" : m->id);
	case RUN_MOUNT_CACHE:
		return mem_printf("%s%s%s", space ? space : "", space ? "/" : "",
				  str_empty(m->id) ? b->target : m->id);
	case RUN_MOUNT_BIND:
	case RUN_MOUNT_TMPFS:
	default:
		return NULL;
	}
}

static int lower_mount(struct graph *g, struct stage_state *st, const struct instruction *i,
		       const char *value, struct run_spec *run, struct error *err)
{
	struct build_mount *b;
	unsigned n_ssh = 0;
	int r;

	run->mounts = mem_resize(run->mounts, run->n_mounts + 1, sizeof(*run->mounts));
	b = &run->mounts[run->n_mounts++];
	*b = (struct build_mount){0};
	for (size_t k = 0; k + 1 < run->n_mounts; k++)
		n_ssh += run->mounts[k].m.type == RUN_MOUNT_SSH;
	if ((r = scope_mount(g, st, i, value, &b->m, err)) < 0)
		return r;
	if (b->m.type == RUN_MOUNT_SECRET || b->m.type == RUN_MOUNT_SSH)
		b->id = choose_id(g, b);
	if (b->m.type == RUN_MOUNT_SECRET && b->m.env)
		b->env = mem_strdup(*b->m.env ? b->m.env : b->id);
	if ((r = choose_target(st, b, n_ssh, err)) < 0)
		return r;
	if (b->m.type == RUN_MOUNT_CACHE)
		b->id = choose_id(g, b);
	if (b->m.type == RUN_MOUNT_BIND || b->m.type == RUN_MOUNT_CACHE)
		return take_files(g, st, i, b, err);
	return 0;
}

int mounts_lower(struct graph *g, struct stage_state *st, const struct instruction *i,
		 struct run_spec *run, struct error *err)
{
	AUTO(strlist) struct strlist values = STRLIST_INIT;
	int r = 0;

	instruction_flag_all(i, "mount", &values);
	for (size_t k = 0; r == 0 && k < values.n; k++)
		r = lower_mount(g, st, i, values.items[k], run, err);
	/* as BuildKit has it: the first one, and whether or not there will be an agent */
	for (size_t k = 0; r == 0 && k < run->n_mounts; k++)
		if (run->mounts[k].m.type == RUN_MOUNT_SSH &&
		    !strlist_env_get(&run->env, "SSH_AUTH_SOCK"))
			strlist_env_set(&run->env, "SSH_AUTH_SOCK", run->mounts[k].target);
	return r;
}

void mounts_clear(struct run_spec *run)
{
	for (size_t i = 0; i < run->n_mounts; i++) {
		struct build_mount *b = &run->mounts[i];

		run_mount_clear(&b->m);
		copy_spec_clear(&b->files);
		free(b->target);
		free(b->id);
		free(b->env);
	}
	free(run->mounts);
	run->mounts = NULL;
	run->n_mounts = 0;
}

/* ---- what counts ---- */

void mount_describe(const struct build_mount *b, struct buf *out)
{
	static const char *const sharings[] = {[RUN_MOUNT_SHARED] = "shared",
					       [RUN_MOUNT_PRIVATE] = "private",
					       [RUN_MOUNT_LOCKED] = "locked"};
	const struct run_mount *m = &b->m;

	buf_printf(out, "type=%s", run_mount_type_name(m->type));
	if (b->id)
		buf_printf(out, ",id=%s", b->id);
	if (b->env)
		buf_printf(out, ",env=%s", b->env);
	if (m->type == RUN_MOUNT_CACHE)
		buf_printf(out, ",sharing=%s", sharings[m->sharing]);
	if (m->type == RUN_MOUNT_TMPFS && m->size)
		buf_printf(out, ",size=%llu", (unsigned long long)m->size);
	if (m->type == RUN_MOUNT_BIND ? !m->readonly
				      : m->type < RUN_MOUNT_SECRET && m->readonly)
		buf_addstr(out, m->readonly ? ",ro" : ",rw");
	if (m->required)
		buf_addstr(out, ",required");
	if (m->has_mode)
		buf_printf(out, ",mode=%04o", m->mode);
	if (m->has_uid)
		buf_printf(out, ",uid=%u", m->uid);
	if (m->has_gid)
		buf_printf(out, ",gid=%u", m->gid);
}

void mounts_print(const struct run_spec *run, struct buf *out)
{
	if (run->insecure)
		buf_addstr(out, "  security: insecure\n");
	if (run->script.name)
		buf_printf(out, "  script: %s %zu bytes\n", run->script.name, run->script.len);
	for (size_t i = 0; i < run->n_mounts; i++) {
		const struct build_mount *b = &run->mounts[i];

		buf_addstr(out, "  mount: ");
		mount_describe(b, out);
		if (b->target)
			buf_printf(out, ",target=%s", b->target);
		if (b->has_files && b->files.from)
			buf_printf(out, " from v%u", b->files.from->number);
		if (b->has_files)
			buf_printf(out, " %s%s", b->files.from ? "" : "from empty ",
				   b->files.sources.items[0]);
		buf_addch(out, '\n');
	}
}

void mounts_hash(struct hasher *h, const struct run_spec *run)
{
	/* a step without any of this has the key that it had before there were mounts */
	if (run->insecure)
		hasher_add_string(h, "insecure");
	if (run->script.name) {
		hasher_add_string(h, "script");
		hasher_add_u64(h, run->script.len);
		hasher_add(h, run->script.data, run->script.len);
	}
	for (size_t i = 0; i < run->n_mounts; i++) {
		const struct build_mount *b = &run->mounts[i];
		AUTO(buf) struct buf text = BUF_INIT;

		mount_describe(b, &text);
		hasher_add_string(h, buf_str(&text));
		hasher_add_string(h, b->target);
		hasher_add(h, b->content.bytes, sizeof(b->content.bytes));
	}
}

void mounts_inputs(struct inputs *in, const struct run_spec *run)
{
	inputs_fact(in, "security", run->insecure ? "insecure" : NULL);
	for (size_t i = 0; i < run->n_mounts; i++) {
		const struct build_mount *b = &run->mounts[i];
		AUTO(buf) struct buf text = BUF_INIT;
		AUTO(free) char *variable = b->env ? mem_printf("$%s", b->env) : NULL;

		mount_describe(b, &text);
		inputs_mount(in, b->target ? b->target : variable, buf_str(&text),
			     b->has_files ? &b->content : NULL);
	}
}

bool mounts_ready(const struct run_spec *run)
{
	for (size_t i = 0; i < run->n_mounts; i++)
		if (run->mounts[i].files.from &&
		    run->mounts[i].files.from->state != VERTEX_DONE)
			return false;
	return true;
}

/* ---- content ---- */

static int select_content(struct sources *s, struct build_mount *b, struct error *err)
{
	AUTO(selection) struct selection sel = {0};
	struct digest memo;
	struct tree *tree;
	int r;

	step_memo_key(&b->files, &memo);
	if (store_memo_find(s->store, &memo, &b->content))
		return 0;
	if ((r = sources_tree(s, &b->files, &tree, err)) < 0 ||
	    (r = select_sources(tree, &b->files, &sel, err)) < 0 ||
	    (r = selection_digest_all(tree, &sel, err)) < 0)
		return r;
	selection_hash(&sel, true, &b->content);
	files_save(store_dir(s->store, STORE_HISTORY), &b->content, &sel, true);
	return store_memo_add(s->store, &memo, &b->content, err);
}

int mounts_content(struct sources *s, struct run_spec *run, struct error *err)
{
	for (size_t i = 0; i < run->n_mounts; i++) {
		struct build_mount *b = &run->mounts[i];
		const struct vertex *from = b->files.from;
		int r;

		if (!b->has_files)
			continue;
		if (is_context_copy(from))
			b->content = from->content;
		else if (from && str_eq(b->files.sources.items[0], "/"))
			b->content = from->chain_id;
		else if ((r = select_content(s, b, err)) < 0)
			return r;
	}
	return 0;
}

/* ---- what the main process takes for the step's ---- */

void mount_cache_key(const struct build_mount *b, struct digest *out)
{
	const struct run_mount *m = &b->m;
	struct hasher h;

	hasher_init(&h);
	hasher_add_string(&h, "cache mount");
	hasher_add_string(&h, b->id);
	hasher_add_u64(&h, b->has_files);
	if (b->has_files) {
		hasher_add(&h, b->content.bytes, sizeof(b->content.bytes));
	} else {
		hasher_add_u64(&h, m->has_mode ? m->mode : 0755);
		hasher_add_u64(&h, m->has_uid ? m->uid : 0);
		hasher_add_u64(&h, m->has_gid ? m->gid : 0);
	}
	hasher_end(&h, out);
}

struct wanted {
	struct digest key;
	size_t at;
};

static int compare_wanted(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;
	int r = memcmp(x->key.bytes, y->key.bytes, sizeof(x->key.bytes));

	return r ? r : (x->at > y->at) - (x->at < y->at);
}

/*
 * All steps of all builds take theirs in the order of the keys, and who waits
 * for one holds none that comes after it: so nobody waits in a circle.
 */
static int take_caches(const struct graph *g, struct lease *l, struct job *j, struct error *err)
{
	const struct build_mount *mounts = j->v->run.mounts;
	AUTO(free)
	struct wanted *w = mem_resize(NULL, j->v->run.n_mounts + 1, sizeof(*w));
	bool waits = false;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < j->v->run.n_mounts; i++) {
		if (mounts[i].m.type != RUN_MOUNT_CACHE)
			continue;
		mount_cache_key(&mounts[i], &w[n].key);
		w[n++].at = i;
	}
	qsort(w, n, sizeof(*w), compare_wanted);
	for (size_t k = 0; r == 0 && k < n; k++) {
		struct job_mount *jm = &j->mounts[w[k].at];

		jm->turn = k;
		/* the same one twice in a step: it must not wait for itself */
		if (k && digest_eq(&w[k].key, &w[k - 1].key)) {
			memcpy(jm->use.dir, j->mounts[w[k - 1].at].use.dir,
			       sizeof(jm->use.dir));
			continue;
		}
		r = store_cache_take(g->store, l, &w[k].key, mounts[w[k].at].id,
				     (enum store_sharing)mounts[w[k].at].m.sharing, &jm->use,
				     err);
		if (r == 0 && !jm->use.waits)
			cache_mounts_fill(g, &mounts[w[k].at], &w[k].key, jm->use.dir);
		if (r == 0 && waits && !jm->use.waits) {
			flock(jm->use.turn, LOCK_UN);
			jm->use.waits = true;
		}
		waits = waits || jm->use.waits;
	}
	return r;
}

int mounts_take(const struct graph *g, struct lease *l, struct job *j, struct error *err)
{
	const struct run_spec *run = &j->v->run;
	int r = 0;

	j->mounts = mem_resize(NULL, run->n_mounts, sizeof(*j->mounts));
	for (size_t i = 0; i < run->n_mounts; i++)
		j->mounts[i] = (struct job_mount){.stack = {.bottom = -1},
						  .use = STORE_CACHE_USE_INIT};
	for (size_t i = 0; r == 0 && i < run->n_mounts; i++) {
		const struct build_mount *b = &run->mounts[i];

		if (b->has_files && b->files.from)
			r = image_stack(g->store, b->files.from->diff_ids.items,
					b->files.from->diff_ids.n, &j->mounts[i].stack, err);
	}
	return r < 0 ? r : take_caches(g, l, j, err);
}

void mounts_handed_over(struct job *j)
{
	for (size_t i = 0; j->mounts && i < j->v->run.n_mounts; i++)
		store_cache_release(&j->mounts[i].use);
}

void mounts_release(struct job *j)
{
	for (size_t i = 0; j->mounts && i < j->v->run.n_mounts; i++) {
		snapshot_stack_clear(&j->mounts[i].stack);
		store_cache_release(&j->mounts[i].use);
	}
	free(j->mounts);
	j->mounts = NULL;
}
