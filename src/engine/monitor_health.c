/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HEALTHCHECK: every now and then `exec` in the container.  The state is
 * "starting" until a check succeeds; "unhealthy" after so many failures in a
 * row, of which those in the start period do not count.  Nothing is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/process.h"
#include "engine/engine_monitor.h"

#include "base/banned.h"

#define SECOND		 1000000000ll
#define DEFAULT_INTERVAL (30 * SECOND)
#define DEFAULT_TIMEOUT	 (30 * SECOND)
#define DEFAULT_RETRIES	 3
#define DEFAULT_FIRST	 (5 * SECOND) /* interval within the start period */
#define OUTPUT_MAX	 4096u
#define LOG_ENTRIES	 5u

extern char **environ;

static void probe(void *data);

static json_t *health_of(struct monitor *m)
{
	return json_object_get(m->state, "health");
}

static bool is_starting(const struct monitor *m)
{
	const json_t *status = json_object_get(json_object_get(m->state, "health"), "Status");

	return str_eq(json_string_value(status), "starting");
}

static bool in_start_period(const struct monitor *m)
{
	return clock_monotonic_ns() - m->health.started_ns < m->health.config.start_period;
}

static void plan(struct monitor *m)
{
	struct monitor_health *h = &m->health;
	int64_t wait = h->config.interval ? h->config.interval : DEFAULT_INTERVAL;

	if (is_starting(m) && h->config.start_period && in_start_period(m))
		wait = h->config.start_interval ? h->config.start_interval : DEFAULT_FIRST;
	if (!h->timer)
		h->timer = loop_add_timer(m->loop, (uint64_t)wait, true, probe, m);
}

static void set_status(struct monitor *m, const char *status)
{
	AUTO(free) char *action = mem_printf("health_status: %s", status);
	json_t *health = health_of(m);

	if (str_eq(json_string_value(json_object_get(health, "Status")), status))
		return;
	json_object_set_new(health, "Status", json_string(status));
	container_event_at(m->root, m->box.row.id, m->attributes, action, NULL, NULL);
}

static json_t *time_of(int64_t ns)
{
	AUTO(buf) struct buf text = BUF_INIT;

	clock_format(ns, &text);
	return json_string(buf_str(&text));
}

static void note(struct monitor *m, int code)
{
	struct monitor_health *h = &m->health;
	json_t *health = health_of(m), *log = json_object_get(health, "Log");
	json_t *entry = json_object();
	json_t *text = json_stringn(buf_str(&h->text), h->text.len);

	json_object_set_new(entry, "Start", time_of(h->began_ns));
	json_object_set_new(entry, "End", time_of(clock_now_ns()));
	json_object_set_new(entry, "ExitCode", json_integer(code));
	json_object_set_new(entry, "Output",
			    text ? text : json_lossy_string(buf_str(&h->text)));
	if (h->timed_out)
		json_object_set_new(entry, "Output",
				    json_string("Health check exceeded timeout"));
	json_array_append_new(log, entry);
	while (json_array_size(log) > LOG_ENTRIES)
		json_array_remove(log, 0);
	if (code == 0)
		h->failing = 0;
	else if (!is_starting(m) || !in_start_period(m))
		h->failing++;
	json_object_set_new(health, "FailingStreak", json_integer(h->failing));
	if (code == 0)
		set_status(m, "healthy");
	else if (h->failing >= (h->config.retries ? h->config.retries : DEFAULT_RETRIES))
		set_status(m, "unhealthy");
	monitor_save(m);
}

static void end_probe(struct monitor *m)
{
	struct monitor_health *h = &m->health;

	if (h->deadline)
		loop_remove(h->deadline);
	if (h->output)
		loop_remove(h->output);
	h->deadline = h->output = NULL;
	close_fd(&h->fd);
	close_fd(&h->pidfd);
	h->pid = 0;
}

static void on_output(void *data, int fd, uint32_t events)
{
	struct monitor_health *h = &((struct monitor *)data)->health;
	char chunk[1024];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	(void)events;
	if (n > 0 && h->text.len < OUTPUT_MAX)
		buf_add(&h->text, chunk,
			(size_t)n < OUTPUT_MAX - h->text.len ? (size_t)n
							     : OUTPUT_MAX - h->text.len);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	loop_remove(h->output);
	h->output = NULL;
}

