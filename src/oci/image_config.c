/* SPDX-License-Identifier: Apache-2.0 */
/* The image config as a value, and its text: image-spec config.md, Docker image spec v1.3. */
#include "oci/oci.h"

#include <string.h>

#include "oci/oci_json.h"

#include "base/mem.h"
#include "base/banned.h"

void image_config_label(struct image_config *cfg, const char *key, const char *value)
{
	map_set(&cfg->labels, key, mem_strdup(value));
}

void image_config_add_set(struct strlist *set, const char *member)
{
	if (strlist_find(set, member) < 0)
		strlist_add(set, member);
}

struct history *image_config_add_history(struct image_config *cfg)
{
	return vec_push(&cfg->history);
}

void image_config_add_diff_id(struct image_config *cfg, const struct digest *diff_id)
{
	*vec_push(&cfg->diff_ids) = *diff_id;
}

void chain_id_of(const struct digest *diff_ids, size_t n, struct digest *out)
{
	char text[DIGEST_TEXT_SIZE * 2];
	char one[DIGEST_TEXT_SIZE];

	*out = diff_ids[0];
	for (size_t i = 1; i < n; i++) {
		const size_t width = DIGEST_TEXT_SIZE - 1;

		memcpy(text, digest_text(out, one), width);
		text[width] = ' ';
		memcpy(text + width + 1, digest_text(&diff_ids[i], one), width);
		digest_of(text, 2 * width + 1, out);
	}
}

static void write_healthcheck(struct json_writer *w, const struct image_healthcheck *h)
{
	if (!h->present)
		return;
	json_write_key(w, "Healthcheck");
	json_write_open(w, '{');
	json_member_strings_opt(w, "Test", &h->test);
	json_member_i64_opt(w, "Interval", h->interval);
	json_member_i64_opt(w, "Timeout", h->timeout);
	json_member_i64_opt(w, "StartPeriod", h->start_period);
	json_member_i64_opt(w, "StartInterval", h->start_interval);
	json_member_i64_opt(w, "Retries", h->retries);
	json_write_close(w, '}');
}

static void write_config(struct json_writer *w, const struct image_config *c)
{
	json_write_open(w, '{');
	json_member_opt(w, "Hostname", c->hostname);
	json_member_opt(w, "Domainname", c->domainname);
	json_member_opt(w, "User", c->user);
	json_member_set_opt(w, "ExposedPorts", &c->exposed_ports);
	json_member_strings_opt(w, "Env", &c->env);
	json_member_strings_opt(w, "Entrypoint", &c->entrypoint);
	json_member_strings_opt(w, "Cmd", &c->cmd);
	json_member_set_opt(w, "Volumes", &c->volumes);
	json_member_opt(w, "WorkingDir", c->working_dir);
	json_member_map_opt(w, "Labels", &c->labels);
	json_member_opt(w, "StopSignal", c->stop_signal);
	json_member_true_opt(w, "ArgsEscaped", c->args_escaped);
	write_healthcheck(w, &c->healthcheck);
	json_member_strings_opt(w, "OnBuild", &c->on_build);
	json_member_strings_opt(w, "Shell", &c->shell);
	json_write_close(w, '}');
}

static void write_history(struct json_writer *w, const struct history_list *l)
{
	if (!l->n)
		return;
	json_write_key(w, "history");
	json_write_open(w, '[');
	for (size_t i = 0; i < l->n; i++) {
		const struct history *h = &l->items[i];

		json_write_open(w, '{');
		if (h->has_created)
			json_member_time(w, "created", h->created);
		json_member_opt(w, "created_by", h->created_by);
		json_member_opt(w, "author", h->author);
		json_member_opt(w, "comment", h->comment);
		json_member_true_opt(w, "empty_layer", h->empty_layer);
		json_write_close(w, '}');
	}
	json_write_close(w, ']');
}

