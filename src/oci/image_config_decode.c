/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/oci.h"

#include <string.h>

#include "oci/oci_json.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/banned.h"

static int read_healthcheck(const json_t *config, struct image_healthcheck *h,
			    struct error *err)
{
	json_t *j = NULL;
	int rc = json_get_object(config, "Healthcheck", &j, err);

	if (rc < 0 || !j)
		return rc;
	h->present = true;
	if ((rc = json_get_strings(j, "Test", &h->test, NULL, err)) < 0 ||
	    (rc = json_get_i64(j, "Interval", &h->interval, err)) < 0 ||
	    (rc = json_get_i64(j, "Timeout", &h->timeout, err)) < 0 ||
	    (rc = json_get_i64(j, "StartPeriod", &h->start_period, err)) < 0 ||
	    (rc = json_get_i64(j, "StartInterval", &h->start_interval, err)) < 0)
		return rc;
	return json_get_i64(j, "Retries", &h->retries, err);
}

static int read_words(const json_t *j, struct image_config *c, struct error *err)
{
	const struct {
		const char *key;
		char **out;
	} words[] = {
		{"Hostname", &c->hostname},
		{"Domainname", &c->domainname},
		{"User", &c->user},
		{"WorkingDir", &c->working_dir},
		{"StopSignal", &c->stop_signal},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		int rc = json_get_string(j, words[i].key, words[i].out, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_lists(const json_t *j, struct image_config *c, struct error *err)
{
	const struct {
		const char *key;
		struct strlist *out;
		bool *present;
	} lists[] = {
		{"Env", &c->env, NULL},
		{"Entrypoint", &c->entrypoint, &c->has_entrypoint},
		{"Cmd", &c->cmd, &c->has_cmd},
		{"OnBuild", &c->on_build, NULL},
		{"Shell", &c->shell, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		int rc = json_get_strings(j, lists[i].key, lists[i].out, lists[i].present, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_config(const json_t *doc, struct image_config *c, struct error *err)
{
	json_t *j = NULL;
	int rc = json_get_object(doc, "config", &j, err);

	if (rc < 0 || !j)
		return rc;
	if ((rc = read_words(j, c, err)) < 0 || (rc = read_lists(j, c, err)) < 0 ||
	    (rc = json_read_set(j, "ExposedPorts", &c->exposed_ports, err)) < 0 ||
	    (rc = json_read_set(j, "Volumes", &c->volumes, err)) < 0 ||
	    (rc = json_read_map(j, "Labels", &c->labels, err)) < 0 ||
	    (rc = json_get_bool(j, "ArgsEscaped", &c->args_escaped, err)) < 0)
		return rc;
	return read_healthcheck(j, &c->healthcheck, err);
}

static int read_history(const json_t *doc, struct image_config *c, struct error *err)
{
	json_t *array = NULL;
	int rc = json_get_array(doc, "history", &array, err);

	if (rc < 0)
		return rc;
	if (json_array_size(array) > LIMIT_HISTORY)
		return error_set(err, ERR_LIMIT, "\"history\" has more than %u entries",
				 LIMIT_HISTORY);
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct history *h = image_config_add_history(c);
		json_t *j;

		if ((rc = json_read_element(array, i, "history", &j, err)) < 0 ||
		    (rc = json_read_time(j, "created", &h->created, &h->has_created, err)) <
			    0 ||
		    (rc = json_get_string(j, "created_by", &h->created_by, err)) < 0 ||
		    (rc = json_get_string(j, "author", &h->author, err)) < 0 ||
		    (rc = json_get_string(j, "comment", &h->comment, err)) < 0 ||
		    (rc = json_get_bool(j, "empty_layer", &h->empty_layer, err)) < 0)
			return rc;
	}
	return 0;
}

static int read_rootfs(const json_t *doc, struct image_config *c, struct error *err)
{
	json_t *rootfs = NULL;
	json_t *ids = NULL;
	AUTO(free) char *type = NULL;
	int rc;

	if ((rc = json_get_object(doc, "rootfs", &rootfs, err)) < 0)
		return rc;
	if (!rootfs)
		return error_set(err, ERR_INVALID, "has no \"rootfs\"");
	if ((rc = json_get_string(rootfs, "type", &type, err)) < 0 ||
	    (rc = json_get_array(rootfs, "diff_ids", &ids, err)) < 0)
		return rc;
	if (type && !str_eq(type, "layers"))
		return error_set(err, ERR_UNSUPPORTED, "the rootfs type %.40s is not supported",
				 type);
	if (json_array_size(ids) > LIMIT_LAYERS)
		return error_set(err, ERR_LIMIT, "has more than %u layers", LIMIT_LAYERS);
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *text = json_string_value(json_array_get(ids, i));
		struct digest d;

		if (!text || !digest_parse(text, &d))
			return error_set(err, ERR_INVALID, "diff_id %zu is not a sha256 digest",
					 i);
		image_config_add_diff_id(c, &d);
	}
	return 0;
}

static int decode(const json_t *doc, struct image_config *c, struct error *err)
{
	int rc;

	if ((rc = json_get_string(doc, "architecture", &c->platform.architecture, err)) < 0 ||
	    (rc = json_get_string(doc, "os", &c->platform.os, err)) < 0 ||
	    (rc = json_get_string(doc, "variant", &c->platform.variant, err)) < 0 ||
	    (rc = json_get_string(doc, "os.version", &c->platform.os_version, err)) < 0 ||
	    (rc = json_get_string(doc, "author", &c->author, err)) < 0 ||
	    (rc = json_read_time(doc, "created", &c->created, &c->has_created, err)) < 0 ||
	    (rc = read_config(doc, c, err)) < 0 || (rc = read_history(doc, c, err)) < 0)
		return rc;
	return read_rootfs(doc, c, err);
}

int image_config_decode(const char *data, size_t len, struct image_config *out,
			struct error *err)
{
	AUTO(json) json_t *doc = NULL;
	int rc;

	if (len > LIMIT_CONFIG_BYTES)
		return error_set(err, ERR_LIMIT, "image config: larger than %u bytes",
				 LIMIT_CONFIG_BYTES);
	rc = json_read_document(data, len, "image config", &doc, err);
	if (rc < 0)
		return rc;
	rc = decode(doc, out, err);
	if (rc < 0) {
		error_wrap(err, "image config");
		image_config_clear(out);
	}
	return rc;
}
