/* SPDX-License-Identifier: Apache-2.0 */
/* engine_monitor - what the parts of a monitor share: monitor.c, monitor_client.c,
 * monitor_health.c. */
#pragma once

#include "base/loop.h"
#include "engine/engine_container.h"

/* A command that is connected. */
struct monitor_client {
	struct monitor *m;
	struct monitor_client *next;
	int fd;
	unsigned attach; /* enum wire_attach */
	bool closing;	 /* to be freed when the loop comes round */
	struct buf in, out;
	struct loop_source *source;
};

/* One of the container's streams. */
struct monitor_stream {
	struct monitor *m;
	int fd;
	const char *name;
	unsigned attach;
	enum wire_type type;
	struct loop_source *source; /* NULL: not read now */
};

struct monitor_health {
	struct image_healthcheck config;
	struct strlist command;
	struct loop_source *timer, *deadline, *child, *output;
	pid_t pid;
	int pidfd; /* a second one, to kill by */
	int fd;
	struct buf text;
	int64_t began_ns, started_ns;
	int64_t failing;
	bool enabled, timed_out;
};

struct monitor {
	struct engine *e;
	struct container_box box;
	struct container_options o;
	struct strlist shell; /* of the image, for CMD-SHELL */
	struct loop *loop;
	struct sandbox sb;
	struct sandbox_options so;
	struct runtime_spec after; /* what sandbox_wait() needs of the spec */
	struct container_log *log;
	struct monitor_stream streams[2];
	struct monitor_client *clients;
	struct loop_source *listener, *exit, *quiet, *again;
	int listening;
	int root;	    /* the store's directory, for events */
	int input;	    /* the container's standard input; -1: none */
	int pidfd;	    /* of the container */
	struct buf pending; /* bytes for it */
	struct loop_source *input_source;
	json_t *attributes, *state;
	struct monitor_health health;
	int64_t delay_ns; /* before the next restart */
	int64_t restarts;
	uint64_t moved, moved_before;
	unsigned rows, columns;
	int exit_code;
	bool up, input_ends, stop, frozen, ended;
};

void monitor_adopt(struct monitor *m, int fd, unsigned attach);
void monitor_accept(void *data, int fd, uint32_t events);
/* To all that are attached to @attach; 0: to all. */
void monitor_tell(struct monitor *m, unsigned attach, enum wire_type type, const void *data,
		  size_t len);
void monitor_tell_u32(struct monitor *m, enum wire_type type, uint32_t value);
/* Sends what is left and closes them all. */
void monitor_dismiss(struct monitor *m);
/* Does a reader hold the container up? */
bool monitor_is_clogged(const struct monitor *m);
void monitor_read_again(struct monitor *m);
void monitor_input(struct monitor *m, const char *data, size_t len);
void monitor_end_input(struct monitor *m);
/* Somebody wants it to stay down. */
void monitor_no_more(struct monitor *m);
int monitor_reload(struct monitor *m, struct error *err);
int monitor_change_networks(struct monitor *m, struct error *err);
void monitor_save(struct monitor *m);

void monitor_health_start(struct monitor *m);
void monitor_health_stop(struct monitor *m);
