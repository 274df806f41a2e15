/* SPDX-License-Identifier: Apache-2.0 */
/* Writing: the record of one build, and the logs of its steps. */
#include "build/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "build/mount.h"
#include "build/redact.h"

#include "base/banned.h"

/* A build without anything new looks at the ceiling this seldom: it has to list history/. */
#define TRIM_ONE_IN 16

struct build_history {
	struct store *store;
	const struct build_options *o;
	char id[HISTORY_ID_SIZE];
	int64_t started_ns;
	struct digest salt;
	bool has_salt;
};

struct build_history *history_new(struct store *s, const struct build_options *o)
{
	struct build_history *h = mem_new(struct build_history);

	h->store = s;
	h->o = o;
	h->started_ns = clock_now_ns();
	snprintf(h->id, sizeof(h->id), "%013llx", (unsigned long long)(h->started_ns / 1000));
	return h;
}

void history_free(struct build_history *h)
{
	free(h);
}

const char *history_id(const struct build_history *h)
{
	return h->id;
}

static int directory(const struct build_history *h)
{
	return store_dir(h->store, STORE_HISTORY);
}

const struct digest *history_salt(struct build_history *h)
{
	AUTO(buf) struct buf text = BUF_INIT;
	int dir = directory(h);

	for (int attempt = 0; attempt < 2 && !h->has_salt; attempt++) {
		buf_reset(&text);
		if (io_read_file(dir, "salt", DIGEST_SIZE, &text, NULL) == 0 &&
		    text.len == DIGEST_SIZE) {
			memcpy(h->salt.bytes, text.data, DIGEST_SIZE);
			h->has_salt = true;
			break;
		}
		/* two builds at once: the first one's stays, and is read */
		if (getrandom(h->salt.bytes, DIGEST_SIZE, 0) != DIGEST_SIZE)
			break;
		io_write_file(dir, "salt", h->salt.bytes, DIGEST_SIZE, 0600, IO_EXCLUDE, NULL);
	}
	return h->has_salt ? &h->salt : NULL;
}

/* ---- logs ---- */

/* A program may print the secret that it was given; false if the log cannot be without it. */
static bool hide_secrets(const struct build_history *h, struct vertex *v)
{
	struct redact *r = mem_new(struct redact);
	bool known = true;

	v->record.redact = r;
	for (size_t i = 0; i < v->run.n_mounts && known; i++) {
		const struct build_mount *m = &v->run.mounts[i];
		AUTO(buf) struct buf value = BUF_INIT;

		if (m->m.type != RUN_MOUNT_SECRET)
			continue;
		known = secret_reread(h->o, m->id, &value);
		redact_add(r, buf_str(&value), value.len);
		if (value.len)
			explicit_bzero(value.data, value.len);
	}
	return known && r->values.n <= REDACT_VALUES_MAX;
}

