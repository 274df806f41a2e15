/* SPDX-License-Identifier: Apache-2.0 */
/* engine_network - a container's way into the networks that its options name. */
#pragma once

#include "engine/engine_private.h"

/*
 * The name space of a container that is about to start: attached, its ports published.
 * Notes in @lease what has to be undone when we are killed.  The name space's descriptor is
 * -1 for the host's network.
 */
int container_network_attach(struct engine *e, const struct container_options *o,
			     const struct image_config *cfg, const char *id,
			     struct lease *lease, struct network_endpoint *out,
			     struct error *err);

/* A named network's bridge, whose name is in @out_name. */
int network_bridge_of(struct engine *e, const char *name, char out_name[16],
		      struct network_bridge *out, struct error *err);

/* --filter label=…, of a JSON object of labels. */
bool engine_prune_wants(const struct engine_prune *how, const json_t *labels);

/* Makes the others of its network find it: @dir has its file of hosts. */
int container_network_join(const struct container_options *o, const char *name, int dir,
			   struct network_endpoint *e, struct error *err);

/* NetworkSettings.Ports and HostConfig.PortBindings of Docker's inspect object, new references.
 */
json_t *container_network_ports(const struct store_container *c);
json_t *container_network_bindings(const struct container_options *o);