static void on_end(void *data, pid_t pid, int status)
{
	struct monitor *m = data;
	struct monitor_health *h = &m->health;

	(void)pid;
	h->child = NULL;
	while (h->output && h->fd >= 0) {
		char chunk[1024];
		ssize_t n = read(h->fd, chunk, sizeof(chunk));

		if (n <= 0)
			break;
		if (h->text.len + (size_t)n <= OUTPUT_MAX)
			buf_add(&h->text, chunk, (size_t)n);
	}
	end_probe(m);
	if (m->up && h->enabled) {
		note(m, h->timed_out ? -1 : status);
		plan(m);
	}
	buf_clear(&h->text);
}

static void on_deadline(void *data)
{
	struct monitor_health *h = &((struct monitor *)data)->health;

	h->deadline = NULL;
	h->timed_out = true;
	syscall(SYS_pidfd_send_signal, h->pidfd, SIGKILL, NULL, 0);
}

static void probe(void *data)
{
	struct monitor *m = data;
	struct monitor_health *h = &m->health;
	int64_t limit = h->config.timeout ? h->config.timeout : DEFAULT_TIMEOUT;
	int p[2], pidfd = -1;
	pid_t pid;

	loop_remove(h->timer);
	h->timer = NULL;
	if (io_pipe(p, NULL) < 0) {
		plan(m);
		return;
	}
	const struct process_fd fds[] = {{p[1], 1}, {p[1], 2}};
	const struct process_spec spec = {.program = "/proc/self/exe",
					  .argv = h->command.items,
					  .envp = environ,
					  .fds = fds,
					  .nfds = ARRAY_SIZE(fds)};

	h->began_ns = clock_now_ns();
	h->timed_out = false;
	if (process_start(&spec, &pid, &pidfd, NULL) < 0) {
		close(p[0]);
		close(p[1]);
		plan(m);
		return;
	}
	close(p[1]);
	h->fd = p[0];
	io_nonblock(h->fd);
	h->pid = pid;
	h->pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
	h->output = loop_add_fd(m->loop, h->fd, EPOLLIN, on_output, m);
	h->deadline = loop_add_timer(m->loop, (uint64_t)limit, true, on_deadline, m);
	h->child = loop_add_child(m->loop, pid, pidfd, on_end, m);
}

static void make_command(struct monitor *m)
{
	struct strlist *c = &m->health.command;
	const struct strlist *test = &m->health.config.test;

	strlist_clear(c);
	strlist_add(c, "stave");
	strlist_add(c, "--root");
	strlist_add(c, store_path(m->e->store));
	strlist_add(c, "container");
	strlist_add(c, "exec");
	strlist_add(c, m->box.row.id);
	if (str_eq(test->items[0], "CMD-SHELL")) {
		if (m->shell.n) {
			strlist_addall(c, &m->shell);
		} else {
			strlist_add(c, "/bin/sh");
			strlist_add(c, "-c");
		}
	}
	for (size_t i = 1; i < test->n; i++)
		strlist_add(c, test->items[i]);
}

void monitor_health_start(struct monitor *m)
{
	AUTO(image_config) struct image_config cfg = IMAGE_CONFIG_INIT;
	struct monitor_health *h = &m->health;
	json_t *health;

	monitor_health_stop(m);
	runtime_container_config(&m->box.image.config, &m->o, &cfg);
	h->enabled = cfg.healthcheck.present && cfg.healthcheck.test.n > 1;
	if (!h->enabled)
		return;
	strlist_clear(&h->config.test);
	h->config = cfg.healthcheck;
	h->config.test = STRLIST_INIT;
	strlist_addall(&h->config.test, &cfg.healthcheck.test);
	make_command(m);
	health = json_object();
	json_object_set_new(health, "Status", json_string("starting"));
	json_object_set_new(health, "FailingStreak", json_integer(0));
	json_object_set_new(health, "Log", json_array());
	json_object_set_new(m->state, "health", health);
	h->failing = 0;
	h->started_ns = clock_monotonic_ns();
	plan(m);
}

void monitor_health_stop(struct monitor *m)
{
	struct monitor_health *h = &m->health;

	h->enabled = false;
	if (h->timer)
		loop_remove(h->timer);
	h->timer = NULL;
	/* a check that runs dies with the container; its end comes to on_end() */
	if (h->pid > 0)
		syscall(SYS_pidfd_send_signal, h->pidfd, SIGKILL, NULL, 0);
}
