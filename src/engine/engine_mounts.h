/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_mounts - what a container mounts, from its options to its spec.
 *
 *   plan   before there is a row: what --volumes-from and the image's VOLUMEs
 *          add, names for volumes without one, and what can be wrong by then
 *   hold   with the row: volumes that are missing are made, and all of them held
 *   open   before each start: empty volumes get the image's files, each volume
 *          its directory in the options
 *
 * A destination is a name inside the container's root and resolved there, by
 * the sandbox to mount on it and here to copy from it: a link in an image
 * leads nowhere else.
 */
#pragma once

#include "base/json.h"
#include "engine/engine_private.h"

int engine_mounts_plan(struct engine *e, const struct image_config *cfg,
		       struct container_options *o, struct error *err);
int engine_mounts_hold(struct engine *e, struct lease *l, const char *container,
		       const struct container_options *o, struct error *err);
/* @root: the container's. */
int engine_mounts_open(struct engine *e, int root, struct container_options *o,
		       struct error *err);
/* Docker's "Mounts", new reference. */
json_t *engine_mounts_of(struct engine *e, const struct store_container *c);

/* Docker's "HostConfig.Binds", new reference: null if there are none. */
json_t *mounts_as_binds(const struct container_options *o);

/*
 * Copies the directory @path of @root into the volume if that is empty, with
 * owners, modes and times; absent is fine.  A kill in the middle leaves it
 * empty, or is made up for by the next call.  @durable: on disk before it is
 * seen.
 */
int engine_volume_fill(struct engine *e, const char *name, int root, const char *path,
		       bool durable, struct error *err);
/* What the local driver takes: none, or type, o and device.  @name for messages. */
int engine_volume_check_options(const char *name, const struct map *options, struct error *err);
/* The label that Docker gives to those without a name. */
#define VOLUME_ANONYMOUS_LABEL "com.docker.volume.anonymous"
