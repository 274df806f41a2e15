/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor of a detached container: starts it, keeps its log, serves those
 * who are attached, and says in the row how it ended; starts it again if its
 * restart policy says so.  While nothing happens it holds no store and hardly
 * any memory.
 */
#include "engine/engine_monitor.h"
#include "engine/engine_network.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/root.h"

#include "base/banned.h"

#define CHUNK	      (16u << 10)
#define QUIET_NS      100000000ull /* after the end: for output whose writer is not ours */
#define DELAY_MIN_NS  100000000ll
#define DELAY_MAX_NS  60000000000ll
#define DELAY_GOOD_NS 10000000000ll /* it ran so long: the next delay is the first again */

static int start(struct monitor *m, struct error *err);
static void after_end(struct monitor *m);

/* ---- output -------------------------------------------------------------------------------
 */

static void end_of_stream(struct monitor_stream *s)
{
	struct monitor *m = s->m;

	if (s->source)
		loop_remove(s->source);
	s->source = NULL;
	close_fd(&s->fd);
	if (!m->up && m->streams[0].fd < 0 && m->streams[1].fd < 0)
		loop_stop(m->loop);
}

static void on_output(void *data, int fd, uint32_t events)
{
	struct monitor_stream *s = data;
	struct monitor *m = s->m;
	char chunk[CHUNK];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end_of_stream(s);
		return;
	}
	m->moved += (uint64_t)n;
	container_log_add(m->log, s->name, chunk, (size_t)n);
	monitor_tell(m, s->attach, s->type, chunk, (size_t)n);
	if (!monitor_is_clogged(m))
		return;
	for (int i = 0; i < 2; i++) {
		if (m->streams[i].source)
			loop_remove(m->streams[i].source);
		m->streams[i].source = NULL;
	}
}

void monitor_read_again(struct monitor *m)
{
	if (monitor_is_clogged(m))
		return;
	for (int i = 0; i < 2; i++) {
		struct monitor_stream *s = &m->streams[i];

		if (s->fd >= 0 && !s->source)
			s->source = loop_add_fd(m->loop, s->fd, EPOLLIN, on_output, s);
	}
}

/* The container is gone, yet somebody outside holds its output open and writes nothing. */
static void on_quiet(void *data)
{
	struct monitor *m = data;

	if (m->moved == m->moved_before && !monitor_is_clogged(m))
		loop_stop(m->loop);
	m->moved_before = m->moved;
}

static void on_exit_of_container(void *data, int fd, uint32_t events)
{
	struct monitor *m = data;

	(void)fd;
	(void)events;
	loop_remove(m->exit);
	m->exit = NULL;
	m->up = false;
	monitor_health_stop(m);
	if (m->streams[0].fd < 0 && m->streams[1].fd < 0)
		loop_stop(m->loop);
	else
		m->quiet = loop_add_timer(m->loop, QUIET_NS, false, on_quiet, m);
}

/* ---- starting -----------------------------------------------------------------------------
 */

