/* SPDX-License-Identifier: Apache-2.0 */
#include "build/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/root.h"

#include "base/banned.h"

struct pipe_end {
	struct worker *w;
	struct loop_source *source;
	int fd;
	int stream; /* 0: the report */
};

struct worker {
	struct loop *loop;
	struct job *job;
	struct worker_events events;
	pid_t pid;
	struct pipe_end pipes[3]; /* report, stdout, stderr */
	struct buf report;
	int leave; /* for the answer to a held step */
};

/* ---- in the child ---- */

static void reset_signals(void)
{
	sigset_t none;

	signal(SIGINT, SIG_IGN); /* a terminal tells the whole group: the parent decides */
	signal(SIGQUIT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int execute(struct job *j, struct layer_info *out, struct error *err)
{
	AUTO(fd) int dir = -1;
	int r;

	switch (j->v->kind) {
	case VERTEX_RUN:
		r = step_run(j, out, err);
		break;
	case VERTEX_COPY:
		r = step_copy(j, out, err);
		break;
	case VERTEX_WORKDIR:
		r = step_workdir(j, out, err);
		break;
	case VERTEX_SOURCE:
		return step_source(j, err);
	case VERTEX_NONE:
	case VERTEX_IMAGE:
	default:
		return error_set(err, ERR_UNSUPPORTED, "nothing to execute");
	}
	if (r < 0)
		return r;
	/* what the layer needed while it was made */
	dir = openat(j->layers, j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_sys(err, "layers/%s", j->dir);
	r = root_remove(dir, "etc", err);
	if (r == 0)
		r = root_remove(dir, "mounts", err);
	return r < 0 ? r : root_remove(dir, "work", err);
}

static void encode_info(const struct layer_info *info, struct buf *out)
{
	buf_add(out, info->diff_id.bytes, sizeof(info->diff_id.bytes));
	buf_put_u64(out, info->tar_bytes);
	buf_put_u64(out, info->content_bytes);
	buf_put_u64(out, info->entries);
}

static _Noreturn void child_main(struct job *j, pid_t parent, int report)
{
	struct layer_info info = {0};
	struct error err = ERROR_INIT;
	struct buf out = BUF_INIT;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	reset_signals();
	j->report = report;
	r = execute(j, &info, &err);
	buf_put_u32(&out, r < 0 ? WORKER_FAILED : WORKER_DONE);
	if (r < 0)
		error_encode(&err, &out);
	else
		encode_info(&info, &out);
	_exit(io_write_full(report, out.data, out.len) < 0);
}

/* ---- in the parent ---- */

static void decode(struct worker *w, int status, struct layer_info *info, struct error *err)
{
	struct cursor c = {.at = (const unsigned char *)w->report.data, .left = w->report.len};
	uint32_t kind = cursor_u32(&c);
	const void *digest;

	if (kind == WORKER_HELD) {
		cursor_bytes(&c, cursor_u32(&c));
		kind = cursor_u32(&c);
	}
	if (c.failed) {
		error_set(err, ERR_SYSTEM, "the process of this step ended early (status %d)",
			  status);
		return;
	}
	if (kind == WORKER_FAILED) {
		error_decode((const char *)c.at, c.left, err);
		return;
	}
	digest = cursor_bytes(&c, DIGEST_SIZE);
	if (digest)
		memcpy(info->diff_id.bytes, digest, DIGEST_SIZE);
	info->tar_bytes = cursor_u64(&c);
	info->content_bytes = cursor_u64(&c);
	info->entries = cursor_u64(&c);
	if (c.failed)
		error_set(err, ERR_CORRUPT, "the process of this step sent a broken report");
}

/* A whole message that the step has failed and waits is told once. */
static void look_for_hold(struct worker *w)
{
	struct cursor c = {.at = (const unsigned char *)w->report.data, .left = w->report.len};
	AUTO(error) struct error err = ERROR_INIT;
	uint32_t kind = cursor_u32(&c), len = cursor_u32(&c);
	const char *message = cursor_bytes(&c, len);

	if (w->leave < 0 || c.failed || kind != WORKER_HELD || c.left ||
	    error_decode(message, len, &err) < 0)
		return;
	w->events.held(w->events.data, &err);
}

static void close_pipe(struct pipe_end *p)
{
	if (p->source)
		loop_remove(p->source);
	p->source = NULL;
	close_fd(&p->fd);
}

/* False at its end. */
static bool read_pipe(struct pipe_end *p)
{
	char data[65536];
	ssize_t n = read(p->fd, data, sizeof(data));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	if (p->stream)
		p->w->events.output(p->w->events.data, p->stream, data, (size_t)n);
	else if (p->w->report.len < LIMIT_WIRE_BYTES)
		buf_add(&p->w->report, data, (size_t)n);
	if (!p->stream)
		look_for_hold(p->w);
	return true;
}

static void on_pipe(void *data, int fd, uint32_t events)
{
	struct pipe_end *p = data;

	(void)fd;
	(void)events;
	if (!read_pipe(p))
		close_pipe(p);
}

/* All writers are dead: what is left is in the pipe, and then comes its end. */
static void drain(struct pipe_end *p)
{
	while (p->fd >= 0 && read_pipe(p))
		;
	close_pipe(p);
}

static void on_exit_of_child(void *data, pid_t pid, int status)
{
	struct worker *w = data;
	struct layer_info info = {0};
	AUTO(error) struct error err = ERROR_INIT;

	(void)pid;
	for (size_t i = 0; i < ARRAY_SIZE(w->pipes); i++)
		drain(&w->pipes[i]);
	decode(w, status, &info, &err);
	w->events.done(w->events.data, &info, &err);
	close_fd(&w->leave);
	buf_clear(&w->report);
	free(w);
}

static int make_pipes(struct worker *w, int child_ends[3], struct error *err)
{
	for (int i = 0; i < 3; i++) {
		int ends[2];

		if (io_pipe(ends, err) < 0)
			return -ERR_SYSTEM;
		w->pipes[i] = (struct pipe_end){.w = w, .fd = ends[0], .stream = i};
		child_ends[i] = ends[1];
	}
	return 0;
}

static int make_leave(struct worker *w, struct job *j, struct error *err)
{
	int ends[2];

	if (io_pipe(ends, err) < 0)
		return -ERR_SYSTEM;
	j->leave = ends[0];
	w->leave = ends[1];
	return 0;
}

static void free_worker(struct worker *w, int child_ends[3])
{
	close_fd(&w->leave);
	for (int i = 0; i < 3; i++) {
		close_fd(&w->pipes[i].fd);
		close_fd(&child_ends[i]);
	}
	free(w);
}

int worker_start(struct loop *loop, struct job *j, const struct worker_events *events,
		 struct worker **out, struct error *err)
{
	struct worker *w = mem_new(struct worker);
	int child_ends[3] = {-1, -1, -1}, pidfd;
	pid_t parent = getpid();

	*w = (struct worker){.loop = loop, .job = j, .events = *events, .leave = -1};
	for (int i = 0; i < 3; i++)
		w->pipes[i].fd = -1;
	if (make_pipes(w, child_ends, err) < 0 || (j->shell && make_leave(w, j, err) < 0)) {
		free_worker(w, child_ends);
		return -ERR_SYSTEM;
	}
	j->out = child_ends[1];
	j->err = child_ends[2];
	w->pid = fork();
	if (w->pid == 0)
		child_main(j, parent, child_ends[0]);
	if (j->shell)
		close_fd(&j->leave);
	pidfd = w->pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, w->pid, 0);
	if (pidfd < 0) {
		int r = error_sys(err, "cannot start a process for this step");

		if (w->pid > 0) {
			kill(w->pid, SIGKILL);
			waitpid(w->pid, NULL, 0);
		}
		free_worker(w, child_ends);
		return r;
	}
	for (int i = 0; i < 3; i++) {
		close_fd(&child_ends[i]);
		w->pipes[i].source =
			loop_add_fd(loop, w->pipes[i].fd, EPOLLIN, on_pipe, &w->pipes[i]);
	}
	loop_add_child(loop, w->pid, pidfd, on_exit_of_child, w);
	*out = w;
	return 0;
}

void worker_answer(struct worker *w, bool yes)
{
	io_write_full(w->leave, yes ? "y" : "n", 1);
	close_fd(&w->leave);
}

void worker_cancel(struct worker *w)
{
	kill(w->pid, SIGTERM);
}

void worker_kill(struct worker *w)
{
	kill(w->pid, SIGKILL);
}
