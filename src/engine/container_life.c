/* SPDX-License-Identifier: Apache-2.0 */
/* create, start, stop, kill, pause, rename, wait, attach, rm: what commands do to containers.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/parse.h"
#include "engine/engine_container.h"

#include "base/banned.h"

#define STOP_SECONDS 10
#define SETTLE_TRIES 1000 /* of 2 ms and more: for a row to say what has happened */

/* ---- signals ---- */

int engine_signal(const char *text)
{
	AUTO(free) char *upper = str_upper(text);
	const char *name = str_starts(upper, "SIG") ? upper + 3 : upper;
	uint64_t number;

	if (parse_u64(text, (uint64_t)SIGRTMAX, &number))
		return number ? (int)number : -1;
	for (int i = 1; i < SIGRTMIN; i++) {
		const char *known = sigabbrev_np(i);

		if (known && str_eq(known, name))
			return i;
	}
	if (str_eq(name, "RTMIN"))
		return SIGRTMIN;
	if (str_eq(name, "RTMAX"))
		return SIGRTMAX;
	if (str_starts(name, "RTMIN+") && parse_u64(name + 6, 30, &number))
		return SIGRTMIN + (int)number;
	if (str_starts(name, "RTMAX-") && parse_u64(name + 6, 30, &number))
		return SIGRTMAX - (int)number;
	return -1;
}

/* ---- the container and its monitor ---- */

struct target {
	struct engine *e;
	struct store_container c;
	int dir;
	int socket; /* -1: it runs in a command's foreground, or not at all */
	struct buf in;
};

#define TARGET_INIT(engine)                            \
	{                                              \
		.e = (engine), .dir = -1, .socket = -1 \
	}

static void target_auto(struct target *t)
{
	store_container_clear(&t->c);
	close_fd(&t->dir);
	close_fd(&t->socket);
	buf_clear(&t->in);
}

static int find(struct target *t, const char *text, struct error *err)
{
	int r = engine_need_store(t->e, err);

	if (r < 0 || (r = engine_container(t->e, text, &t->c, err)) < 0 ||
	    (r = container_open_dir(t->e, t->c.id, &t->dir, err)) < 0)
		return r;
	if (container_is_up(&t->c) || str_eq(t->c.state, "restarting"))
		wire_connect(t->dir, &t->socket, NULL);
	return 0;
}

static int find_again(struct target *t, struct error *err)
{
	AUTO(free) char *id = NULL;

	if (!t->c.id) /* found to be gone before */
		return error_set(err, ERR_NOT_FOUND, "the container is gone");
	id = mem_strdup(t->c.id);
	store_container_clear(&t->c);
	return engine_container(t->e, id, &t->c, err);
}

static int not_running(const struct store_container *c, struct error *err)
{
	return error_set(err, ERR_CONFLICT, "container %s is not running", c->id);
}

/*
 * A monitor goes when its container has ended, and that may be now: there is nothing left to
 * order, and the row says what has become of it.
 */
static int order(struct target *t, enum wire_type type, uint32_t value, struct error *err)
{
	if (wire_send_u32(t->socket, type, value) == 0)
		return 0;
	if (errno != EPIPE && errno != ECONNRESET)
		return error_sys(err, "cannot tell the container's monitor");
	close_fd(&t->socket);
	return 0;
}

static int send_signal(struct target *t, int number, struct error *err)
{
	AUTO(fd) int pidfd = -1;

	if (t->socket >= 0)
		return order(t, WIRE_SIGNAL, (uint32_t)number, err);
	pidfd = (int)syscall(SYS_pidfd_open, (pid_t)t->c.pid, 0);
	/* the row may be about a process that has gone meanwhile, and its number used again */
	if (pidfd < 0 || find_again(t, NULL) < 0 || !container_is_up(&t->c))
		return 0;
	if (syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 && errno != ESRCH)
		return error_sys(err, "cannot send the signal");
	return 0;
}

/* Until the row says that it is down. */
static bool await_row(struct target *t)
{
	for (int i = 0; i < SETTLE_TRIES; i++) {
		const struct timespec pause = {.tv_nsec = 2000000};

		if (find_again(t, NULL) < 0 ||
		    (!container_is_up(&t->c) && !str_eq(t->c.state, "restarting")))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* True when it has ended within the time (ms, -1: for ever); its monitor has said so. */
static bool await_end(struct target *t, int timeout_ms, int *out_code)
{
	struct wire_message f;
	int r;

	if (t->socket < 0) {
		AUTO(fd) int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)t->c.pid, 0);
		struct pollfd p = {.fd = pidfd, .events = POLLIN};

		if (pidfd >= 0 && poll(&p, 1, timeout_ms) == 0)
			return false;
		await_row(t);
		*out_code = t->c.id ? (int)t->c.exit_code : 137;
		return true;
	}
	while ((r = wire_receive(t->socket, &t->in, &f, timeout_ms)) > 0) {
		const bool end = f.type == WIRE_EXIT || f.type == WIRE_GONE;

		if (end)
			*out_code = (int)wire_u32(&f);
		wire_drop(&t->in, &f);
		if (end)
			return true;
	}
	return r == 0;
}

