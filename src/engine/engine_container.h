/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_container - a container on its way from its row to its processes, and
 * the words that commands and its monitor have for each other.
 *
 *   box      all that is needed to start one: row, image, options, lease,
 *            directory, network, spec.  Made by `create` and `run`, opened
 *            again by a monitor for each start.
 *   monitor  the process that owns a detached container: its sandbox, network
 *            and log.  It is `stave` itself, executed again (so that it has no
 *            memory of what its starter did), listens on containers/ID/socket,
 *            and ends with its container.
 *   wire     frames on that socket: a type, a length, bytes
 *   state    containers/ID/state.json: what the row does not say of the current
 *            or last run, written by the monitor
 */
#pragma once

#include <sys/types.h>

#include "base/json.h"
#include "engine/engine_private.h"
#include "sandbox/sandbox.h"
#include "snapshot/snapshot.h"

/* ---- box --------------------------------------------------------------------------------- */

struct container_box {
	struct engine *e;
	struct container_options *o; /* borrowed */
	struct image image;
	struct store_container row;
	struct lease *lease;
	struct network_endpoint endpoint;
	struct runtime_spec spec;
	int dir;      /* containers/ID */
	int shm;      /* /dev/shm of another container; -1: its own, or none */
	json_t *uses; /* networks and volumes, for the events of its end; NULL: none */
	bool group;   /* a cgroup of its own where that costs little */
};

#define CONTAINER_BOX_INIT                                              \
	((struct container_box){.image = {.config = IMAGE_CONFIG_INIT}, \
				.endpoint = NETWORK_ENDPOINT_INIT,      \
				.spec = RUNTIME_SPEC_INIT,              \
				.dir = -1,                              \
				.shm = -1})

/* resolv.conf and the like, and /dev/shm of another container. */
#define CONTAINER_BINDS (RUNTIME_ETC_BINDS + 1)

/* Image, row ("created") and directory of a new one.  Needs a lease. */
int container_box_new(struct container_box *b, const struct engine_run *req, struct error *err);
/* One that is there: row, image, directory; @o is filled from the row. */
int container_box_open(struct container_box *b, const char *id, struct error *err);
/* Root, spec and network: all but the process.  The root's mount is the caller's. */
int container_box_prepare(struct container_box *b, struct runtime_stdio *stdio, int *out_root,
			  struct error *err);
/*
 * Starts it, and sets the row to "running".  @so is filled for sandbox_wait(); it
 * borrows from @b and @binds (CONTAINER_BINDS of them).
 */
int container_box_start(struct container_box *b, int *root, struct sandbox_options *so,
			struct sandbox_bind *binds, struct sandbox *sb, struct error *err);
int container_box_state(struct container_box *b, const char *state, struct error *err);
/* Its files as one that starts now would see them, without the mounts of its options. */
int container_box_mount(struct container_box *b, int *out_fd, struct error *err);
/* Row and directory go. */
int container_remove(struct engine *e, const struct store_container *c, bool volumes,
		     struct error *err);
void container_box_clear(struct container_box *b);

/* The options that a row was made with, into a fresh CONTAINER_OPTIONS_INIT. */
int container_options_of(const struct store_container *c, struct container_options *out,
			 struct error *err);
/*
 * One whose options are about to change: nobody else changes them until *out_claim is closed,
 * after the row is written and its monitor has read it.
 */
int container_claim(struct engine *e, const char *text, struct store_container *c,
		    int *out_claim, struct error *err);
/* Opens containers/ID. */
int container_open_dir(struct engine *e, const char *id, int *out, struct error *err);
bool container_is_up(const struct store_container *c); /* running or paused */
/*
 * The first process of one that is up, as a number out here: whose name spaces and groups are
 * the container's.  With another runtime the row has that one's process, which is the host's.
 */
int container_process(const struct store_container *c, pid_t *out, struct error *err);
/*
 * "container:NAME" of a mode of a name space becomes the path of it; with the IPC name space
 * comes /dev/shm, where POSIX has what the kernel's own has not.
 */
int container_share(struct container_box *b, struct error *err);

/*
 * Stops its processes while it is read, and lets them go on, by the next command if not by
 * us. @c is as it was before; @out stays NULL for one that does not run.
 */
int container_hold(struct engine *e, const struct store_container *c, struct lease **out,
		   struct error *err);
void container_release(struct engine *e, const struct store_container *c, struct lease *l);
/* What a dead command held, as its lease names it. */
int container_release_dead(const char *name, struct error *err);

/* ---- state ---------------------------------------------------------------------------------
 */

/* New reference; an empty object when there is none. */
json_t *container_state_read(int dir);
int container_state_write(int dir, const json_t *state, struct error *err);

/* ---- events --------------------------------------------------------------------------------
 */

