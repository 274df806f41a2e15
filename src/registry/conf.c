/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry_conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/root.h"
#include "base/strlist.h"
#include "base/toml.h"

#include "base/banned.h"

#define SYSTEM_DIR "/etc/containers"
#define DAEMON	   "/etc/docker/daemon.json"
#define NAME	   "registries.conf"

/* All [[registry]] of all files. */
struct conf {
	json_t *registries; /* objects, each with "file" and "prefix" */
	json_t *daemon;	    /* NULL: none */
};

static void conf_auto(struct conf *c)
{
	json_decref(c->registries);
	json_decref(c->daemon);
}

/* ---- reading ---- */

static const char *text_of(const json_t *j, const char *key)
{
	const char *text = json_string_value(json_object_get(j, key));

	return str_empty(text) ? NULL : text;
}

static bool is_set(const json_t *j, const char *key)
{
	return json_is_true(json_object_get(j, key));
}

static int check_type(const json_t *j, const char *key, json_type type, const char *words,
		      struct error *err)
{
	const json_t *value = json_object_get(j, key);

	if (!value || json_typeof(value) == type ||
	    (type == JSON_TRUE && json_is_boolean(value)))
		return 0;
	return error_set(err, ERR_INVALID, "%s is not %s", key, words);
}

/* One that could never match would not block what it is there to block. */
static int check_name(json_t *j, const char *key, struct error *err)
{
	const char *text = text_of(j, key);
	size_t n = text ? strlen(text) : 0;
	int r = check_type(j, key, JSON_STRING, "a string", err);

	if (r < 0 || !n)
		return r;
	if (strstr(text, "://"))
		return error_set(err, ERR_INVALID, "%s %s: a place is named without https://",
				 key, text);
	while (n && text[n - 1] == '/')
		n--;
	json_object_set_new(j, key, json_stringn(text, n));
	text = json_string_value(json_object_get(j, key));
	return !strchr(text, '*') ||
			       (str_starts(text, "*.") && !text[2 + strcspn(text + 2, "*/:")])
		       ? 0
		       : error_set(err, ERR_INVALID,
				   "%s %s: a wildcard is of the form *.example.com", key, text);
}

static int check_place(json_t *j, struct error *err)
{
	const char *when;
	int r;

	if (!json_is_object(j))
		return error_set(err, ERR_INVALID, "a registry or mirror is no table");
	if ((r = check_name(j, "location", err)) < 0 ||
	    (r = check_type(j, "insecure", JSON_TRUE, "true or false", err)) < 0 ||
	    (r = check_type(j, "pull-from-mirror", JSON_STRING, "a string", err)) < 0)
		return r;
	when = text_of(j, "pull-from-mirror");
	return !when || str_eq(when, "all") || str_eq(when, "digest-only") ||
			       str_eq(when, "tag-only")
		       ? 0
		       : error_set(err, ERR_INVALID,
				   "pull-from-mirror is not all, digest-only or tag-only");
}

static int check_registry(json_t *j, struct error *err)
{
	json_t *mirror;
	size_t i;
	int r = check_place(j, err);

	if (r < 0 || (r = check_name(j, "prefix", err)) < 0 ||
	    (r = check_type(j, "blocked", JSON_TRUE, "true or false", err)) < 0 ||
	    (r = check_type(j, "mirror-by-digest-only", JSON_TRUE, "true or false", err)) < 0 ||
	    (r = check_type(j, "mirror", JSON_ARRAY, "a list of tables", err)) < 0)
		return r;
	if (!text_of(j, "prefix") && !text_of(j, "location"))
		return error_set(err, ERR_INVALID,
				 "a registry has neither a prefix nor a location");
	json_array_foreach (json_object_get(j, "mirror"), i, mirror) {
		if ((r = check_place(mirror, err)) < 0)
			return r;
		if (!text_of(mirror, "location"))
			return error_set(err, ERR_INVALID, "a mirror has no location");
	}
	return 0;
}

/* In place of an earlier one with its prefix. */
static void add_registry(struct conf *c, json_t *registry, const char *file)
{
	const char *prefix = text_of(registry, "prefix");
	json_t *old;
	size_t i;

	if (!prefix)
		prefix = text_of(registry, "location");
	json_object_set_new(registry, "prefix", json_string(prefix));
	json_object_set_new(registry, "file", json_string(file));
	prefix = text_of(registry, "prefix");
	json_array_foreach (c->registries, i, old)
		if (str_eq(text_of(old, "prefix"), prefix)) {
			json_array_set(c->registries, i, registry);
			return;
		}
	json_array_append(c->registries, registry);
}

