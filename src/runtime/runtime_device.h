/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime_device - host devices of a container: --device, --device-cgroup-rule, and what a
 * CDI specification says of a name such as nvidia.com/gpu=0 (also what --gpus asks for).
 */
#pragma once

#include "base/error.h"
#include "runtime/runtime.h"

/*
 * Devices, their rules, and the edits of CDI specifications into @spec.  The host is looked at
 * now: a node that is not there is -ERR_NOT_FOUND.
 */
int runtime_add_devices(const struct container_options *o, struct runtime_spec *spec,
			struct error *err);

/* A node and, unless all is allowed anyway, its rule. */
void device_put(struct runtime_spec *spec, const struct device_spec *d, const char *access);

/*
 * Container Device Interface, https://github.com/cncf-tags/container-device-interface:
 * specifications below /etc/cdi and /var/run/cdi.
 */

/* "vendor.com/class=name"? */
bool cdi_is_name(const char *text);
/* Adds what the specifications say of all @names.  "unresolvable CDI devices x". */
int cdi_apply(const struct strlist *names, struct runtime_spec *spec, struct error *err);
/* Has a specification a device of that kind ("nvidia.com/gpu")? */
bool cdi_has_kind(const char *kind);

/* One --gpus. */
struct gpu_request {
	char *driver;
	int64_t count;		     /* -1: all; 0: see devices */
	struct strlist devices;	     /* ids */
	struct strlist capabilities; /* always with "gpu" */
	struct map options;	     /* values are owned strings */
};

void gpu_request_clear(struct gpu_request *g);
/* What it means as names of CDI devices; appends. */
int gpu_request_names(const struct gpu_request *g, struct strlist *names, struct error *err);

static inline void gpu_request_auto(struct gpu_request *g)
{
	gpu_request_clear(g);
}

/* "all", "2", "device=0", "\"device=0,1\",driver=nvidia". */
int gpu_request_parse(const char *text, struct gpu_request *out, struct error *err);
