/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at containers and removing them. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/root.h"
#include "engine/engine_private.h"

#include "base/banned.h"

int engine_containers(struct engine *e, struct store_container_list *out, struct error *err)
{
	return store_container_list(e->store, out, err);
}

static bool matches(const struct store_container *c, const char *text)
{
	const char *name = *text == '/' ? text + 1 : text;

	return str_eq(c->name, name) || str_eq(c->id, text);
}

int engine_container(struct engine *e, const char *text, struct store_container *out,
		     struct error *err)
{
	AUTO(store_container_list) struct store_container_list list = {0};
	struct store_container *found = NULL;
	unsigned prefixes = 0;
	int r = store_container_list(e->store, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		if (matches(&list.items[i], text)) {
			found = &list.items[i];
			prefixes = 1;
			break;
		}
		if (*text && str_starts(list.items[i].id, text)) {
			found = &list.items[i];
			prefixes++;
		}
	}
	if (r < 0)
		return r;
	if (prefixes > 1)
		return error_set(err, ERR_CONFLICT,
				 "multiple IDs found with provided prefix: %s", text);
	if (!found)
		return error_set(err, ERR_NOT_FOUND, "No such container: %s", text);
	*out = *found;
	*found = (struct store_container){0};
	return 0;
}

int engine_rm(struct engine *e, const char *text, bool force, struct error *err)
{
	struct store_container c = {0};
	int r = engine_container(e, text, &c, err);

	if (r < 0)
		return r;
	if (str_eq(c.state, "running") && !force) {
		r = error_set(err, ERR_CONFLICT,
			      "cannot remove container \"/%s\": container is running: stop the "
			      "container before removing or force remove",
			      c.name);
	} else {
		/* its foreground command ends it, and then removes what is left */
		if (str_eq(c.state, "running") && c.pid > 0)
			kill((pid_t)c.pid, SIGKILL);
		r = store_container_remove(e->store, c.id, err);
		if (r == 0)
			r = root_remove(store_dir(e->store, STORE_CONTAINERS), c.id, err);
	}
	store_container_clear(&c);
	return r;
}

static json_t *time_text(int64_t ns)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (ns)
		clock_format(ns, &text);
	else
		buf_addstr(&text, "0001-01-01T00:00:00Z");
	return json_string(buf_str(&text));
}

static json_t *state_of(const struct store_container *c)
{
	bool running = str_eq(c->state, "running");
	json_t *j = json_object();

	json_object_set_new(j, "Status", json_string(c->state));
	json_object_set_new(j, "Running", json_boolean(running));
	json_object_set_new(j, "Paused", json_false());
	json_object_set_new(j, "Restarting", json_false());
	json_object_set_new(j, "OOMKilled", json_false());
	json_object_set_new(j, "Dead", json_false());
	json_object_set_new(j, "Pid", json_integer(running ? c->pid : 0));
	json_object_set_new(j, "ExitCode", json_integer(c->exit_code));
	json_object_set_new(j, "Error", json_string(""));
	json_object_set_new(j, "StartedAt", time_text(c->started_ns));
	json_object_set_new(j, "FinishedAt", time_text(c->finished_ns));
	return j;
}

json_t *engine_inspect_container(struct engine *e, const struct store_container *c)
{
	char text[DIGEST_TEXT_SIZE];
	json_t *j = json_object(), *options = NULL, *args, *config = json_object();
	AUTO(free) char *name = mem_printf("/%s", c->name);

	(void)e;
	if (json_parse(c->config, strlen(c->config), &options, NULL) < 0)
		options = json_object();
	args = json_object_get(options, "args");
	json_object_set_new(j, "Id", json_string(c->id));
	json_object_set_new(j, "Created", time_text(c->created_ns));
	if (json_array_size(args))
		json_object_set(j, "Path", json_array_get(args, 0));
	json_object_set_new(j, "Args", json_array());
	for (size_t i = 1; i < json_array_size(args); i++)
		json_array_append(json_object_get(j, "Args"), json_array_get(args, i));
	json_object_set_new(j, "State", state_of(c));
	json_object_set_new(j, "Image", json_string(digest_text(&c->image, text)));
	json_object_set_new(j, "Name", json_string(name));
	json_object_set_new(config, "Image", json_string(c->image_name));
	if (json_object_get(options, "labels"))
		json_object_set(config, "Labels", json_object_get(options, "labels"));
	json_object_set_new(j, "Config", config);
	json_decref(options);
	return j;
}