static int take_document(struct conf *c, const json_t *doc, const char *file, struct error *err)
{
	json_t *all = json_object_get(doc, "registry"), *one;
	size_t i;
	int r = 0;

	if (all && !json_is_array(all))
		return error_set(err, ERR_INVALID,
				 "registry is no list of tables: [[registry]]");
	if (json_is_object(json_object_get(doc, "registries")))
		return error_set(err, ERR_UNSUPPORTED,
				 "version 1 of this file, with [registries], is not supported");
	json_array_foreach (all, i, one) {
		if ((r = check_registry(one, err)) < 0)
			break;
		add_registry(c, one, file);
	}
	return r;
}

/* *out_found (may be NULL) false: there is no such file. */
static int read_toml(struct conf *c, const char *path, bool *out_found, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(json) json_t *doc = NULL;
	int r = io_read_file(AT_FDCWD, path, LIMIT_CONF_BYTES, &text, err);

	if (out_found)
		*out_found = r != -ERR_NOT_FOUND;
	if (r == -ERR_NOT_FOUND) {
		error_clear(err);
		return 0;
	}
	if (r == 0)
		r = toml_parse(text.data, text.len, &doc, err);
	if (r == 0)
		r = take_document(c, doc, path, err);
	return r < 0 ? error_wrap(err, "%s", path) : 0;
}

/* DIR/registries.conf.d/ *.conf, in the order of their names. */
static int read_parts(struct conf *c, const char *dir, struct error *err)
{
	AUTO(free) char *path = mem_printf("%s/" NAME ".d", dir);
	AUTO(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dir_list) struct dir_list list = {0};
	int r;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : error_sys(err, "%s", path);
	if ((r = dir_list_read(fd, &list, err)) < 0)
		return error_wrap(err, "%s", path);
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		AUTO(free) char *file = mem_printf("%s/%s", path, list.items[i].name);

		if (str_ends(file, ".conf"))
			r = read_toml(c, file, NULL, err);
	}
	return r;
}

static int read_registries(struct conf *c, struct error *err)
{
	const char *own = getenv("CONTAINERS_REGISTRIES_CONF"), *home = getenv("HOME");
	AUTO(free) char *user = home ? mem_printf("%s/.config/containers", home) : NULL;
	AUTO(free) char *file = user ? mem_printf("%s/" NAME, user) : NULL;
	bool found = false, users = false;
	int r = 0;

	if (!str_empty(own)) {
		r = read_toml(c, own, &found, err);
		if (r == 0 && !found)
			r = error_set(err, ERR_INVALID, "%s does not exist", own);
	} else {
		if (file)
			r = read_toml(c, file, &users, err);
		if (r == 0 && !users)
			r = read_toml(c, SYSTEM_DIR "/" NAME, NULL, err);
	}
	if (r == 0 && !users)
		r = read_parts(c, SYSTEM_DIR, err);
	return r == 0 && user ? read_parts(c, user, err) : r;
}

/* Docker's own: what is not as it should be there, its daemon will say. */
static void read_daemon(struct conf *c)
{
	AUTO(buf) struct buf text = BUF_INIT;

	if (io_read_file(AT_FDCWD, DAEMON, LIMIT_CONF_BYTES, &text, NULL) == 0)
		json_parse(text.data, text.len, &c->daemon, NULL);
}

static int read_all(struct conf *c, struct error *err)
{
	c->registries = json_array();
	read_daemon(c);
	return read_registries(c, err);
}

/* ---- which one ---- */

/* How many bytes of @name the prefix covers; 0: it is about something else. */
static size_t covers(const char *prefix, const char *name)
{
	size_t host = strcspn(name, "/:"), n = strlen(prefix);

	if (str_starts(prefix, "*.")) {
		/* any host below, with any port */
		if (host < n || strncmp(name + host - (n - 1), prefix + 1, n - 1) != 0)
			return 0;
		return host;
	}
	return strncmp(prefix, name, n) == 0 && (!name[n] || strchr("/:@", name[n])) ? n : 0;
}

/* The one with the longest prefix. */
static const json_t *find(const struct conf *c, const char *name, size_t *out_covered)
{
	const json_t *one, *best = NULL;
	size_t i, most = 0;

	*out_covered = 0;
	json_array_foreach (c->registries, i, one) {
		const char *prefix = text_of(one, "prefix");
		size_t covered = covers(prefix, name);

		if (covered && strlen(prefix) > most) {
			most = strlen(prefix);
			*out_covered = covered;
			best = one;
		}
	}
	return best;
}

/* "10.0.0.0/8" and the like against a host that is an address. */
static bool in_subnet(const char *subnet, const char *domain)
{
	AUTO(free) char *host = mem_strndup(domain, strcspn(domain, ":"));
	AUTO(free) char *net = mem_strndup(subnet, strcspn(subnet, "/"));
	struct in_addr a, b;
	uint64_t bits;

	if (!subnet[strlen(net)] || !parse_u64(subnet + strlen(net) + 1, 32, &bits) ||
	    inet_pton(AF_INET, host, &a) != 1 || inet_pton(AF_INET, net, &b) != 1)
		return false;
	return !bits || (ntohl(a.s_addr) ^ ntohl(b.s_addr)) >> (32 - bits) == 0;
}

