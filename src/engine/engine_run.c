/* SPDX-License-Identifier: Apache-2.0 */
/* A container in the foreground, without a monitor: a sandbox, and the pump between it and us.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/root.h"
#include "engine/engine_network.h"

#include "base/banned.h"

#define EXIT_ENGINE 125

/* Who asks for the members of a network finds it. */
static void write_state(struct container_box *b)
{
	AUTO(json) json_t *state = NULL;

	if (!runtime_has_names(b->o))
		return;
	state = json_object();
	json_object_set_new(state, "networks", container_network_state(b));
	container_state_write(b->dir, state, NULL);
}

static int run(struct container_box *b, const struct engine_run *req,
	       struct runtime_stdio **stdio, int *out_code, struct error *err)
{
	struct runtime_stdio_options io = {.tty = b->o->tty,
					   .interactive = b->o->interactive,
					   .in = req->in,
					   .out = req->out,
					   .err = req->err};
	struct sandbox_bind binds[CONTAINER_BINDS];
	struct sandbox_options so = {0};
	struct sandbox sb;
	AUTO(fd) int root = -1;
	int r;

	if ((r = runtime_stdio_new(&io, stdio, err)) < 0 ||
	    (r = container_box_new(b, req, err)) < 0 ||
	    (r = container_box_prepare(b, *stdio, &root, err)) < 0)
		return r;
	so.stdio = runtime_stdio_child(*stdio);
	if ((r = container_box_start(b, &root, &so, binds, &sb, err)) < 0)
		return r;
	write_state(b);
	/* its row holds all that it needs: others may remove what nothing does */
	store_rest(b->e->store);
	r = runtime_stdio_run(*stdio, &sb, &so, out_code, err);
	if (store_wake(b->e->store, r < 0 ? NULL : err) < 0 && r == 0)
		r = -ERR_SYSTEM;
	return r;
}

static void tell_end(struct container_box *b, int code)
{
	AUTO(free) char *text = mem_printf("%d", code);

	container_event(b->e, &b->row, "die", "exitCode", text);
}

/* One that never started leaves nothing; --rm nothing either; else the row says how it ended.
 */
static int settle(struct container_box *b, int result, int code, struct error *err)
{
	int r = 0;

	network_endpoint_close(&b->endpoint);
	if (b->uses)
		container_event_leave(b, store_dir(b->e->store, STORE_ROOT), NULL);
	if (!b->row.id || !b->row.name)
		return 0;
	if (b->row.started_ns)
		tell_end(b, code);
	if (b->o->remove || (result < 0 && !b->row.started_ns)) {
		r = container_remove(b->e, &b->row, true, err);
	} else if (b->row.started_ns) {
		b->row.finished_ns = clock_now_ns();
		b->row.exit_code = code;
		r = container_box_state(b, "exited", err);
		if (r == 0 && b->dir >= 0)
			r = root_remove(b->dir, "work", err);
	}
	return r;
}

int engine_run(struct engine *e, const struct engine_run *req, int *out_exit_code,
	       struct error *err)
{
	struct container_box b = CONTAINER_BOX_INIT;
	AUTO(error) struct error late = ERROR_INIT;
	struct runtime_stdio *stdio = NULL;
	int code = EXIT_ENGINE, r, after;

	b.e = e;
	b.o = req->options;
	r = engine_need_store(e, err);
	if (r == 0)
		r = run(&b, req, &stdio, &code, err);
	log_debug("engine", "ended %.12s", b.row.id ? b.row.id : "");
	after = settle(&b, r, code, &late);
	if (r == 0 && after < 0) {
		r = after;
		error_move(err, &late);
	}
	runtime_stdio_free(stdio);
	container_box_clear(&b);
	if (r < 0 && err && !err->exit_code)
		err->exit_code = EXIT_ENGINE;
	*out_exit_code = code;
	return r;
}
