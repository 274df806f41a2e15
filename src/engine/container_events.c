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

void container_event_at(int root, const char *id, json_t *attributes, const char *action,
			const char *key, const char *value)
{
	AUTO(json) json_t *all = json_deep_copy(attributes);
	AUTO(json) json_t *j = json_object();
	AUTO(buf) struct buf line = BUF_INIT;
	AUTO(fd)
	int fd = openat(root, "events", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	const int64_t now = clock_now_ns();
	json_t *actor = json_object();
	struct stat st;

	if (key)
		json_put_text(all, key, value);
	json_put_text(j, "status", action);
	json_object_set_new(j, "id", json_string(id));
	json_object_set(j, "from", json_object_get(all, "image"));
	json_object_set_new(j, "Type", json_string("container"));
	json_put_text(j, "Action", action);
	json_object_set_new(actor, "ID", json_string(id));
	json_object_set(actor, "Attributes", all);
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

void container_event(struct engine *e, const struct store_container *c, const char *action,
		     const char *key, const char *value)
{
	AUTO(json) json_t *attributes = container_event_attributes(c);

	container_event_at(store_dir(e->store, STORE_ROOT), c->id, attributes, action, key,
			   value);
}