/* ---- create and start ---- */

int engine_create(struct engine *e, const struct engine_run *req, char **out_id,
		  struct error *err)
{
	struct container_box b = CONTAINER_BOX_INIT;
	int r = engine_need_store(e, err);

	b.e = e;
	b.o = req->options;
	if (r == 0)
		r = container_box_new(&b, req, err);
	if (r == 0)
		*out_id = mem_strdup(b.row.id);
	else if (b.row.id && b.row.name)
		container_remove(e, &b.row, true, NULL);
	container_box_clear(&b);
	if (r < 0 && err && !err->exit_code)
		err->exit_code = 125;
	return r;
}

static unsigned flags_of(const struct engine_streams *s)
{
	return !s ? 0
		  : (s->attach_in ? WIRE_ATTACH_IN : 0u) |
			       (s->attach_out ? WIRE_ATTACH_OUT : 0u) |
			       (s->attach_err ? WIRE_ATTACH_ERR : 0u);
}

int engine_start(struct engine *e, const char *text, const struct engine_streams *s,
		 struct engine_attached *out, struct error *err)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	AUTO(target) struct target t = TARGET_INIT(e);
	unsigned rows = 0, columns = 0;
	int r = find(&t, text, err);

	*out = (struct engine_attached){0};
	if (r < 0)
		return r;
	if (str_eq(t.c.state, "paused"))
		return error_set(err, ERR_CONFLICT,
				 "cannot start a paused container, try unpause instead");
	if (str_eq(t.c.state, "running"))
		return s ? engine_attach(e, text, s, out, err) : 0;
	if ((r = container_options_of(&t.c, &o, err)) < 0)
		return r;
	if (s && o.tty && !runtime_terminal_size(s->in, &rows, &columns))
		runtime_terminal_size(s->out, &rows, &columns);
	close_fd(&t.socket);
	if (str_eq(t.c.state, "restarting"))
		return error_set(err, ERR_CONFLICT, "container %s is restarting", t.c.id);
	if ((r = monitor_spawn(e, t.c.id, flags_of(s), rows, columns, &t.socket, err)) < 0 ||
	    (r = monitor_outcome(t.socket, &t.in, err)) < 0 || !s)
		return r;
	return container_pump(t.socket, &t.in, &o, s, out, err);
}

int engine_attach(struct engine *e, const char *text, const struct engine_streams *s,
		  struct engine_attached *out, struct error *err)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	AUTO(target) struct target t = TARGET_INIT(e);
	int r = find(&t, text, err);

	*out = (struct engine_attached){0};
	if (r < 0 || (r = container_options_of(&t.c, &o, err)) < 0)
		return r;
	if (str_eq(t.c.state, "paused"))
		return error_set(err, ERR_CONFLICT,
				 "You cannot attach to a paused container, unpause it first");
	if (str_eq(t.c.state, "restarting"))
		return error_set(err, ERR_CONFLICT,
				 "You cannot attach to a restarting container, "
				 "wait until it is running");
	if (!container_is_up(&t.c))
		return error_set(err, ERR_CONFLICT,
				 "You cannot attach to a stopped container, start it first");
	if (t.socket < 0)
		return error_set(err, ERR_CONFLICT,
				 "container %.12s runs in the foreground of another command "
				 "and cannot be attached to",
				 t.c.id);
	if (wire_send_u32(t.socket, WIRE_ATTACH, flags_of(s)) < 0)
		return error_sys(err, "cannot tell the container's monitor");
	container_event(e, &t.c, "attach", NULL, NULL);
	return container_pump(t.socket, &t.in, &o, s, out, err);
}

/* ---- stop, kill ---- */

