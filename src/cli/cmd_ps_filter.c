/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_ps_filter.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli_upkeep.h"

#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

/* ---- reading ---------------------------------------------------------------------------- */

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (str_eq(word, *list))
			return true;
	return false;
}

static int check_word(const struct ps_filter *f, const char *kind, const char *const *list,
		      struct error *err)
{
	AUTO(buf) struct buf words = BUF_INIT;

	if (is_one_of(f->value, list))
		return 0;
	for (const char *const *w = list; *w; w++)
		buf_printf(&words, "%s%s", w == list ? "" : ", ", *w);
	return error_set(err, ERR_INVALID,
			 "invalid filter '%s=%s': invalid value for %s (%s): must be one of %s",
			 f->key, f->value, kind, f->value, buf_str(&words));
}

/* "80", "80/udp", "8000-8010/tcp" */
static int read_ports(struct ps_filter *f, struct error *err)
{
	const size_t len = strcspn(f->value, "/");
	AUTO(free) char *range = mem_strndup(f->value, len);
	char *dash = strchr(range, '-');
	uint64_t first, last;

	if (dash)
		*dash++ = 0;
	if (!parse_u64(range, 65535, &first) || !parse_u64(dash ? dash : range, 65535, &last))
		return error_set(err, ERR_INVALID,
				 "error while looking up for %s %s: strconv.ParseUint: parsing "
				 "\"%s\": invalid syntax",
				 f->key, f->value, range);
	f->first = (unsigned)first;
	f->last = (unsigned)last;
	snprintf(f->protocol, sizeof(f->protocol), "%.7s",
		 f->value[len] ? f->value + len + 1 : "tcp");
	return 0;
}

static int read_moment(struct engine *e, struct ps_filter *f, struct error *err)
{
	AUTO(store_container) struct store_container c = {0};
	int r = engine_container(e, f->value, &c, err);

	f->created_ns = c.created_ns;
	return r;
}

static void read_ancestor(struct engine *e, struct ps_filter *f)
{
	AUTO(image) struct image i = {.config = IMAGE_CONFIG_INIT};

	f->has_image = engine_image(e, f->value, &i, NULL) == 0;
	f->image = i.row.id;
}

static int read_pattern(struct ps_filter *f)
{
	/* what cannot be read matches itself alone, as in Docker */
	f->is_pattern = regcomp(&f->pattern, f->value, REG_EXTENDED | REG_NOSUB) == 0;
	return 0;
}

static int read_filter(struct engine *e, struct ps_filter *f, struct error *err)
{
	static const char *const states[] = {"created",	 "running", "paused", "restarting",
					     "removing", "exited",  "dead",   NULL},
				 *const healths[] = {"none", "starting", "healthy", "unhealthy",
						     NULL},
				 *const truths[] = {"true", "false", "1", "0", NULL},
				 *const plain[] = {"label", "volume", "network", "isolation",
						   NULL};
	int64_t number;

	if (str_eq(f->key, "id") || str_eq(f->key, "name"))
		return read_pattern(f);
	if (str_eq(f->key, "status"))
		return check_word(f, "state", states, err);
	if (str_eq(f->key, "health"))
		return check_word(f, "health", healths, err);
	if (str_eq(f->key, "publish") || str_eq(f->key, "expose"))
		return read_ports(f, err);
	if (str_eq(f->key, "before") || str_eq(f->key, "since"))
		return read_moment(e, f, err);
	if (str_eq(f->key, "ancestor")) {
		read_ancestor(e, f);
		return 0;
	}
	if (str_eq(f->key, "exited"))
		return parse_i64(f->value, &number)
			       ? 0
			       : error_set(err, ERR_INVALID,
					   "invalid filter 'exited=%s': strconv.Atoi: parsing "
					   "\"%s\": invalid syntax",
					   f->value, f->value);
	if (str_eq(f->key, "is-task"))
		return is_one_of(f->value, truths)
			       ? 0
			       : error_set(err, ERR_INVALID, "invalid filter 'is-task=[%s]'",
					   f->value);
	return is_one_of(f->key, plain)
		       ? 0
		       : error_set(err, ERR_INVALID, "invalid filter '%s'", f->key);
}

int ps_filters_parse(struct engine *e, const struct strlist *texts, struct ps_filters *out,
		     struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < texts->n; i++) {
		struct ps_filter *f = vec_push(out);
		const char *value = NULL;

		if ((r = cli_parse_filter(texts->items[i], &f->key, &value, err)) < 0)
			return r;
		f->value = mem_strdup(value);
		out->all |= str_eq(f->key, "status") || str_eq(f->key, "exited");
		r = read_filter(e, f, err);
	}
	return r;
}

void ps_filters_clear(struct ps_filters *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct ps_filter *one = &f->items[i];

		cli_filter_free(one->key, one->value, one->is_pattern ? &one->pattern : NULL);
	}
	free(f->items);
	*f = (struct ps_filters){0};
}

/* ---- matching --------------------------------------------------------------------------- */

static const json_t *path(const json_t *j, const char *a, const char *b)
{
	return json_object_get(json_object_get(j, a), b);
}

static bool matches_text(const struct ps_filter *f, const char *text)
{
	return str_eq(text, f->value) ||
	       (f->is_pattern && regexec(&f->pattern, text, 0, NULL, 0) == 0);
}

