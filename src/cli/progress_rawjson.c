/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of JSON for each event, in the shape of BuildKit's SolveStatus (its
 * api/services/control): vertexes, statuses, logs, warnings; bytes as base64.
 * A vertex is known by the digest of its number and title.
 */
#include "cli/cli_renderer.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include "base/banned.h"

static json_t *bytes_of(const char *text, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	AUTO(buf) struct buf out = BUF_INIT;
	const unsigned char *s = (const unsigned char *)text;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)s[i] << 16;

		if (n > 1)
			v |= (uint32_t)s[i + 1] << 8;
		if (n > 2)
			v |= s[i + 2];
		buf_addch(&out, digits[v >> 18]);
		buf_addch(&out, digits[v >> 12 & 63]);
		buf_addch(&out, n > 1 ? digits[v >> 6 & 63] : '=');
		buf_addch(&out, n > 2 ? digits[v & 63] : '=');
	}
	return json_string(buf_str(&out));
}

static json_t *time_of(int64_t ns)
{
	AUTO(buf) struct buf text = BUF_INIT;

	clock_format(ns, &text);
	return json_string(buf_str(&text));
}

static json_t *vertex_id(const struct task *t)
{
	struct hasher h;
	struct digest d;
	char text[DIGEST_TEXT_SIZE];

	hasher_init(&h);
	hasher_add_u64(&h, t->id);
	hasher_add_string(&h, t->title);
	hasher_end(&h, &d);
	return json_string(digest_text(&d, text));
}

/* {"KIND":[ITEM]}; TAKES @item. */
static void say(struct cli_progress *p, const char *kind, json_t *item)
{
	AUTO(json) json_t *line = json_object();
	json_t *list = json_array();

	json_array_append_new(list, item);
	json_object_set_new(line, kind, list);
	json_text(line, &p->out);
	buf_addch(&p->out, '\n');
}

/* When the task began, on the clock of the day. */
static int64_t began_at(const struct cli_progress *p, const struct task *t)
{
	return p->started_at_ns + (t->started_ns - p->started_ns);
}

static void say_vertex(struct cli_progress *p, const struct task *t)
{
	json_t *v = json_object();
	int64_t began = began_at(p, t);

	json_object_set_new(v, "digest", vertex_id(t));
	json_object_set_new(v, "name", json_string(t->title));
	json_object_set_new(v, "started", time_of(began));
	if (t->state != TASK_RUNNING)
		json_object_set_new(v, "completed", time_of(began + t->duration_ns));
	if (t->state == TASK_CACHED)
		json_object_set_new(v, "cached", json_true());
	if (t->state == TASK_FAILED)
		json_object_set_new(v, "error", json_string(t->error));
	if (t->state == TASK_CANCELLED)
		json_object_set_new(v, "error", json_string("context canceled"));
	say(p, "vertexes", v);
}

static void say_log(struct cli_progress *p, const struct task *t,
		    const struct progress_event *e)
{
	json_t *l = json_object();

	json_object_set_new(l, "vertex", vertex_id(t));
	json_object_set_new(l, "stream", json_integer(e->stream));
	json_object_set_new(l, "data", bytes_of(e->text, e->len));
	json_object_set_new(l, "timestamp", time_of(clock_now_ns()));
	say(p, "logs", l);
}

static void say_status(struct cli_progress *p, const struct task *t,
		       const struct progress_event *e)
{
	json_t *s = json_object();
	bool bytes = e->kind == PROGRESS_BYTES;

	json_object_set_new(
		s, "id",
		json_string(bytes ? "transferring" : t->statuses.items[t->statuses.n - 1]));
	json_object_set_new(s, "vertex", vertex_id(t));
	if (bytes && e->total)
		json_object_set_new(s, "total", json_integer((json_int_t)e->total));
	if (bytes)
		json_object_set_new(s, "current", json_integer((json_int_t)e->current));
	json_object_set_new(s, "timestamp", time_of(clock_now_ns()));
	json_object_set_new(s, "started", time_of(clock_now_ns() - e->duration_ns));
	if (!bytes)
		json_object_set_new(s, "completed", time_of(clock_now_ns()));
	say(p, "statuses", s);
}

static void raw_event(struct cli_progress *p, struct task *t, const struct progress_event *e)
{
	switch (e->kind) {
	case PROGRESS_BEGIN:
	case PROGRESS_DONE:
	case PROGRESS_CACHED:
	case PROGRESS_FAILED:
	case PROGRESS_CANCELLED:
		say_vertex(p, t);
		break;
	case PROGRESS_LOG:
		say_log(p, t, e);
		break;
	case PROGRESS_BYTES:
	case PROGRESS_STATUS:
		say_status(p, t, e);
		break;
	case PROGRESS_NONE:
	case PROGRESS_WARNING:
	case PROGRESS_TOTAL:
	case PROGRESS_TICK:
	case PROGRESS_STEP:
		break;
	}
}

static void raw_warning(struct cli_progress *p, const struct progress_event *e)
{
	json_t *w = json_object();

	json_object_set_new(w, "level", json_integer(1));
	json_object_set_new(w, "short", bytes_of(e->text, strlen(e->text)));
	say(p, "warnings", w);
}

static void raw_line(struct cli_progress *p, struct task *t, const char *stamp,
		     const char *text, size_t len)
{
	(void)p, (void)t, (void)stamp, (void)text, (void)len;
}

static void raw_finish(struct cli_progress *p)
{
	(void)p;
}

const struct renderer progress_rawjson = {
	.event = raw_event,
	.line = raw_line,
	.finish = raw_finish,
	.warning = raw_warning,
	.silent_end = true,
};