static int set_frozen(struct target *t, bool freeze, struct error *err)
{
	struct wire_message f;
	pid_t pid;
	int r = 0;

	if (t->socket < 0)
		return (r = container_process(&t->c, &pid, err)) < 0
			       ? r
			       : sandbox_freeze(pid, t->c.id, freeze, err);
	if (wire_send_u32(t->socket, WIRE_PAUSE, freeze) < 0)
		return error_sys(err, "cannot tell the container's monitor");
	while ((r = wire_receive(t->socket, &t->in, &f, -1)) > 0 && f.type != WIRE_DONE) {
		if (f.type == WIRE_ERROR) {
			error_decode(f.data, f.len, err);
			return -ERR_FAILED;
		}
		wire_drop(&t->in, &f);
	}
	if (r <= 0)
		return not_running(&t->c, err);
	wire_drop(&t->in, &f);
	return 0;
}

static int thaw(struct target *t, struct error *err)
{
	bool changed;
	int r;

	if (!str_eq(t->c.state, "paused"))
		return 0;
	r = set_frozen(t, false, err);
	return r < 0 ? r
		     : store_container_move(t->e->store, t->c.id, "paused", "running", &changed,
					    err);
}

/* The signal and the seconds of the container itself. */
static int stop_defaults(struct target *t, int *signal_number, int64_t *seconds,
			 struct error *err)
{
	AUTO(container_options) struct container_options o = CONTAINER_OPTIONS_INIT;
	AUTO(image_config) struct image_config cfg = IMAGE_CONFIG_INIT;
	int r = container_options_of(&t->c, &o, err);

	if (r < 0)
		return r;
	if (*seconds == INT64_MIN)
		*seconds = o.has_stop_timeout ? o.stop_timeout : STOP_SECONDS;
	if (*signal_number)
		return 0;
	*signal_number = SIGTERM;
	if ((r = engine_container_config(t->e, &t->c, &cfg, err)) < 0)
		return r;
	if (!str_empty(cfg.stop_signal) && engine_signal(cfg.stop_signal) > 0)
		*signal_number = engine_signal(cfg.stop_signal);
	return 0;
}

static int no_more(struct target *t, struct error *err)
{
	return t->socket >= 0 ? order(t, WIRE_STOP, 0, err) : 0;
}

int engine_stop(struct engine *e, const char *text, int number, int64_t seconds,
		struct error *err)
{
	AUTO(target) struct target t = TARGET_INIT(e);
	int code, r = find(&t, text, err);
	bool ended;

	if (r < 0)
		return r;
	if (!container_is_up(&t.c) && !str_eq(t.c.state, "restarting"))
		return 0;
	if ((r = stop_defaults(&t, &number, &seconds, err)) < 0 || (r = no_more(&t, err)) < 0 ||
	    (r = thaw(&t, err)) < 0)
		return r;
	if ((r = send_signal(&t, number, err)) < 0)
		return r;
	ended = await_end(&t,
			  seconds < 0		       ? -1
			  : seconds > INT32_MAX / 1000 ? INT32_MAX
						       : (int)seconds * 1000,
			  &code);
	if (!ended) {
		if ((r = send_signal(&t, SIGKILL, err)) < 0)
			return r;
		if (!await_end(&t, 30000, &code))
			return error_set(err, ERR_FAILED, "container %.12s does not end",
					 t.c.id);
	}
	await_row(&t);
	if (t.c.id)
		container_event(e, &t.c, "stop", NULL, NULL);
	return 0;
}

int engine_kill(struct engine *e, const char *text, int number, struct error *err)
{
	AUTO(target) struct target t = TARGET_INIT(e);
	AUTO(free) char *name = mem_printf("%d", number ? number : SIGKILL);
	int own = 0, code, r = find(&t, text, err);
	int64_t seconds = 0;

	if (r < 0)
		return r;
	if (!container_is_up(&t.c))
		return not_running(&t.c, err);
	if (!number)
		number = SIGKILL;
	if ((r = stop_defaults(&t, &own, &seconds, err)) < 0)
		return r;
	if ((number == SIGKILL || number == own) && (r = no_more(&t, err)) < 0)
		return r;
	if (number == SIGKILL && (r = thaw(&t, err)) < 0)
		return r;
	if ((r = send_signal(&t, number, err)) < 0)
		return r;
	container_event(e, &t.c, "kill", "signal", name);
	if (number == SIGKILL) {
		await_end(&t, 10000, &code);
		await_row(&t);
	}
	return 0;
}

/* ---- pause ---- */