static void open_log(struct build_history *h, struct vertex *v)
{
	char hex[DIGEST_HEX_SIZE], name[80];

	v->record.has_log = true;
	if (!hide_secrets(h, v)) {
		log_debug("build", "the log of a step is not kept: it might hold a secret");
		return;
	}
	digest_hex(&v->record.key, hex);
	snprintf(name, sizeof(name), "log-%.32s-%s", hex, h->id);
	v->record.log = openat(directory(h), name,
			       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (v->record.log < 0)
		log_debug("build", "the log of a step could not be kept");
}

static void write_log(struct vertex *v, const char *text, size_t len)
{
	if (v->record.log >= 0 && io_write_full(v->record.log, text, len) < 0)
		close_fd(&v->record.log); /* a full disk fails the build soon enough */
}

void history_log(struct build_history *h, struct vertex *v, const char *text, size_t len)
{
	AUTO(buf) struct buf clean = BUF_INIT;

	if (!h || !v->record.has_key)
		return;
	if (!v->record.has_log)
		open_log(h, v);
	if (v->record.log < 0)
		return;
	if (!v->record.redact->values.n) {
		write_log(v, text, len);
		return;
	}
	redact_feed(v->record.redact, text, len, false, &clean);
	write_log(v, buf_str(&clean), clean.len);
}

void history_log_end(struct vertex *v)
{
	AUTO(buf) struct buf clean = BUF_INIT;

	if (v->record.redact) {
		redact_feed(v->record.redact, "", 0, true, &clean);
		write_log(v, buf_str(&clean), clean.len);
		redact_clear(v->record.redact);
		free(v->record.redact);
		v->record.redact = NULL;
	}
	close_fd(&v->record.log);
}

/* ---- the record ---- */

static void put_name(struct buf *b, const char *name)
{
	if (b->data[b->len - 1] != '{')
		buf_addch(b, ',');
	json_quote(name, false, b);
	buf_addch(b, ':');
}

static void put_text(struct buf *b, const char *name, const char *text)
{
	if (!text)
		return;
	put_name(b, name);
	json_quote(text, false, b);
}

static void put_number(struct buf *b, const char *name, int64_t n)
{
	put_name(b, name);
	buf_printf(b, "%lld", (long long)n);
}

static void put_digest(struct buf *b, const char *name, const struct digest *d)
{
	char text[DIGEST_TEXT_SIZE];

	put_text(b, name, digest_text(d, text));
}

static void put_layers(struct buf *b, const struct digest_list *l)
{
	put_name(b, "layers");
	buf_addch(b, '[');
	for (size_t i = 0; i < l->n; i++) {
		char text[DIGEST_TEXT_SIZE];

		buf_printf(b, "%s\"%s\"", i ? "," : "", digest_text(&l->items[i], text));
	}
	buf_addch(b, ']');
}

static const char *state_of(const struct vertex *v)
{
	if (v->cached)
		return "cached";
	if (v->state == VERTEX_DONE)
		return "ran";
	if (!v->record.began)
		return "waiting";
	return v->record.ended ? "failed" : "stopped";
}

static void put_execution(struct buf *b, const struct vertex *v)
{
	static const char *const misses[] = {[MISS_NONE] = NULL,
					     [MISS_ASKED] = "asked",
					     [MISS_UNKNOWN] = "unknown",
					     [MISS_DAMAGED] = "damaged"};

	put_text(b, "state", state_of(v));
	put_text(b, "miss", misses[v->record.miss]);
	put_text(b, "cache", v->record.cache);
	if (v->record.has_key)
		put_digest(b, "key", &v->record.key);
	if (v->record.duration_ns)
		put_number(b, "duration", v->record.duration_ns);
	if (v->state == VERTEX_DONE && v->diff_ids.n)
		put_digest(b, "layer", &v->diff_ids.items[v->diff_ids.n - 1]);
	if (v->record.has_log) {
		put_name(b, "log");
		buf_addstr(b, "true");
	}
	if (v->record.inputs) {
		put_name(b, "inputs");
		buf_addstr(b, v->record.inputs);
	}
}

/* "builder 2/4" of "[builder 2/4] RUN make" */
static void put_label(struct buf *b, const struct vertex *v)
{
	const char *title = v->title ? v->title : "";
	AUTO(free) char *label = NULL;

	if (*title != '[')
		return;
	label = mem_strndup(title + 1, strcspn(title + 1, "]"));
	put_text(b, "label", label);
}

/* Of no stage: it copies for another step, whose instruction it has. */
static bool is_internal(const struct vertex *v)
{
	return v->kind == VERTEX_COPY && !v->step;
}

/* The steps that its mounts take files from, by target. */
static void put_uses(struct buf *b, const struct vertex *v)
{
	bool any = false;

	for (size_t i = 0; i < v->run.n_mounts; i++) {
		const struct build_mount *m = &v->run.mounts[i];

		/* a step without a stage is a copy of the context's: its files are told */
		if (!m->has_files || !m->files.from || !m->target || is_internal(m->files.from))
			continue;
		if (!any) {
			put_name(b, "uses");
			buf_addch(b, '{');
		}
		any = true;
		put_number(b, m->target, m->files.from->number);
	}
	if (any)
		buf_addch(b, '}');
}

static void put_vertex(struct buf *b, const struct vertex *v)
{
	static const char *const kinds[] = {[VERTEX_IMAGE] = "image",
					    [VERTEX_RUN] = "run",
					    [VERTEX_COPY] = "copy",
					    [VERTEX_WORKDIR] = "workdir",
					    [VERTEX_SOURCE] = "source"};

	buf_addch(b, '{');
	put_text(b, "kind", kinds[v->kind]);
	put_label(b, v);
	put_text(b, "title", v->text);
	put_text(b, "text", v->instruction && !is_internal(v) ? v->instruction->text : v->text);
	put_number(b, "line", v->line);
	if (v->instruction && v->instruction->end_line > v->line)
		put_number(b, "end_line", v->instruction->end_line);
	if (v->parent)
		put_number(b, "parent", v->parent->number);
	if (v->copy.from)
		put_number(b, "from", v->copy.from->number);
	put_uses(b, v);
	if (v->kind == VERTEX_IMAGE) {
		put_digest(b, "image", &v->image);
		put_layers(b, &v->diff_ids);
	} else {
		put_execution(b, v);
	}
	buf_addch(b, '}');
}

char *history_place(const char *text)
{
	const char *scheme = strstr(text, "://");
	const char *host = scheme ? scheme + 3 : text;
	size_t len = strcspn(host, "/?#");
	const char *at = NULL;

	for (size_t i = 0; i < len; i++)
		if (host[i] == '@')
			at = host + i;
	if (!scheme || !at)
		return mem_strdup(text);
	return mem_printf("%.*s%s", (int)(host - text), text, at + 1);
}

/* What is built, whatever its target: the same name means "the same thing again". */
static void identity_of(const struct graph *g, char out[17])
{
	AUTO(free) char *place = history_place(g->o->context_label ? g->o->context_label : "");
	AUTO(buf) struct buf platform = BUF_INIT;
	char hex[DIGEST_HEX_SIZE];
	struct hasher h;
	struct digest d;

	platform_format(&g->platform, &platform);
	hasher_init(&h);
	hasher_add_string(&h, place);
	hasher_add_string(&h, g->o->dockerfile_name);
	hasher_add_string(&h, buf_str(&platform));
	hasher_end(&h, &d);
	digest_hex(&d, hex);
	snprintf(out, 17, "%.16s", hex);
}

static void put_build(struct build_history *h, const struct graph *g,
		      const struct digest *image, const struct error *err, struct buf *b)
{
	AUTO(free) char *place = history_place(g->o->context_label ? g->o->context_label : "");
	AUTO(buf) struct buf platform = BUF_INIT;
	const struct build_options *o = g->o;

	platform_format(&g->platform, &platform);
	buf_addch(b, '{');
	put_text(b, "id", h->id);
	put_number(b, "started", h->started_ns);
	put_number(b, "duration", clock_now_ns() - h->started_ns);
	put_text(b, "dockerfile", o->dockerfile_name);
	put_text(b, "context", place);
	put_text(b, "target", o->target);
	put_text(b, "platform", buf_str(&platform));
	put_text(b, "status",
		 image				     ? "done"
		 : err && err->code == ERR_CANCELLED ? "cancelled"
						     : "failed");
	if (image)
		put_digest(b, "image", image);
	put_number(b, "no_cache", o->no_cache);
	if (o->names && o->names->n)
		put_text(b, "name", o->names->items[0]);
	put_name(b, "steps");
	buf_addch(b, '[');
	for (size_t i = 0; i < g->n; i++) {
		if (i)
			buf_addch(b, ',');
		put_vertex(b, g->items[i]);
	}
	buf_addstr(b, "]}");
}

static bool ran_anything(const struct graph *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->items[i]->record.inputs || g->items[i]->record.has_log)
			return true;
	return false;
}

void history_save(struct build_history *h, const struct graph *g, const struct digest *image,
		  const struct error *err)
{
	AUTO(buf) struct buf b = BUF_INIT;
	char identity[17], name[64];

	if (!h || !g->n)
		return;
	put_build(h, g, image, err, &b);
	identity_of(g, identity);
	snprintf(name, sizeof(name), "build-%s-%s", h->id, identity);
	if (b.len > LIMIT_HISTORY_RECORD ||
	    io_write_file(directory(h), name, b.data, b.len, 0600, 0, NULL) < 0)
		log_debug("build", "no record of this build was kept");
	if (ran_anything(g) || h->started_ns / 1000 % TRIM_ONE_IN == 0)
		history_trim(directory(h), HISTORY_CEILING, NULL, NULL);
}
