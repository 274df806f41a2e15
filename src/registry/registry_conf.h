/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry_conf - what the machine's files say about where registries are:
 * containers-registries.conf(5) version 2, and of Docker's daemon.json registry-mirrors and
 * insecure-registries.
 *
 * Read are $CONTAINERS_REGISTRIES_CONF, else $HOME/.config/containers/registries.conf, else
 * /etc/containers/registries.conf; then, but where it was the user's,
 * /etc/containers/registries.conf.d/; and always the user's.  A [[registry]] with the same
 * prefix replaces an earlier one.  Names without a registry are docker.io's: short names and
 * unqualified-search-registries have no say.
 */
#pragma once

#include "base/error.h"
#include "oci/oci.h"

/* One place where an image may be, and how that is spoken to. */
struct registry_route {
	char *domain, *path;
	bool insecure;
};

struct registry_routes {
	struct registry_route *items; /* mirrors first; the last one is the registry itself */
	size_t n, cap;
};

/*
 * @mirrors: also those, as they are for what is pulled.  -ERR_DENIED: the registry is blocked.
 */
int registry_routes_find(const struct reference *ref, bool mirrors, struct registry_routes *out,
			 struct error *err);
/* Of a registry as a whole: may it be without TLS? */
int registry_conf_insecure(const char *domain, bool *out, struct error *err);
void registry_routes_clear(struct registry_routes *r);

static inline void registry_routes_auto(struct registry_routes *r)
{
	registry_routes_clear(r);
}
