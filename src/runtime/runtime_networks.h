/* SPDX-License-Identifier: Apache-2.0 */
/* The networks in a container's record. */
#pragma once

#include "runtime/runtime.h"

json_t *networks_encode(const struct container_network_list *l);
/* After @o->network and its name, of which the list of an old record is made. */
int networks_decode(const json_t *j, struct container_options *o, struct error *err);