static void write_rootfs(struct json_writer *w, const struct digest_list *l)
{
	char text[DIGEST_TEXT_SIZE];

	json_write_key(w, "rootfs");
	json_write_open(w, '{');
	json_member_string(w, "type", "layers");
	json_write_key(w, "diff_ids");
	json_write_open(w, '[');
	for (size_t i = 0; i < l->n; i++)
		json_write_string(w, digest_text(&l->items[i], text));
	json_write_close(w, ']');
	json_write_close(w, '}');
}

void image_config_encode(const struct image_config *cfg, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out);
	const struct platform *p = &cfg->platform;

	json_write_open(&w, '{');
	json_member_string(&w, "architecture", p->architecture ? p->architecture : "");
	json_member_opt(&w, "author", cfg->author);
	json_write_key(&w, "config");
	write_config(&w, cfg);
	if (cfg->has_created)
		json_member_time(&w, "created", cfg->created);
	write_history(&w, &cfg->history);
	json_member_opt(&w, "moby.buildkit.cache.v0", cfg->build_cache);
	json_member_string(&w, "os", p->os ? p->os : "");
	json_member_opt(&w, "os.version", p->os_version);
	write_rootfs(&w, &cfg->diff_ids);
	json_member_opt(&w, "variant", p->variant);
	json_write_close(&w, '}');
}

static json_t *strings_or_null(const struct strlist *l)
{
	return l->n ? json_from_strings(l) : json_null();
}

static json_t *set_or_null(const struct strlist *l)
{
	AUTO(strlist) struct strlist sorted = STRLIST_INIT;
	json_t *set;

	if (!l->n)
		return json_null();
	strlist_addall(&sorted, l);
	strlist_sort(&sorted);
	set = json_object();
	for (size_t i = 0; i < sorted.n; i++)
		json_object_set_new(set, sorted.items[i], json_object());
	return set;
}

static json_t *labels_or_null(const struct map *labels)
{
	AUTO(strlist) struct strlist names = STRLIST_INIT;
	json_t *set;

	map_each (labels, e)
		strlist_add(&names, e->key);
	if (!names.n)
		return json_null();
	strlist_sort(&names);
	set = json_object();
	for (size_t i = 0; i < names.n; i++)
		json_object_set_new(set, names.items[i],
				    json_string(map_get(labels, names.items[i])));
	return set;
}

static json_t *healthcheck_json(const struct image_healthcheck *h)
{
	const struct {
		const char *key;
		int64_t value;
	} numbers[] = {{"Interval", h->interval},
		       {"Retries", h->retries},
		       {"StartInterval", h->start_interval},
		       {"StartPeriod", h->start_period}};
	json_t *j = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i].value)
			json_object_set_new(j, numbers[i].key, json_integer(numbers[i].value));
	if (h->test.n)
		json_object_set_new(j, "Test", json_from_strings(&h->test));
	if (h->timeout)
		json_object_set_new(j, "Timeout", json_integer(h->timeout));
	return j;
}

json_t *image_config_inspect(const struct image_config *cfg)
{
	json_t *j = json_object();

	if (cfg->args_escaped)
		json_object_set_new(j, "ArgsEscaped", json_true());
	json_object_set_new(j, "Cmd", strings_or_null(&cfg->cmd));
	if (!str_empty(cfg->domainname))
		json_object_set_new(j, "Domainname", json_string(cfg->domainname));
	json_object_set_new(j, "Entrypoint", strings_or_null(&cfg->entrypoint));
	json_object_set_new(j, "Env", strings_or_null(&cfg->env));
	if (cfg->exposed_ports.n)
		json_object_set_new(j, "ExposedPorts", set_or_null(&cfg->exposed_ports));
	if (cfg->healthcheck.present)
		json_object_set_new(j, "Healthcheck", healthcheck_json(&cfg->healthcheck));
	if (!str_empty(cfg->hostname))
		json_object_set_new(j, "Hostname", json_string(cfg->hostname));
	json_object_set_new(j, "Labels", labels_or_null(&cfg->labels));
	json_object_set_new(j, "OnBuild", strings_or_null(&cfg->on_build));
	if (cfg->shell.n)
		json_object_set_new(j, "Shell", json_from_strings(&cfg->shell));
	if (!str_empty(cfg->stop_signal))
		json_object_set_new(j, "StopSignal", json_string(cfg->stop_signal));
	json_object_set_new(j, "User", json_string(cfg->user ? cfg->user : ""));
	json_object_set_new(j, "Volumes", set_or_null(&cfg->volumes));
	json_object_set_new(j, "WorkingDir",
			    json_string(cfg->working_dir ? cfg->working_dir : ""));
	return j;
}

