/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - one epoll loop for descriptors, children, signals and timers.
 *
 * A callback may add and remove any source, itself included, and may stop
 * the loop.  Nothing here is thread-safe: one loop, one thread.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct loop;
struct loop_source;

/* @events: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR as they came. */
typedef void (*loop_fd_fn)(void *data, int fd, uint32_t events);
/* @status: exit code, or 128 + signal. */
typedef void (*loop_child_fn)(void *data, pid_t pid, int status);
typedef void (*loop_signal_fn)(void *data, int signal);
typedef void (*loop_timer_fn)(void *data);

int loop_new(struct loop **out, struct error *err);
void loop_free(struct loop *l);

/* The descriptor is borrowed and must be removed before it is closed. */
struct loop_source *loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn fn,
				void *data);
void loop_set_events(struct loop_source *s, uint32_t events);
/* Reaps the child when it ends, calls @fn once, removes itself. TAKES @pidfd (>= 0). */
struct loop_source *loop_add_child(struct loop *l, pid_t pid, int pidfd, loop_child_fn fn,
				   void *data);
/* Blocks the signals for the process and delivers them here. */
struct loop_source *loop_add_signals(struct loop *l, const sigset_t *set, loop_signal_fn fn,
				     void *data);
/* Fires every @interval_ns; with @once, one time. */
struct loop_source *loop_add_timer(struct loop *l, uint64_t interval_ns, bool once,
				   loop_timer_fn fn, void *data);
void loop_remove(struct loop_source *s);

/* Until loop_stop(), or no source is left that keeps it running (signals and timers do not). */
int loop_run(struct loop *l, struct error *err);
void loop_stop(struct loop *l);

static inline void loop_auto(struct loop **l)
{
	loop_free(*l);
}