int engine_pause(struct engine *e, const char *text, bool pause, struct error *err)
{
	AUTO(target) struct target t = TARGET_INIT(e);
	int r = find(&t, text, err);
	bool changed;

	if (r < 0)
		return r;
	if (!container_is_up(&t.c))
		return not_running(&t.c, err);
	if (pause && str_eq(t.c.state, "paused"))
		return error_set(err, ERR_CONFLICT, "Container %s is already paused", t.c.id);
	if (!pause && !str_eq(t.c.state, "paused"))
		return error_set(err, ERR_CONFLICT, "Container %s is not paused", t.c.id);
	if ((r = set_frozen(&t, pause, err)) < 0 ||
	    (r = store_container_move(e->store, t.c.id, pause ? "running" : "paused",
				      pause ? "paused" : "running", &changed, err)) < 0)
		return r;
	container_event(e, &t.c, pause ? "pause" : "unpause", NULL, NULL);
	return 0;
}

int container_hold(struct engine *e, const struct store_container *c, struct lease **out,
		   struct error *err)
{
	AUTO(lease) struct lease *l = NULL;
	AUTO(free) char *name = NULL;
	pid_t pid;
	int r;

	if (!str_eq(c->state, "running"))
		return 0;
	if ((r = container_process(c, &pid, err)) < 0)
		return r;
	name = mem_printf("%s %d %llu", c->id, (int)pid,
			  (unsigned long long)sandbox_start_time(pid));
	if ((r = lease_new(e->store, &l, err)) < 0 ||
	    (r = lease_note(l, "held", name, err)) < 0 ||
	    (r = engine_pause(e, c->id, true, err)) < 0)
		return r;
	*out = take_ptr(l);
	return 0;
}

void container_release(struct engine *e, const struct store_container *c, struct lease *l)
{
	if (!l)
		return;
	engine_pause(e, c->id, false, NULL);
	lease_end(l);
}

int container_release_dead(const char *name, struct error *err)
{
	AUTO(strlist) struct strlist words = STRLIST_INIT;
	uint64_t pid, start;

	strlist_split(&words, name, ' ');
	if (words.n != 3 || !parse_u64(words.items[1], INT32_MAX, &pid) ||
	    !parse_u64(words.items[2], UINT64_MAX, &start) ||
	    sandbox_start_time((pid_t)pid) != start)
		return 0;
	return sandbox_freeze((pid_t)pid, words.items[0], false, err);
}

/* ---- rename, wait, rm ---- */

int engine_rename(struct engine *e, const char *text, const char *name, struct error *err)
{
	AUTO(target) struct target t = TARGET_INIT(e);
	AUTO(free) char *old = NULL;
	int r = find(&t, text, err);

	if (r < 0)
		return r;
	if (*name == '/')
		name++;
	if (str_eq(t.c.name, name))
		return error_set(err, ERR_INVALID,
				 "Renaming a container with the same name as its current name");
	if ((r = store_container_rename(e->store, t.c.id, name, err)) < 0)
		return r;
	old = mem_printf("/%s", t.c.name);
	free(t.c.name);
	t.c.name = mem_strdup(name);
	if (t.socket >= 0)
		wire_send(t.socket, WIRE_RELOAD, NULL, 0);
	container_event(e, &t.c, "rename", "oldName", old);
	return 0;
}

int engine_wait(struct engine *e, const char *text, int *out_code, struct error *err)
{
	AUTO(target) struct target t = TARGET_INIT(e);
	int r = find(&t, text, err);

	*out_code = 0;
	if (r < 0)
		return r;
	if (!container_is_up(&t.c) && !str_eq(t.c.state, "restarting"))
		*out_code = (int)t.c.exit_code;
	else if (!await_end(&t, -1, out_code))
		*out_code = 137;
	return 0;
}

int engine_rm(struct engine *e, const char *text, bool force, bool volumes, struct error *err)
{
	AUTO(target) struct target t = TARGET_INIT(e);
	int code, r = find(&t, text, err);

	if (r < 0)
		return r;
	if (container_is_up(&t.c) || str_eq(t.c.state, "restarting")) {
		if (!force)
			return error_set(
				err, ERR_CONFLICT,
				"cannot remove container \"%s\": container is %s", t.c.name,
				str_eq(t.c.state, "paused")
					? "paused and must be unpaused first"
				: str_eq(t.c.state, "restarting")
					? "restarting: stop the container before removing or "
					  "force remove"
					: "running: stop the container before removing or "
					  "force "
					  "remove");
		/* its monitor, or its foreground command, records the end */
		no_more(&t, NULL);
		thaw(&t, NULL);
		send_signal(&t, SIGKILL, NULL);
		await_end(&t, 10000, &code);
		await_row(&t);
		if (!t.c.id)
			return 0;
	}
	return container_remove(e, &t.c, volumes, err);
}
