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

/* NetworkSettings.Ports and HostConfig.PortBindings of Docker's inspect object, new references.
 */
json_t *container_network_ports(const struct store_container *c);
json_t *container_network_bindings(const struct container_options *o);
