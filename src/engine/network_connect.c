/* SPDX-License-Identifier: Apache-2.0 */
/* network connect, disconnect: the container's record, and its monitor if it runs. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/engine_network.h"

#include "base/banned.h"

#define PATIENCE_MS 30000

/* A container whose networks change. */
struct change {
	struct engine *e;
	struct store_container c;
	struct container_options o;
	struct engine_bridge bridge;
	int claim;
};

#define CHANGE_INIT(engine) \
	((struct change){.e = (engine), .o = CONTAINER_OPTIONS_INIT, .claim = -1})

static void change_auto(struct change *x)
{
	store_container_clear(&x->c);
	container_options_clear(&x->o);
	engine_bridge_close(&x->bridge);
	close_fd(&x->claim);
}

static int open_change(struct change *x, const char *network, const char *container,
		       struct error *err)
{
	int r = engine_need_store(x->e, err);

	if (r < 0 || (r = engine_bridge_open(x->e, network, &x->bridge, err)) < 0 ||
	    (r = container_claim(x->e, container, &x->c, &x->claim, err)) < 0)
		return r;
	r = container_options_of(&x->c, &x->o, err);
	free(x->o.id);
	x->o.id = mem_strdup(x->c.id);
	return r;
}

static int write_row(struct change *x, const struct container_options *o, struct error *err)
{
	AUTO(json) json_t *config = NULL;
	AUTO(buf) struct buf text = BUF_INIT;
	int r = json_parse(x->c.config, strlen(x->c.config), &config, err);

	if (r < 0)
		return r;
	json_object_set_new(config, "options", container_options_encode(o));
	json_text(config, &text);
	return store_container_configure(x->e->store, x->c.id, buf_str(&text), err);
}

/* Tells the monitor, and waits for what it says. */
static int tell_monitor(struct change *x, struct error *err)
{
	AUTO(fd) int socket = -1;
	AUTO(buf) struct buf in = BUF_INIT;
	struct wire_message m;

	if (wire_connect(x->claim, &socket, NULL) < 0) {
		error_set(err, ERR_UNSUPPORTED,
			  "container %s runs in the foreground with --rm and has no monitor: "
			  "its networks cannot be changed",
			  x->c.name);
		error_hint(err, "start it with -d, or without --rm");
		return -ERR_UNSUPPORTED;
	}
	if (wire_send(socket, WIRE_NETWORK, NULL, 0) < 0)
		return error_sys(err, "cannot reach the monitor of %s", x->c.name);
	while (wire_receive(socket, &in, &m, PATIENCE_MS) > 0) {
		if (m.type == WIRE_DONE)
			return 0;
		if (m.type == WIRE_ERROR && error_decode(m.data, m.len, err) == 0)
			return -(int)(err ? err->code : ERR_FAILED);
		wire_drop(&in, &m);
	}
	return error_set(err, ERR_FAILED, "the monitor of %s does not answer", x->c.name);
}

/* The row first, as the monitor reads it; what it cannot do is undone there. */
static int commit(struct change *x, struct error *err)
{
	AUTO(container_options) struct container_options before = CONTAINER_OPTIONS_INIT;
	int r;

	if ((r = container_options_of(&x->c, &before, err)) < 0 ||
	    (r = write_row(x, &x->o, err)) < 0)
		return r;
	if (!container_is_up(&x->c))
		return 0;
	if ((r = tell_monitor(x, err)) < 0)
		write_row(x, &before, NULL);
	return r;
}

/* ---- connect ---- */

static int check_connect(const struct change *x, struct error *err)
{
	const struct container_options *o = &x->o;

	if (o->network == RUNTIME_NETWORK_HOST || o->network == RUNTIME_NETWORK_CONTAINER)
		return error_set(err, ERR_CONFLICT,
				 "container sharing network namespace with another container "
				 "or host cannot be connected to any other network");
	if (str_eq(x->bridge.network, "host"))
		return error_set(err, ERR_CONFLICT,
				 "cannot connect container to host network - container must be "
				 "created in host network mode");
	if (str_eq(x->bridge.network, "none") || container_network_find(o, "none"))
		return error_set(err, ERR_CONFLICT,
				 "container cannot be connected to multiple networks with one "
				 "of the networks in private (none) mode");
	if (container_is_up(&x->c) && container_network_find(o, x->bridge.network))
		return error_set(err, ERR_CONFLICT,
				 "endpoint with name %s already exists in network %s",
				 x->c.name, x->bridge.network);
	return 0;
}

int engine_network_connect(struct engine *e, const char *container,
			   struct container_network *how, struct error *err)
{
	AUTO(change) struct change x = CHANGE_INIT(e);
	AUTO(network_request) struct network_request request = {0};
	struct container_network *old;
	int r = open_change(&x, how->name, container, err);

	if (r == 0 && (r = check_connect(&x, err)) == 0)
		r = network_request_make(&x.bridge, how, &x.o, x.c.name, &request, err);
	if (r < 0) {
		container_network_clear(how);
		return r;
	}
	free(how->name);
	how->name = mem_strdup(x.bridge.network);
	old = container_network_find(&x.o, how->name);
	if (old)
		container_network_clear(old);
	else
		old = vec_push(&x.o.networks);
	*old = *how;
	return commit(&x, err);
}

/* ---- disconnect ---- */

int engine_network_disconnect(struct engine *e, const char *container, const char *network,
			      bool force, struct error *err)
{
	AUTO(change) struct change x = CHANGE_INIT(e);
	struct container_network *n;
	int r = open_change(&x, network, container, err);

	if (r < 0)
		return r;
	if (str_eq(x.bridge.network, "host") && x.o.network == RUNTIME_NETWORK_HOST)
		return error_set(err, ERR_CONFLICT,
				 "cannot disconnect container from host network - container "
				 "was created in host network mode");
	n = container_network_find(&x.o, x.bridge.network);
	if (!n && container_is_up(&x.c))
		return error_set(err, ERR_CONFLICT,
				 "container %s is not connected to network %s", x.c.id,
				 x.bridge.network);
	if (!n)
		return error_set(err, ERR_CONFLICT,
				 "container %s is not connected to the network %s", x.c.id,
				 x.bridge.network);
	container_network_clear(n);
	memmove(n, n + 1, (size_t)(x.o.networks.items + --x.o.networks.n - n) * sizeof(*n));
	r = commit(&x, err);
	/* what does not run any more, or has nobody who could do it, loses it with its end */
	if (r < 0 && force) {
		error_clear(err);
		r = write_row(&x, &x.o, err);
	}
	return r;
}
