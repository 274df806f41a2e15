/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#include "base/banned.h"

enum source_kind {
	SOURCE_FD = 1,
	SOURCE_CHILD,
	SOURCE_SIGNAL,
	SOURCE_TIMER
};

struct loop_source {
	struct loop *loop;
	enum source_kind kind;
	int fd; /* owned, but for SOURCE_FD */
	pid_t pid;
	bool once;
	bool dead; /* removed; freed once the current round of events is over */
	void *data;
	union {
		loop_fd_fn fd_fn;
		loop_child_fn child_fn;
		loop_signal_fn signal_fn;
		loop_timer_fn timer_fn;
	};
	struct loop_source *next;
};

struct loop {
	int epoll;
	unsigned keepers; /* sources that keep the loop running */
	bool stopped;
	bool has_dead;
	struct loop_source *sources;
};

int loop_new(struct loop **out, struct error *err)
{
	struct loop *l = mem_new(struct loop);

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		free(l);
		return error_sys(err, "epoll_create1");
	}
	*out = l;
	return 0;
}

static void free_source(struct loop_source *s)
{
	if (s->kind != SOURCE_FD && s->fd >= 0)
		close(s->fd);
	free(s);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->sources) {
		struct loop_source *next = l->sources->next;

		free_source(l->sources);
		l->sources = next;
	}
	close(l->epoll);
	free(l);
}

static struct loop_source *add(struct loop *l, enum source_kind kind, int fd, uint32_t events,
			       void *data)
{
	struct loop_source *s = mem_new(struct loop_source);
	struct epoll_event e = {.events = events, .data.ptr = s};

	*s = (struct loop_source){
		.loop = l, .kind = kind, .fd = fd, .data = data, .next = l->sources};
	l->sources = s;
	if (kind == SOURCE_FD || kind == SOURCE_CHILD)
		l->keepers++;
	/* regular files cannot be polled: they are always ready, and are not given here */
	epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e);
	return s;
}

struct loop_source *loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn fn,
				void *data)
{
	struct loop_source *s = add(l, SOURCE_FD, fd, events, data);

	s->fd_fn = fn;
	return s;
}

void loop_set_events(struct loop_source *s, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	epoll_ctl(s->loop->epoll, EPOLL_CTL_MOD, s->fd, &e);
}

struct loop_source *loop_add_child(struct loop *l, pid_t pid, int pidfd, loop_child_fn fn,
				   void *data)
{
	struct loop_source *s = add(l, SOURCE_CHILD, pidfd, EPOLLIN, data);

	s->pid = pid;
	s->child_fn = fn;
	return s;
}

struct loop_source *loop_add_signals(struct loop *l, const sigset_t *set, loop_signal_fn fn,
				     void *data)
{
	struct loop_source *s;

	sigprocmask(SIG_BLOCK, set, NULL);
	s = add(l, SOURCE_SIGNAL, signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK), EPOLLIN, data);
	s->signal_fn = fn;
	return s;
}

struct loop_source *loop_add_timer(struct loop *l, uint64_t interval_ns, bool once,
				   loop_timer_fn fn, void *data)
{
	struct timespec t = {.tv_sec = (time_t)(interval_ns / 1000000000u),
			     .tv_nsec = (long)(interval_ns % 1000000000u)};
	struct itimerspec it = {.it_value = t};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct loop_source *s;

	if (!once)
		it.it_interval = t;
	timerfd_settime(fd, 0, &it, NULL);
	s = add(l, SOURCE_TIMER, fd, EPOLLIN, data);
	s->once = once;
	s->timer_fn = fn;
	return s;
}

void loop_remove(struct loop_source *s)
{
	if (!s || s->dead)
		return;
	epoll_ctl(s->loop->epoll, EPOLL_CTL_DEL, s->fd, NULL);
	if (s->kind == SOURCE_FD || s->kind == SOURCE_CHILD)
		s->loop->keepers--;
	s->dead = true;
	s->loop->has_dead = true;
}

static void sweep(struct loop *l)
{
	struct loop_source **at = &l->sources;

	l->has_dead = false;
	while (*at) {
		struct loop_source *s = *at;

		if (s->dead) {
			*at = s->next;
			free_source(s);
		} else {
			at = &s->next;
		}
	}
}

static void dispatch_child(struct loop_source *s)
{
	int status = 0;

	if (waitpid(s->pid, &status, WNOHANG) != s->pid)
		return;
	loop_remove(s);
	s->child_fn(s->data, s->pid,
		    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void dispatch_signal(struct loop_source *s)
{
	struct signalfd_siginfo info;

	while (!s->dead && read(s->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		s->signal_fn(s->data, (int)info.ssi_signo);
}

static void dispatch_timer(struct loop_source *s)
{
	uint64_t times;

	if (read(s->fd, &times, sizeof(times)) != (ssize_t)sizeof(times))
		return;
	if (s->once)
		loop_remove(s);
	s->timer_fn(s->data);
}

static void dispatch(struct loop_source *s, uint32_t events)
{
	switch (s->kind) {
	case SOURCE_FD:
		s->fd_fn(s->data, s->fd, events);
		break;
	case SOURCE_CHILD:
		dispatch_child(s);
		break;
	case SOURCE_SIGNAL:
		dispatch_signal(s);
		break;
	case SOURCE_TIMER:
		dispatch_timer(s);
		break;
	}
}

int loop_run(struct loop *l, struct error *err)
{
	struct epoll_event events[32];

	l->stopped = false;
	while (!l->stopped && l->keepers) {
		int n = epoll_wait(l->epoll, events, 32, -1);

		if (n < 0 && errno != EINTR)
			return error_sys(err, "epoll_wait");
		for (int i = 0; i < n && !l->stopped; i++) {
			struct loop_source *s = events[i].data.ptr;

			if (!s->dead)
				dispatch(s, events[i].events);
		}
		if (l->has_dead)
			sweep(l);
	}
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
}