static void copy_healthcheck(const struct image_healthcheck *from, struct image_healthcheck *to)
{
	struct strlist test = STRLIST_INIT;

	strlist_addall(&test, &from->test);
	*to = *from;
	to->test = test;
}

static void copy_lists(const struct image_config *from, struct image_config *to)
{
	const struct {
		const struct strlist *from;
		struct strlist *to;
	} lists[] = {
		{&from->exposed_ports, &to->exposed_ports},
		{&from->volumes, &to->volumes},
		{&from->env, &to->env},
		{&from->entrypoint, &to->entrypoint},
		{&from->cmd, &to->cmd},
		{&from->on_build, &to->on_build},
		{&from->shell, &to->shell},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		strlist_addall(lists[i].to, lists[i].from);
}

void image_config_copy(const struct image_config *from, struct image_config *to)
{
	*to = IMAGE_CONFIG_INIT;
	to->created = from->created;
	to->has_created = from->has_created;
	to->author = dup_or_null(from->author);
	platform_copy(&from->platform, &to->platform);
	to->hostname = dup_or_null(from->hostname);
	to->domainname = dup_or_null(from->domainname);
	to->user = dup_or_null(from->user);
	to->working_dir = dup_or_null(from->working_dir);
	to->stop_signal = dup_or_null(from->stop_signal);
	copy_lists(from, to);
	to->has_entrypoint = from->has_entrypoint;
	to->has_cmd = from->has_cmd;
	map_copy_strings(&from->labels, &to->labels);
	copy_healthcheck(&from->healthcheck, &to->healthcheck);
	to->args_escaped = from->args_escaped;
	for (size_t i = 0; i < from->diff_ids.n; i++)
		image_config_add_diff_id(to, &from->diff_ids.items[i]);
	for (size_t i = 0; i < from->history.n; i++) {
		struct history *h = image_config_add_history(to);

		*h = from->history.items[i];
		h->created_by = dup_or_null(h->created_by);
		h->author = dup_or_null(h->author);
		h->comment = dup_or_null(h->comment);
	}
}

void image_config_clear(struct image_config *cfg)
{
	free(cfg->author);
	platform_clear(&cfg->platform);
	free(cfg->hostname);
	free(cfg->domainname);
	free(cfg->user);
	free(cfg->working_dir);
	free(cfg->stop_signal);
	free(cfg->build_cache);
	strlist_clear(&cfg->exposed_ports);
	strlist_clear(&cfg->volumes);
	strlist_clear(&cfg->env);
	strlist_clear(&cfg->entrypoint);
	strlist_clear(&cfg->cmd);
	strlist_clear(&cfg->on_build);
	strlist_clear(&cfg->shell);
	map_clear(&cfg->labels);
	strlist_clear(&cfg->healthcheck.test);
	free(cfg->diff_ids.items);
	for (size_t i = 0; i < cfg->history.n; i++) {
		free(cfg->history.items[i].created_by);
		free(cfg->history.items[i].author);
		free(cfg->history.items[i].comment);
	}
	free(cfg->history.items);
	*cfg = IMAGE_CONFIG_INIT;
}
