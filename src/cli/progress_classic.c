/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `docker build` before BuildKit: one step after the other, each with the id of
 * what it made.
 *
 *   Step 2/3 : RUN make
 *   (its output)
 *    ---> 1f29bb2b9a3c
 *
 * Work is done side by side all the same; what a later step says waits for its
 * turn.  There is no container to remove and no image of each step: the id
 * names the state after the step, the last one's is the image's.
 */
#include "cli/cli_renderer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "engine/engine.h"

#include "base/banned.h"

#define SHORT_ID 12

static const char *hex_of(const char *digest)
{
	const char *colon = strchr(digest, ':');

	return colon ? colon + 1 : digest;
}

static struct task *task_of(struct cli_progress *p, const struct step *s)
{
	for (size_t i = 0; s->vertex && i < p->tasks.n; i++)
		if (p->tasks.items[i]->vertex == s->vertex)
			return p->tasks.items[i];
	return NULL;
}

static void set_state(struct cli_progress *p, const struct digest *d)
{
	digest_text(d, p->state);
}

/* A step that only changes the config: its state follows from the one before. */
static void fold_state(struct cli_progress *p, const char *text)
{
	struct hasher h;
	struct digest d;

	hasher_init(&h);
	hasher_add_string(&h, p->state);
	hasher_add_string(&h, text);
	hasher_end(&h, &d);
	set_state(p, &d);
}

static void announce(struct cli_progress *p, const struct step *s)
{
	if (!p->announced)
		buf_printf(&p->out, "Step %zu/%zu : %s\n", p->next_step + 1, p->steps.n,
			   s->text);
	p->announced = true;
}

static void end_step(struct cli_progress *p, bool cached)
{
	if (cached)
		buf_addstr(&p->out, " ---> Using cache\n");
	/* the image of the last step is not known before it is written */
	if (p->next_step + 1 < p->steps.n)
		buf_printf(&p->out, " ---> %.*s\n", SHORT_ID, hex_of(p->state));
	p->next_step++;
	p->announced = false;
}

static void say_pending(struct cli_progress *p, struct task *t)
{
	buf_add(&p->out, buf_str(&t->pending), t->pending.len);
	buf_clear(&t->pending);
}

static bool is_from(const struct step *s)
{
	return strncasecmp(s->text, "FROM ", 5) == 0;
}

/* One step, if it can be told to its end. */
static bool tell_step(struct cli_progress *p)
{
	const struct step *s = &p->steps.items[p->next_step];
	struct task *t = task_of(p, s);

	if (s->vertex && !t)
		return false;
	announce(p, s);
	if (!s->vertex) {
		if (is_from(s))
			*p->state = '\0'; /* scratch */
		else
			fold_state(p, s->text);
		end_step(p, false);
		return true;
	}
	say_pending(p, t);
	if (t->state != TASK_DONE && t->state != TASK_CACHED)
		return false;
	if (t->result)
		snprintf(p->state, sizeof(p->state), "%s", t->result);
	end_step(p, t->state == TASK_CACHED && !is_from(s));
	return true;
}

static void tell_steps(struct cli_progress *p)
{
	while (p->next_step < p->steps.n && tell_step(p))
		;
}

static void classic_line(struct cli_progress *p, struct task *t, const char *stamp,
			 const char *text, size_t len)
{
	(void)p;
	(void)stamp;
	buf_add(&t->pending, text, len);
	buf_addch(&t->pending, '\n');
}

static void say_tagged(struct cli_progress *p, const char *name)
{
	AUTO(reference) struct reference ref = REFERENCE_INIT;
	AUTO(buf) struct buf familiar = BUF_INIT;

	if (reference_parse(name, &ref, NULL) == 0)
		reference_familiar(&ref, &familiar);
	buf_printf(&p->out, "Successfully tagged %s\n",
		   familiar.len ? buf_str(&familiar) : name);
}

/* The last task writes the image: its result is the id. */
static void say_built(struct cli_progress *p, const struct task *t)
{
	const char *id = hex_of(t->result), *naming = "naming to ";

	buf_printf(&p->out, " ---> %.*s\nSuccessfully built %.*s\n", SHORT_ID, id, SHORT_ID,
		   id);
	for (size_t i = 0; i < t->statuses.n; i++)
		if (str_starts(t->statuses.items[i], naming))
			say_tagged(p, t->statuses.items[i] + strlen(naming));
}

static void classic_event(struct cli_progress *p, struct task *t,
			  const struct progress_event *e)
{
	if (!t)
		return;
	tell_steps(p);
	if (e->kind == PROGRESS_DONE && !t->vertex && t->result && p->next_step == p->steps.n)
		say_built(p, t);
}

static void classic_step(struct cli_progress *p, const struct progress_event *e)
{
	*vec_push(&p->steps) = (struct step){.text = mem_strdup(e->text), .vertex = e->vertex};
}

static void classic_finish(struct cli_progress *p)
{
	(void)p;
}

const struct renderer progress_classic = {
	.event = classic_event,
	.line = classic_line,
	.finish = classic_finish,
	.step = classic_step,
	.silent_end = true,
};