/* With the slash that names have in Docker's API, and without. */
static bool matches_name(const struct ps_filter *f, const char *name)
{
	AUTO(free) char *slashed = mem_printf("/%s", name);

	return matches_text(f, name) || matches_text(f, slashed);
}

static bool has_label(const json_t *document, const char *wanted)
{
	size_t len = strcspn(wanted, "=");
	AUTO(free) char *key = mem_strndup(wanted, len);
	const json_t *value = json_object_get(path(document, "Config", "Labels"), key);

	return value && (!wanted[len] || str_eq(json_string_value(value), wanted + len + 1));
}

static bool has_mount(const json_t *document, const char *wanted)
{
	const json_t *m;
	size_t i;

	json_array_foreach (json_object_get(document, "Mounts"), i, m) {
		const char *name = json_string_value(json_object_get(m, "Name"));

		/* a volume's directory is nobody's name for it */
		if (str_eq(name ? name : json_string_value(json_object_get(m, "Source")),
			   wanted) ||
		    str_eq(json_string_value(json_object_get(m, "Destination")), wanted))
			return true;
	}
	return false;
}

static bool has_network(const json_t *document, const char *wanted)
{
	json_t *all = json_object_get(json_object_get(document, "NetworkSettings"), "Networks");
	const char *name;
	json_t *network;

	json_object_foreach (all, name, network) {
		const char *id = json_string_value(json_object_get(network, "NetworkID"));

		if (str_eq(name, wanted) || (!str_empty(id) && str_starts(id, wanted)))
			return true;
	}
	return false;
}

static bool in_range(const struct ps_filter *f, const char *port, const char *protocol)
{
	const unsigned long number = port ? strtoul(port, NULL, 10) : 0;

	return number >= f->first && number <= f->last && str_eq(protocol, f->protocol);
}

/* "80/tcp" of the container's side, or what it is on the host's. */
static bool has_port(const struct ps_filter *f, const char *port, const json_t *bindings)
{
	const char *slash = strchr(port, '/');
	const json_t *b;
	size_t i;

	if (!slash)
		return false;
	if (str_eq(f->key, "expose"))
		return in_range(f, port, slash + 1);
	json_array_foreach (bindings, i, b)
		if (in_range(f, json_string_value(json_object_get(b, "HostPort")), slash + 1))
			return true;
	return false;
}

/* As Docker: of containers that run. */
static bool matches_port(const struct ps_filter *f, const struct store_container *c,
			 json_t *document)
{
	json_t *const lists[] = {
		json_object_get(json_object_get(document, "NetworkSettings"), "Ports"),
		json_object_get(json_object_get(document, "Config"), "ExposedPorts")};
	const char *port;
	json_t *value;

	if (!str_eq(c->state, "running") && !str_eq(c->state, "paused"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		json_object_foreach (lists[i], port, value)
			if (has_port(f, port, value))
				return true;
	return false;
}

static bool matches_health(const struct ps_filter *f, const json_t *document)
{
	const char *health =
		json_string_value(json_object_get(path(document, "State", "Health"), "Status"));

	return str_eq(f->value, health ? health : "none");
}

static bool matches_more(const struct ps_filter *f, const struct store_container *c,
			 const json_t *document)
{
	if (str_eq(f->key, "volume"))
		return has_mount(document, f->value);
	if (str_eq(f->key, "network"))
		return has_network(document, f->value);
	if (str_eq(f->key, "publish") || str_eq(f->key, "expose"))
		return matches_port(f, c, (json_t *)(uintptr_t)document);
	if (str_eq(f->key, "is-task")) /* of a swarm */
		return str_eq(f->value, "false") || str_eq(f->value, "0");
	if (str_eq(f->key, "isolation"))
		return str_eq(f->value, "default");
	if (str_eq(f->key, "ancestor"))
		return str_eq(c->image_name, f->value) ||
		       (f->has_image && digest_eq(&c->image, &f->image));
	return false;
}

static bool matches(const struct ps_filter *f, const struct store_container *c,
		    const json_t *document)
{
	int64_t code;

	if (str_eq(f->key, "id"))
		return matches_text(f, c->id);
	if (str_eq(f->key, "name"))
		return matches_name(f, c->name);
	if (str_eq(f->key, "status"))
		return str_eq(c->state, f->value);
	if (str_eq(f->key, "label"))
		return has_label(document, f->value);
	if (str_eq(f->key, "health"))
		return matches_health(f, document);
	if (str_eq(f->key, "exited"))
		return str_eq(c->state, "exited") && parse_i64(f->value, &code) &&
		       code == c->exit_code;
	if (str_eq(f->key, "before"))
		return c->created_ns < f->created_ns;
	if (str_eq(f->key, "since"))
		return c->created_ns > f->created_ns;
	return matches_more(f, c, document);
}

bool ps_filters_match(const struct ps_filters *f, const struct store_container *c,
		      const json_t *document)
{
	for (size_t i = 0; i < f->n; i++) {
		bool met = false;

		for (size_t k = 0; !met && k < f->n; k++) {
			/* labels are not alternatives */
			if (str_eq(f->items[i].key, f->items[k].key) &&
			    (!str_eq(f->items[i].key, "label") || k == i))
				met = matches(&f->items[k], c, document);
		}
		if (!met)
			return false;
	}
	return true;
}
