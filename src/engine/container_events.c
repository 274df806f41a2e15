/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: an object a line, in Docker's shape, in the store's file of that
 * name.  Each is one write to the end, so that commands and monitors need no
 * lock.  The file begins anew when it is long; its last self is kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "engine/engine_container.h"

#include "base/banned.h"

#define EVENTS_MAX (4 << 20)

json_t *container_event_attributes(const struct store_container *c)
{
	json_t *attributes = json_object(), *config = NULL;

	if (c->config)
		json_parse(c->config, strlen(c->config), &config, NULL);
	if (config)
		json_object_update(attributes, json_object_get(config, "labels"));
	json_object_set_new(attributes, "image", json_string(c->image_name));
	json_object_set_new(attributes, "name", json_string(c->name));
	json_decref(config);
	return attributes;
}

/* A container's event has its id and image outside as well. */
static void write_event(int root, const char *type, const char *action, const char *id,
			const json_t *attributes)
{
	AUTO(json) json_t *j = json_object();
	AUTO(buf) struct buf line = BUF_INIT;
	AUTO(fd)
	int fd = openat(root, "events", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	const int64_t now = clock_now_ns();
	json_t *actor = json_object();
	struct stat st;

	if (str_eq(type, "container")) {
		json_put_text(j, "status", action);
		json_object_set_new(j, "id", json_string(id));
		json_object_set(j, "from", json_object_get(attributes, "image"));
	}
	json_object_set_new(j, "Type", json_string(type));
	json_put_text(j, "Action", action);
	json_object_set_new(actor, "ID", json_string(id));
	json_object_set(actor, "Attributes", (json_t *)(uintptr_t)attributes);
	json_object_set_new(j, "Actor", actor);
	json_object_set_new(j, "scope", json_string("local"));
	json_object_set_new(j, "time", json_integer(now / 1000000000));
	json_object_set_new(j, "timeNano", json_integer(now));
	json_text(j, &line);
	buf_addch(&line, '\n');
	if (fd < 0 || write(fd, line.data, line.len) < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > EVENTS_MAX)
		renameat(root, "events", root, "events.1");
}

void container_event_at(int root, const char *id, json_t *attributes, const char *action,
			const char *key, const char *value)
{
	AUTO(json) json_t *all = json_deep_copy(attributes);

	if (key)
		json_put_text(all, key, value);
	write_event(root, "container", action, id, all);
}

void container_event(struct engine *e, const struct store_container *c, const char *action,
		     const char *key, const char *value)
{
	AUTO(json) json_t *attributes = container_event_attributes(c);

	container_event_at(store_dir(e->store, STORE_ROOT), c->id, attributes, action, key,
			   value);
}

/* ---- networks and volumes ---- */

static json_t *network_attributes(const char *name, const char *driver)
{
	json_t *j = json_object();

	json_object_set_new(j, "name", json_string(name));
	json_object_set_new(j, "type", json_string(driver));
	return j;
}

static json_t *volume_attributes(void)
{
	json_t *j = json_object();

	json_object_set_new(j, "driver", json_string("local"));
	return j;
}

void network_event(struct engine *e, const char *action, const char *id, const char *name,
		   const char *driver)
{
	AUTO(json) json_t *attributes = network_attributes(name, driver);

	write_event(store_dir(e->store, STORE_ROOT), "network", action, id, attributes);
}

void volume_event(struct engine *e, const char *action, const char *name)
{
	AUTO(json) json_t *attributes = volume_attributes();

	write_event(store_dir(e->store, STORE_ROOT), "volume", action, name, attributes);
}

/* ---- what a container uses ---- */

/* @attributes: of the event of its end, TAKEN; @more: only of its beginning. */
static void enter(struct container_box *b, const char *type, const char *const actions[2],
		  const char *id, json_t *attributes, const json_t *more)
{
	AUTO(json) json_t *first = NULL;
	json_t *use = json_object();

	json_object_set_new(attributes, "container", json_string(b->row.id));
	first = json_deep_copy(attributes);
	json_object_update(first, (json_t *)(uintptr_t)more);
	write_event(store_dir(b->e->store, STORE_ROOT), type, actions[0], id, first);
	json_object_set_new(use, "type", json_string(type));
	json_object_set_new(use, "action", json_string(actions[1]));
	json_object_set_new(use, "id", json_string(id));
	json_object_set_new(use, "attributes", attributes);
	if (!b->uses)
		b->uses = json_array();
	/* it leaves its networks before its volumes */
	json_array_insert_new(b->uses, str_eq(type, "network") ? 0 : json_array_size(b->uses),
			      use);
}

void container_event_connect(struct container_box *b, const char *id, const char *name,
			     const char *driver)
{
	static const char *const actions[2] = {"connect", "disconnect"};

	enter(b, "network", actions, id, network_attributes(name, driver), NULL);
}

void container_event_mounts(struct container_box *b)
{
	static const char *const actions[2] = {"mount", "unmount"};

	for (size_t i = 0; i < b->o->mounts.n; i++) {
		const struct container_mount *m = &b->o->mounts.items[i];
		AUTO(json) json_t *more = NULL;

		if (m->type != CONTAINER_MOUNT_VOLUME)
			continue;
		more = json_object();
		json_put_text(more, "destination", m->destination);
		json_object_set_new(more, "propagation", json_string(""));
		json_object_set_new(more, "read/write",
				    json_string(m->readonly ? "false" : "true"));
		enter(b, "volume", actions, m->source, volume_attributes(), more);
	}
}

void container_event_leave(struct container_box *b, int root, const char *network)
{
	for (size_t i = 0; i < json_array_size(b->uses);) {
		const json_t *use = json_array_get(b->uses, i);
		const json_t *attributes = json_object_get(use, "attributes");

		if (network &&
		    !str_eq(json_string_value(json_object_get(attributes, "name")), network)) {
			i++;
			continue;
		}
		write_event(root, json_string_value(json_object_get(use, "type")),
			    json_string_value(json_object_get(use, "action")),
			    json_string_value(json_object_get(use, "id")), attributes);
		json_array_remove(b->uses, i);
	}
}