static bool daemon_insecure(const struct conf *c, const char *domain)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(c->daemon, "insecure-registries"), i, one) {
		const char *text = json_string_value(one);

		if (text && (str_eq(text, domain) || in_subnet(text, domain)))
			return true;
	}
	return false;
}

/* ---- routes ---- */

static void add_route(struct registry_routes *out, const char *domain, const char *path,
		      bool insecure)
{
	*vec_push(out) =
		(struct registry_route){mem_strdup(domain), mem_strdup(path), insecure};
}

/* The place, with its location instead of what the prefix covers of the name. */
static int add_place(const struct conf *c, const json_t *place, const struct reference *ref,
		     size_t covered, struct registry_routes *out, struct error *err)
{
	const char *location = text_of(place, "location");
	bool insecure = is_set(place, "insecure");
	AUTO(free) char *own = mem_printf("%s/%s", ref->domain, ref->path);
	AUTO(free) char *moved = NULL;
	AUTO(reference) struct reference at = REFERENCE_INIT;
	int r;

	if (!location) {
		add_route(out, ref->domain, ref->path,
			  insecure || daemon_insecure(c, ref->domain));
		return 0;
	}
	/* a prefix may cover the tag, too */
	if (covered > strlen(own))
		covered = strlen(own);
	moved = mem_printf("%s%s", location, own + covered);
	if ((r = reference_parse(moved, &at, err)) < 0)
		return error_wrap(err, "location %s", location);
	add_route(out, at.domain, at.path, insecure || daemon_insecure(c, at.domain));
	return 0;
}

static bool is_wanted(const json_t *registry, const json_t *mirror, bool by_digest)
{
	const char *when = text_of(mirror, "pull-from-mirror");

	if (is_set(registry, "mirror-by-digest-only") || str_eq(when, "digest-only"))
		return by_digest;
	return !str_eq(when, "tag-only") || !by_digest;
}

/* Docker's mirrors are of docker.io alone. */
static void add_daemon_mirrors(const struct conf *c, const struct reference *ref,
			       struct registry_routes *out)
{
	const json_t *one;
	size_t i;

	if (!str_eq(ref->domain, REFERENCE_DEFAULT_DOMAIN))
		return;
	json_array_foreach (json_object_get(c->daemon, "registry-mirrors"), i, one) {
		const char *url = json_string_value(one),
			   *host = url ? strstr(url, "://") : NULL;
		AUTO(free) char *domain = NULL;

		if (!host)
			continue;
		domain = mem_strndup(host + 3, strcspn(host + 3, "/"));
		add_route(out, domain, ref->path,
			  str_starts(url, "http:") || daemon_insecure(c, domain));
	}
}

static int add_mirrors(const struct conf *c, const json_t *registry,
		       const struct reference *ref, size_t covered, struct registry_routes *out,
		       struct error *err)
{
	const json_t *mirror;
	size_t i;
	int r = 0;

	if (!registry)
		add_daemon_mirrors(c, ref, out);
	json_array_foreach (json_object_get(registry, "mirror"), i, mirror)
		if (r == 0 && is_wanted(registry, mirror, ref->has_digest))
			r = add_place(c, mirror, ref, covered, out, err);
	return r;
}

int registry_routes_find(const struct reference *ref, bool mirrors, struct registry_routes *out,
			 struct error *err)
{
	AUTO(conf) struct conf c = {0};
	AUTO(buf) struct buf name = BUF_INIT;
	const json_t *registry;
	size_t covered;
	int r = read_all(&c, err);

	if (r < 0)
		return r;
	reference_normal(ref, &name);
	registry = find(&c, buf_str(&name), &covered);
	if (is_set(registry, "blocked"))
		return error_set(err, ERR_DENIED, "registry %s is blocked by %s", ref->domain,
				 text_of(registry, "file"));
	if (mirrors && (r = add_mirrors(&c, registry, ref, covered, out, err)) < 0)
		return r;
	return add_place(&c, registry, ref, covered, out, err);
}

int registry_conf_insecure(const char *domain, bool *out, struct error *err)
{
	AUTO(conf) struct conf c = {0};
	const json_t *registry;
	size_t covered;
	int r = read_all(&c, err);

	if (r < 0)
		return r;
	registry = find(&c, domain, &covered);
	if (is_set(registry, "blocked"))
		return error_set(err, ERR_DENIED, "registry %s is blocked by %s", domain,
				 text_of(registry, "file"));
	*out = is_set(registry, "insecure") || daemon_insecure(&c, domain);
	return 0;
}

void registry_routes_clear(struct registry_routes *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->items[i].domain);
		free(r->items[i].path);
	}
	free(r->items);
	*r = (struct registry_routes){0};
}