/* One line in the store's events.  Never fails: an event is no reason to. */
void container_event(struct engine *e, const struct store_container *c, const char *action,
		     const char *key, const char *value);
/* The same without a store: @root is an open descriptor of its directory. */
void container_event_at(int root, const char *id, json_t *attributes, const char *action,
			const char *key, const char *value);
/* "create", "destroy" of a network, "create", "destroy" of a volume. */
void network_event(struct engine *e, const char *action, const char *id, const char *name,
		   const char *driver);
void volume_event(struct engine *e, const char *action, const char *name);
/*
 * @b has come to a network; its volumes are mounted.  The contrary is told by
 * container_event_leave(): of the network of that name, or, with NULL, of all.
 */
void container_event_connect(struct container_box *b, const char *id, const char *name,
			     const char *driver);
void container_event_mounts(struct container_box *b);
void container_event_leave(struct container_box *b, int root, const char *network);
/* What an event says of a container: image, name, labels. New. */
json_t *container_event_attributes(const struct store_container *c);

/* ---- log -----------------------------------------------------------------------------------
 */

struct container_log;

/* NULL for the driver "none". */
struct container_log *container_log_new(int dir, const struct container_options *o);
void container_log_add(struct container_log *l, const char *stream, const char *data,
		       size_t len);
/* Lines without an end are written too. */
void container_log_free(struct container_log *l);

/* ---- wire ----------------------------------------------------------------------------------
 */

enum wire_type {
	/* to the monitor */
	WIRE_ATTACH = 'a',  /* u32 flags */
	WIRE_INPUT = 'i',   /* bytes for the standard input */
	WIRE_END = 'e',	    /* of the input */
	WIRE_SIZE = 'w',    /* u32 rows, u32 columns */
	WIRE_SIGNAL = 'k',  /* u32: to process 1 */
	WIRE_STOP = 's',    /* do not start it again */
	WIRE_PAUSE = 'p',   /* u32: 1 to freeze; answered by WIRE_DONE */
	WIRE_RELOAD = 'l',  /* the row's options have changed */
	WIRE_NETWORK = 'n', /* the row's networks have changed; answered by WIRE_DONE */
	/* from it */
	WIRE_RUNNING = 'R', /* the command is executed */
	WIRE_ERROR = 'E',   /* an encoded struct error */
	WIRE_DONE = 'D',
	WIRE_OUT = 'o',
	WIRE_ERR = 'O',
	WIRE_EXIT = 'x', /* u32 exit code: of each run */
	WIRE_GONE = 'g', /* u32 exit code: recorded, and it will not be started again */
};

enum wire_attach {
	WIRE_ATTACH_IN = 1 << 0,
	WIRE_ATTACH_OUT = 1 << 1,
	WIRE_ATTACH_ERR = 1 << 2,
};

#define WIRE_MAX    (64u << 10)
#define WIRE_SOCKET "socket"

struct wire_message {
	enum wire_type type;
	size_t len;
	const char *data; /* borrowed from the buffer */
};

void wire_put(struct buf *out, enum wire_type type, const void *data, size_t len);
void wire_put_u32(struct buf *out, enum wire_type type, uint32_t value);
/* The first whole frame of @in; consume its bytes with wire_drop(). -1: malformed, 0: none. */
int wire_get(const struct buf *in, struct wire_message *out);
void wire_drop(struct buf *in, const struct wire_message *m);
uint32_t wire_u32(const struct wire_message *m);
/* Blocking. 0, or -1 with errno. */
int wire_send(int fd, enum wire_type type, const void *data, size_t len);
int wire_send_u32(int fd, enum wire_type type, uint32_t value);
/* Blocking, up to @timeout_ms (-1: for ever). 1, 0 at the end, -1 on time-out or error. */
int wire_receive(int fd, struct buf *in, struct wire_message *out, int timeout_ms);
/* The monitor of the container with that directory. -ERR_NOT_FOUND: there is none. */
int wire_connect(int dir, int *out, struct error *err);
int wire_listen(int dir, int *out, struct error *err);

/*
 * The streams until the container ends, or the user leaves.  @in: what came
 * already on @socket; taken.
 */
int container_pump(int socket, struct buf *in, const struct container_options *o,
		   const struct engine_streams *s, struct engine_attached *out,
		   struct error *err);

/* ---- monitor -------------------------------------------------------------------------------
 */

/* Starts a monitor; @out is its socket, on which the outcome comes (WIRE_RUNNING, WIRE_ERROR).
 */
int monitor_spawn(struct engine *e, const char *id, unsigned attach, unsigned rows,
		  unsigned columns, int *out, struct error *err);
/* Waits for the first answer on that socket. */
int monitor_outcome(int socket, struct buf *in, struct error *err);
