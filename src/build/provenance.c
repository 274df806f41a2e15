/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an image comes from, as a SLSA v0.2 predicate
 * (https://slsa.dev/spec/v0.2/provenance), made of the record of its build: what
 * really went in, not what was asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "build/explain.h"
#include "image/image.h"

#include "base/banned.h"

#define BUILD_TYPE "urn:stave:build:dockerfile:1"

static json_t *time_text(int64_t ns)
{
	AUTO(buf) struct buf text = BUF_INIT;

	clock_format(ns, &text);
	return json_string(buf_str(&text));
}

/* "sha256:HEX" as a SLSA DigestSet. */
static json_t *digest_set(const char *text)
{
	const char *hex = strchr(text, ':');
	json_t *j = json_object();
	AUTO(free) char *kind = hex ? mem_strndup(text, (size_t)(hex - text)) : NULL;

	if (hex)
		json_object_set_new(j, kind, json_string(hex + 1));
	return j;
}

static void add_material(json_t *list, const char *uri, const char *digest)
{
	json_t *m = json_object();

	json_object_set_new(m, "uri", json_string(uri));
	json_object_set_new(m, "digest", digest_set(digest));
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), m)) {
			json_decref(m);
			return;
		}
	json_array_append_new(list, m);
}

/* "FROM busybox" names it as the user did. */
static void image_material(const json_t *step, const char *platform, json_t *list)
{
	AUTO(platform) struct platform p = PLATFORM_INIT;
	AUTO(buf) struct buf uri = BUF_INIT;
	const char *text = field(step, "text"), *name = text ? strrchr(text, ' ') : NULL;

	if (!name || platform_parse(platform ? platform : "", &p, NULL) < 0)
		platform_host(&p);
	image_purl(name ? name + 1 : "scratch", &p, &uri);
	if (field(step, "image"))
		add_material(list, buf_str(&uri), field(step, "image"));
}

/* Stages and contexts are no materials: what they are made of is, or the user's own. */
static bool is_remote(const char *source)
{
	return str_starts(source, "http://") || str_starts(source, "https://") ||
	       str_starts(source, "git://") || str_starts(source, "ssh://") ||
	       str_starts(source, "git@");
}

static json_t *materials(const json_t *record)
{
	json_t *list = json_array();
	const json_t *step, *digest;
	const char *source;
	size_t i;

	json_array_foreach (json_object_get(record, "steps"), i, step) {
		json_t *sources = json_object_get(json_object_get(step, "inputs"), "sources");

		if (str_eq(field(step, "kind"), "image"))
			image_material(step, field(record, "platform"), list);
		json_object_foreach (sources, source, digest)
			if (is_remote(source) && json_string_value(digest))
				add_material(list, source, json_string_value(digest));
	}
	return list;
}

static json_t *invocation(const json_t *record)
{
	json_t *j = json_object(), *source = json_object(), *parameters = json_object(),
	       *locals = json_array(), *environment = json_object();
	static const char *const names[] = {"context", "dockerfile"};
	const char *file = field(record, "dockerfile");

	json_object_set_new(source, "entryPoint", json_string(file ? file : "Dockerfile"));
	json_object_set_new(j, "configSource", source);
	json_object_set_new(parameters, "frontend", json_string("dockerfile.v0"));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *local = json_object();

		json_object_set_new(local, "name", json_string(names[i]));
		json_array_append_new(locals, local);
	}
	json_object_set_new(parameters, "locals", locals);
	json_object_set_new(j, "parameters", parameters);
	json_object_set(environment, "platform", json_object_get(record, "platform"));
	json_object_set_new(j, "environment", environment);
	return j;
}

/* mode=max: every step, with the digests of all that its result depends on. */
static json_t *steps(const json_t *record)
{
	static const char *const kept[] = {"kind", "label", "text",   "line",
					   "key",  "layer", "parent", "inputs"};
	json_t *j = json_object(), *list = json_array();
	const json_t *step;
	size_t i;

	json_array_foreach (json_object_get(record, "steps"), i, step) {
		json_t *one = json_object();

		for (size_t k = 0; k < ARRAY_SIZE(kept); k++)
			json_object_set(one, kept[k], json_object_get(step, kept[k]));
		json_array_append_new(list, one);
	}
	json_object_set_new(j, "steps", list);
	return j;
}

static json_t *metadata(const json_t *record, enum build_provenance mode)
{
	json_t *j = json_object(), *complete = json_object();
	int64_t started = json_integer_value(json_object_get(record, "started"));
	int64_t took = json_integer_value(json_object_get(record, "duration"));

	json_object_set(j, "buildInvocationID", json_object_get(record, "id"));
	json_object_set_new(j, "buildStartedOn", time_text(started));
	json_object_set_new(j, "buildFinishedOn", time_text(started + took));
	json_object_set_new(complete, "parameters", json_boolean(mode == BUILD_PROVENANCE_MAX));
	json_object_set_new(complete, "environment", json_true());
	json_object_set_new(complete, "materials", json_false());
	json_object_set_new(j, "completeness", complete);
	json_object_set_new(j, "reproducible", json_false());
	return j;
}

int build_provenance(struct store *s, const char *id, enum build_provenance mode, json_t **out,
		     struct error *err)
{
	AUTO(json) json_t *record = NULL;
	struct past past;
	json_t *j, *builder;
	int r = build_record(s, id, &record, &past, err);

	if (r < 0)
		return error_wrap(err, "provenance");
	j = json_object();
	builder = json_object();
	json_object_set_new(builder, "id", json_string(""));
	json_object_set_new(j, "builder", builder);
	json_object_set_new(j, "buildType", json_string(BUILD_TYPE));
	json_object_set_new(j, "materials", materials(record));
	json_object_set_new(j, "invocation", invocation(record));
	if (mode == BUILD_PROVENANCE_MAX)
		json_object_set_new(j, "buildConfig", steps(record));
	json_object_set_new(j, "metadata", metadata(record, mode));
	*out = j;
	return 0;
}
