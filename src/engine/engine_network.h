/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_network - networks, and a container's way into those that its options name.
 *
 * A network's row is its document, which is what Docker's inspect says of it, but for
 * NETWORK_AUTOMATIC, which nobody is shown: were its subnets chosen by us?  Who is on it
 * is written nowhere: that is what the containers that run say of themselves, in
 * state.json's "networks": a network's name, and Docker's fields of the endpoint.
 */
#pragma once

#include "engine/engine_container.h"

#define NETWORK_AUTOMATIC "automatic" /* a boolean */

/* A network as network/ wants it. */
struct engine_bridge {
	struct network_bridge bridge; /* borrows from the rest */
	char *name, *network, *prefix, *id;
	json_t *document;
};

/* -ERR_NOT_FOUND "network x not found". */
int engine_bridge_open(struct engine *e, const char *text, struct engine_bridge *out,
		       struct error *err);
void engine_bridge_close(struct engine_bridge *b);
static inline void engine_bridge_auto(struct engine_bridge *b)
{
	engine_bridge_close(b);
}

/* bridge, host and none: those that are always there. */
bool network_is_predefined(const char *name);
/* All of @e, with NETWORK_AUTOMATIC and without Containers. New reference. */
int networks_read(struct engine *e, json_t **out, struct error *err);
/* A document without subnets. */
json_t *network_document(const char *name, const char *id, int64_t created_ns,
			 const char *driver);
/* A driver's option; NULL: not given. */
const char *network_option(const json_t *document, const char *key);
/* The interface that it has here, new string. */
char *network_bridge_name(const json_t *document);
/* Subnet @i of the document. */
int network_subnet_of(const json_t *document, size_t i, struct network_subnet *out,
		      struct error *err);

/* What @n asks of network @b, or why it cannot have it, in Docker's words. */
struct network_request {
	struct network_wish wish;
	struct strlist names, links;
	char *interface;
};
int network_request_make(const struct engine_bridge *b, const struct container_network *n,
			 const struct container_options *o, const char *name,
			 struct network_request *out, struct error *err);
void network_request_clear(struct network_request *r);
static inline void network_request_auto(struct network_request *r)
{
	network_request_clear(r);
}

/* Ids of networks become names, of those that are there. */
void container_network_resolve(struct engine *e, struct container_options *o);
/*
 * The name space of a container that is about to start: attached to all of its networks,
 * with its ports published.  Notes in the lease what has to be undone when we are killed.
 * The name space's descriptor is -1 for the host's network.
 */
int container_network_attach(struct container_box *b, struct error *err);
/* Makes the attachments of one that runs what its options are now. */
int container_network_change(struct container_box *b, const struct container_options *fresh,
			     struct error *err);
/* The "networks" of state.json. New reference. */
json_t *container_network_state(struct container_box *b);
/* --filter label=…, of a JSON object of labels. */
bool engine_prune_wants(const struct engine_prune *how, const json_t *labels);

/* NetworkSettings and HostConfig.PortBindings of Docker's inspect object, new references.
 */
json_t *container_network_settings(struct engine *e, const struct store_container *c,
				   const struct container_options *o, const json_t *state);
/* Docker's "Ports" of that. New reference. */
json_t *container_ports_document(const struct store_container *c);
json_t *container_network_bindings(const struct container_options *o);
/* HostConfig.NetworkMode. */
const char *container_network_mode(const struct container_options *o);