static int make_pipes(struct monitor *m, int child[3], struct error *err)
{
	int p[2];

	if (m->o.tty)
		return 0;
	if (m->o.interactive) {
		if (io_pipe(p, err) < 0)
			return -ERR_SYSTEM;
		child[0] = p[0];
		m->input = p[1];
		io_nonblock(m->input);
	} else {
		child[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	}
	for (int i = 0; i < 2; i++) {
		if (io_pipe(p, err) < 0)
			return -ERR_SYSTEM;
		m->streams[i].fd = p[0];
		child[i + 1] = p[1];
		io_nonblock(p[0]);
	}
	return 0;
}

static void take_terminal(struct monitor *m)
{
	if (m->sb.terminal < 0)
		return;
	io_nonblock(m->sb.terminal);
	m->streams[0].fd = fcntl(m->sb.terminal, F_DUPFD_CLOEXEC, 3);
	if (m->o.interactive)
		m->input = fcntl(m->sb.terminal, F_DUPFD_CLOEXEC, 3);
}

/* What inspect wants to know of a container that runs. */
static void describe(struct monitor *m)
{
	json_t *j = m->state;

	json_object_set_new(j, "pid", json_integer(m->sb.pid));
	json_object_set_new(j, "pid_start",
			    json_integer((json_int_t)sandbox_start_time(m->sb.pid)));
	json_object_set_new(j, "monitor", json_integer(getpid()));
	json_object_set_new(j, "restarts", json_integer(m->restarts));
	json_object_del(j, "stopped");
	json_object_del(j, "error");
	json_object_del(j, "oom");
	json_object_del(j, "health");
	json_object_set_new(j, "networks", container_network_state(&m->box));
}

void monitor_save(struct monitor *m)
{
	container_state_write(m->box.dir, m->state, NULL);
}

/* From here on only descriptors, the lease and the options are needed. */
static void slim(struct monitor *m)
{
	runtime_spec_clear(&m->after);
	m->after.cgroups_path = take_ptr(m->box.spec.cgroups_path);
	/* for those of its end */
	memcpy(m->after.hooks, m->box.spec.hooks, sizeof(m->after.hooks));
	memset(m->box.spec.hooks, 0, sizeof(m->box.spec.hooks));
	m->after.annotations = m->box.spec.annotations;
	m->box.spec.annotations = MAP_INIT_FREE(free);
	m->so.spec = &m->after;
	runtime_spec_clear(&m->box.spec);
	image_clear(&m->box.image);
	store_close(m->e->store);
	m->e->store = NULL;
	malloc_trim(0);
}

static int start_once(struct monitor *m, const int *child, struct error *err)
{
	struct sandbox_bind binds[CONTAINER_BINDS];
	AUTO(fd) int root = -1;
	int r;

	r = container_box_prepare(&m->box, NULL, &root, err);
	if (r == 0) {
		m->box.spec.process.console_height = m->rows;
		m->box.spec.process.console_width = m->columns;
		m->so = (struct sandbox_options){.stdio = m->o.tty ? NULL : child};
		r = container_box_start(&m->box, &root, &m->so, binds, &m->sb, err);
	}
	if (r < 0)
		container_event_leave(&m->box, m->root, NULL);
	m->so.binds = NULL;
	m->so.nbinds = 0;
	m->so.stdio = NULL;
	return r;
}

static int start(struct monitor *m, struct error *err)
{
	int child[3] = {-1, -1, -1};
	int r = make_pipes(m, child, err);

	m->sb = (struct sandbox){.pid = -1, .pidfd = -1, .terminal = -1};
	m->input_ends = false;
	if (r == 0)
		r = start_once(m, child, err);
	for (int i = 0; i < 3; i++)
		close_fd(&child[i]);
	if (r < 0)
		return r;
	take_terminal(m);
	m->pidfd = m->sb.pidfd;
	m->up = true;
	m->log = container_log_new(m->box.dir, &m->o);
	m->exit = loop_add_fd(m->loop, m->pidfd, EPOLLIN, on_exit_of_container, m);
	describe(m);
	monitor_health_start(m);
	monitor_save(m);
	monitor_read_again(m);
	slim(m);
	return 0;
}

/* ---- the end of a run ---------------------------------------------------------------------
 */

static bool wants_restart(const struct monitor *m)
{
	if (m->stop || m->o.remove)
		return false;
	switch (m->o.restart) {
	case CONTAINER_RESTART_ALWAYS:
	case CONTAINER_RESTART_UNLESS_STOPPED:
		return true;
	case CONTAINER_RESTART_ON_FAILURE:
		return m->exit_code && (!m->o.restart_max || m->restarts < m->o.restart_max);
	case CONTAINER_RESTART_NO:
		break;
	}
	return false;
}

static void tell_event(struct monitor *m, const char *action, const char *key,
		       const char *value)
{
	container_event_at(m->root, m->box.row.id, m->attributes, action, key, value);
}

static void close_streams(struct monitor *m)
{
	for (int i = 0; i < 2; i++) {
		if (m->streams[i].source)
			loop_remove(m->streams[i].source);
		m->streams[i].source = NULL;
		close_fd(&m->streams[i].fd);
	}
	if (m->input_source)
		loop_remove(m->input_source);
	m->input_source = NULL;
	close_fd(&m->input);
	buf_clear(&m->pending);
	if (m->quiet)
		loop_remove(m->quiet);
	m->quiet = NULL;
	container_log_free(m->log);
	m->log = NULL;
}

/* The row, and what goes with it. */
static int record(struct monitor *m, bool again, struct error *err)
{
	AUTO(free) char *code = mem_printf("%d", m->exit_code);
	int r;

	if (m->sb.oom)
		tell_event(m, "oom", NULL, NULL);
	container_event_leave(&m->box, m->root, NULL);
	tell_event(m, "die", "exitCode", code);
	if ((r = engine_need_store(m->e, err)) < 0)
		return r;
	m->box.row.finished_ns = clock_now_ns();
	m->box.row.exit_code = m->exit_code;
	m->box.row.pid = 0;
	if (m->sb.oom)
		json_object_set_new(m->state, "oom", json_true());
	json_object_set_new(m->state, "pid", json_integer(0));
	if (m->stop)
		json_object_set_new(m->state, "stopped", json_true());
	monitor_save(m);
	if (m->o.remove)
		return container_remove(m->e, &m->box.row, true, err);
	r = container_box_state(&m->box, again ? "restarting" : "exited", err);
	return r < 0 ? r : root_remove(m->box.dir, "work", err);
}

static void on_again(void *data)
{
	struct monitor *m = data;

	if (m->again)
		loop_remove(m->again);
	m->again = NULL;
	loop_stop(m->loop);
}

void monitor_no_more(struct monitor *m)
{
	m->stop = true;
	if (m->again)
		on_again(m);
}

static void after_end(struct monitor *m)
{
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(free) char *path = mem_printf("/stave/%s", m->box.row.id);
	const int64_t ran = clock_now_ns() - m->box.row.started_ns;
	bool again;

	close_streams(m);
	if (m->frozen)
		sandbox_freeze(m->sb.pid, m->box.row.id, false, NULL);
	m->exit_code = sandbox_wait(&m->sb, &m->so);
	if (m->frozen)
		sandbox_remove_cgroup(path, NULL);
	m->frozen = false;
	network_endpoint_close(&m->box.endpoint);
	again = wants_restart(m);
	if (record(m, again, &err) < 0)
		log_debug("monitor", "cannot record: %s", err.message);
	monitor_tell_u32(m, WIRE_EXIT, (uint32_t)m->exit_code);
	store_close(m->e->store);
	m->e->store = NULL;
	m->ended = !again;
	if (!again)
		return;
	m->delay_ns = ran >= DELAY_GOOD_NS || !m->delay_ns ? DELAY_MIN_NS : m->delay_ns * 2;
	if (m->delay_ns > DELAY_MAX_NS)
		m->delay_ns = DELAY_MAX_NS;
	m->again = loop_add_timer(m->loop, (uint64_t)m->delay_ns, true, on_again, m);
}

/* Row and options as they are now. */
static int open_box(struct monitor *m, const char *id, struct error *err)
{
	struct lease *lease = take_ptr(m->box.lease);
	int r;

	container_box_clear(&m->box);
	container_options_clear(&m->o);
	m->box.e = m->e;
	m->box.o = &m->o;
	m->box.lease = lease;
	m->box.group = true;
	if ((r = engine_need_store(m->e, err)) < 0 ||
	    (r = container_box_open(&m->box, id, err)) < 0)
		return r;
	json_decref(m->attributes);
	m->attributes = container_event_attributes(&m->box.row);
	free(m->o.id);
	m->o.id = mem_strdup(m->box.row.id);
	if (!m->box.lease && (r = lease_new(m->e->store, &m->box.lease, err)) == 0)
		r = lease_note(m->box.lease, "running", m->box.row.id, err);
	return r;
}

/* As the restart policy has it; a start that fails counts as an end with 127 or the like. */
static void start_again(struct monitor *m)
{
	AUTO(error) struct error err = ERROR_INIT;
	AUTO(free) char *id = mem_strdup(m->box.row.id);

	m->restarts++;
	if (open_box(m, id, &err) == 0 && start(m, &err) == 0)
		return;
	log_debug("monitor", "cannot start again: %s", err.message);
	close_streams(m);
	m->exit_code = err.exit_code ? err.exit_code : 125;
	m->box.row.exit_code = m->exit_code;
	m->stop = true;
	m->ended = true;
	if (engine_need_store(m->e, NULL) == 0 && m->box.row.id)
		container_box_state(&m->box, "exited", NULL);
	store_close(m->e->store);
	m->e->store = NULL;
}

/* Row and options as commands have changed them. */
static int read_again(struct monitor *m, struct store_container *c,
		      struct container_options *fresh, struct error *err)
{
	int r = engine_need_store(m->e, err);

	if (r == 0 && (r = engine_container(m->e, m->box.row.id, c, err)) == 0)
		r = container_options_of(c, fresh, err);
	return r;
}

/* What is attached now is in the state, also when only a part of it could be done. */
static int change_networks(struct monitor *m, struct container_options *fresh,
			   struct error *err)
{
	int r = container_network_change(&m->box, fresh, err);

	if (r == 0) {
		const struct container_network_list old = m->o.networks;

		m->o.networks = fresh->networks;
		fresh->networks = old;
	}
	json_object_set_new(m->state, "networks", container_network_state(&m->box));
	monitor_save(m);
	return r;
}

int monitor_change_networks(struct monitor *m, struct error *err)
{
	AUTO(container_options) struct container_options fresh = CONTAINER_OPTIONS_INIT;
	AUTO(store_container) struct store_container c = {0};
	int r = read_again(m, &c, &fresh, err);

	if (r == 0 && m->up)
		r = change_networks(m, &fresh, err);
	store_close(m->e->store);
	m->e->store = NULL;
	return r;
}

int monitor_reload(struct monitor *m, struct error *err)
{
	AUTO(container_options) struct container_options fresh = CONTAINER_OPTIONS_INIT;
	AUTO(store_container) struct store_container c = {0};
	int r = read_again(m, &c, &fresh, err);

	if (r == 0) {
		m->o.restart = fresh.restart;
		m->o.restart_max = fresh.restart_max;
		free(m->box.row.name);
		m->box.row.name = mem_strdup(c.name);
		json_object_set_new(m->attributes, "name", json_string(c.name));
		if (m->up && runtime_has_names(&m->o))
			r = change_networks(m, &fresh, err);
	}
	store_close(m->e->store);
	m->e->store = NULL;
	if (r < 0 || m->after.cgroups_path)
		return r;
	/* `update` may have made groups */
	m->after.cgroups_path =
		str_empty(m->o.cgroup_parent)
			? mem_printf("/stave/%s", m->box.row.id)
			: mem_printf("/%s/%s", m->o.cgroup_parent, m->box.row.id);
	return lease_note(m->box.lease, "cgroup", m->after.cgroups_path, err);
}

/* Somebody does not want the next start that was planned. */
static void stay_down(struct monitor *m)
{
	m->ended = true;
	json_object_set_new(m->state, "stopped", json_true());
	monitor_save(m);
	if (engine_need_store(m->e, NULL) == 0)
		container_box_state(&m->box, "exited", NULL);
}

static void run_loop(struct monitor *m)
{
	while (!m->ended) {
		if (loop_run(m->loop, NULL) < 0)
			break;
		if (m->up)
			continue;
		if (m->sb.pid > 0)
			after_end(m);
		else if (m->stop)
			stay_down(m);
		else
			start_again(m);
	}
}

/* ---- its own beginning and end -------------------------------------------------------------
 */

/* It could not be started at all: says why, on the socket and in the state. */
static void fail(struct monitor *m, struct error *why)
{
	AUTO(buf) struct buf wire = BUF_INIT;
	AUTO(error) struct error err = ERROR_INIT;

	if (!why->exit_code)
		why->exit_code = 125;
	if (m->box.dir >= 0) {
		json_put_text(m->state, "error", why->message);
		monitor_save(m);
	}
	if (m->box.row.id && engine_need_store(m->e, &err) == 0) {
		m->box.row.exit_code = why->exit_code;
		if (m->o.remove)
			container_remove(m->e, &m->box.row, true, &err);
		else
			container_box_state(&m->box, m->box.row.state, &err);
	}
	error_encode(why, &wire);
	monitor_tell(m, 0, WIRE_ERROR, wire.data, wire.len);
}

static void clear(struct monitor *m)
{
	close_streams(m);
	if (m->box.dir >= 0)
		unlinkat(m->box.dir, WIRE_SOCKET, 0);
	container_box_clear(&m->box);
	monitor_tell_u32(m, WIRE_GONE, (uint32_t)m->exit_code);
	monitor_dismiss(m);
	close_fd(&m->listening);
	close_fd(&m->root);
	json_decref(m->attributes);
	json_decref(m->state);
	container_options_clear(&m->o);
	strlist_clear(&m->shell);
	runtime_spec_clear(&m->after);
	loop_free(m->loop);
}

static int begin(struct monitor *m, const char *id, struct error *err)
{
	int r;

	if ((r = open_box(m, id, err)) < 0)
		return r;
	m->root = fcntl(store_dir(m->e->store, STORE_ROOT), F_DUPFD_CLOEXEC, 3);
	strlist_addall(&m->shell, &m->box.image.config.shell);
	json_decref(m->state);
	m->state = container_state_read(m->box.dir);
	if ((r = wire_listen(m->box.dir, &m->listening, err)) < 0)
		return r;
	m->listener = loop_add_fd(m->loop, m->listening, EPOLLIN, monitor_accept, m);
	return start(m, err);
}

/* Signals of a terminal or of a session that ends are not for us. */
static void detach_from_starter(void)
{
	static const int ignored[] = {SIGHUP,  SIGINT,	SIGQUIT, SIGPIPE,
				      SIGTSTP, SIGTTIN, SIGTTOU};

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

int engine_monitor(struct engine *e, const struct engine_monitor *req)
{
	AUTO(error) struct error err = ERROR_INIT;
	struct monitor m = {.e = e,
			    .box = CONTAINER_BOX_INIT,
			    .o = CONTAINER_OPTIONS_INIT,
			    .after = RUNTIME_SPEC_INIT,
			    .input = -1,
			    .listening = -1,
			    .root = -1,
			    .pidfd = -1,
			    .health = {.fd = -1, .pidfd = -1},
			    .rows = req->rows,
			    .columns = req->columns,
			    .sb = {.pid = -1, .pidfd = -1, .terminal = -1}};

	m.streams[0] = (struct monitor_stream){.m = &m,
					       .fd = -1,
					       .name = "stdout",
					       .attach = WIRE_ATTACH_OUT,
					       .type = WIRE_OUT};
	m.streams[1] = (struct monitor_stream){.m = &m,
					       .fd = -1,
					       .name = "stderr",
					       .attach = WIRE_ATTACH_ERR,
					       .type = WIRE_ERR};
	m.state = json_object();
	detach_from_starter();
	if (loop_new(&m.loop, &err) < 0)
		return EXIT_FAILURE;
	monitor_adopt(&m, req->socket, req->attach);
	if (begin(&m, req->id, &err) < 0) {
		fail(&m, &err);
		m.exit_code = err.exit_code;
	} else {
		monitor_tell_u32(&m, WIRE_RUNNING, (uint32_t)m.sb.pid);
		run_loop(&m);
	}
	clear(&m);
	return EXIT_SUCCESS;
}
