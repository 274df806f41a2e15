/* SPDX-License-Identifier: Apache-2.0 */
/* --restart, --health-*, --log-*, --device, --pid and its like. */
#include "cli/cmd_run.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

static int set_health(const struct run_life *o, struct container_options *to, struct error *err)
{
	struct image_healthcheck *h = &to->health;
	const struct {
		const char *name;
		int64_t value;
	} positive[] = {{"health-interval", o->health_interval},
			{"health-timeout", o->health_timeout},
			{"health-start-period", o->health_start_period},
			{"health-start-interval", o->health_start_interval},
			{"health-retries", o->health_retries}};
	bool any = o->health_cmd != NULL;

	for (size_t i = 0; i < ARRAY_SIZE(positive); i++) {
		if (positive[i].value < 0)
			return error_set(err, ERR_INVALID, "--%s cannot be negative",
					 positive[i].name);
		any |= positive[i].value != 0;
	}
	if (o->no_healthcheck && any)
		return error_set(err, ERR_INVALID,
				 "--no-healthcheck conflicts with --health-* options");
	h->present = any || o->no_healthcheck;
	if (o->no_healthcheck)
		strlist_add(&h->test, "NONE");
	if (!str_empty(o->health_cmd)) {
		strlist_add(&h->test, "CMD-SHELL");
		strlist_add(&h->test, o->health_cmd);
	}
	h->interval = o->health_interval;
	h->timeout = o->health_timeout;
	h->start_period = o->health_start_period;
	h->start_interval = o->health_start_interval;
	h->retries = o->health_retries;
	return 0;
}

static int add_pair(const char *text, struct map *to)
{
	size_t len = strcspn(text, "=");
	AUTO(free) char *key = mem_strndup(text, len);

	map_set(to, key, mem_strdup(text[len] ? text + len + 1 : ""));
	return 0;
}

static int set_log(const struct run_life *o, struct container_options *to, struct error *err)
{
	const char *driver = str_empty(o->log_driver) ? "json-file" : o->log_driver;
	uint64_t number;

	if (!str_eq(driver, "json-file") && !str_eq(driver, "none") &&
	    !str_eq(driver, "local")) {
		error_set(err, ERR_UNSUPPORTED,
			  "error looking up logging plugin %s: plugin \"%s\" not found", driver,
			  driver);
		error_hint(err, "json-file, local and none are there");
		return -ERR_UNSUPPORTED;
	}
	if (!str_empty(o->log_driver))
		to->log_driver = mem_strdup(str_eq(driver, "local") ? "json-file" : driver);
	for (size_t i = 0; i < o->log_options.n; i++)
		add_pair(o->log_options.items[i], &to->log_options);
	map_each (&to->log_options, e) {
		if (str_eq(e->key, "max-size") && !str_eq(e->value, "-1") &&
		    !parse_bytes(e->value, &number))
			return error_set(err, ERR_INVALID, "invalid size: '%s'",
					 (const char *)e->value);
		if (str_eq(e->key, "max-file") &&
		    (!parse_u64(e->value, 1000, &number) || !number))
			return error_set(err, ERR_INVALID, "max-file cannot be less than 1");
		if (!str_eq(e->key, "max-size") && !str_eq(e->key, "max-file") &&
		    !str_eq(e->key, "labels") && !str_eq(e->key, "env") &&
		    !str_eq(e->key, "tag") && !str_eq(e->key, "mode") &&
		    !str_eq(e->key, "compress") && !str_eq(e->key, "max-buffer-size"))
			return error_set(err, ERR_INVALID,
					 "unknown log opt '%s' for %s log driver", e->key,
					 driver);
	}
	return 0;
}

static int set_mode(const char *option, const char *text, const char *const *words, size_t n,
		    bool containers, char **to, struct error *err)
{
	bool known =
		str_empty(text) || (containers && str_starts(text, "container:") && text[10]);

	for (size_t i = 0; i < n; i++)
		known |= str_eq(text, words[i]);
	if (!known && str_eq(option, "ipc"))
		return error_set(err, ERR_INVALID, "invalid IPC mode: %s", text);
	if (!known)
		return error_set(err, ERR_INVALID, "--%s: invalid %s mode", option,
				 str_eq(option, "pid")	    ? "PID"
				 : str_eq(option, "uts")    ? "UTS"
				 : str_eq(option, "userns") ? "USER"
							    : "CGROUP");
	*to = str_empty(text) ? NULL : mem_strdup(text);
	return 0;
}

static int add_devices(const struct run_life *o, struct container_options *to,
		       struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->devices.n; i++)
		r = container_options_add_device(to, o->devices.items[i], err);
	for (size_t i = 0; r == 0 && i < o->device_rules.n; i++)
		if ((r = container_options_add_device_rule(to, o->device_rules.items[i], err)) <
		    0)
			return run_bad_flag(err, o->device_rules.items[i],
					    "--device-cgroup-rule");
	for (size_t i = 0; r == 0 && i < o->gpus.n; i++)
		if ((r = container_options_add_gpus(to, o->gpus.items[i], err)) < 0)
			return run_bad_flag(err, o->gpus.items[i], "--gpus");
	return r;
}

static int set_modes(const struct run_life *o, struct container_options *to, struct error *err)
{
	static const char *const host[] = {"host"}, *const cgroup[] = {"host", "private"},
				 *const ipc[] = {"host", "private", "none", "shareable"};
	int r;

	if ((r = set_mode("pid", o->pid, host, 1, true, &to->pid_mode, err)) < 0 ||
	    (r = set_mode("ipc", o->ipc, ipc, 4, true, &to->ipc_mode, err)) < 0 ||
	    (r = set_mode("uts", o->uts, host, 1, false, &to->uts_mode, err)) < 0 ||
	    (r = set_mode("userns", o->userns, host, 1, false, &to->userns_mode, err)) < 0)
		return r;
	return set_mode("cgroupns", o->cgroupns, cgroup, 2, false, &to->cgroupns_mode, err);
}

static int read_labels(const char *path, struct map *labels, struct error *err)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(strlist) struct strlist lines = STRLIST_INIT;
	int r = fd < 0 ? error_sys(err, "open %s", path)
		       : io_read_all(fd, LIMIT_ENV_FILE_BYTES, &text, err);

	if (r < 0)
		return r;
	strlist_split(&lines, buf_str(&text), '\n');
	for (size_t i = 0; r == 0 && i < lines.n; i++) {
		const char *line = lines.items[i] + strspn(lines.items[i], " \t\r");

		if (*line && *line != '#')
			r = run_add_label(line, labels, err);
	}
	return r;
}

/* "80", "80/udp", "8000-8002/tcp" */
static int add_expose(const char *text, struct container_options *to, struct error *err)
{
	const size_t len = strcspn(text, "/");
	AUTO(free) char *range = mem_strndup(text, len);
	AUTO(free) char *protocol = str_lower(text[len] ? text + len + 1 : "tcp");
	char *dash = strchr(range, '-');
	uint64_t first, last;

	if (dash)
		*dash++ = 0;
	if (!parse_u64(range, 65535, &first) || !parse_u64(dash ? dash : range, 65535, &last) ||
	    last < first ||
	    (!str_eq(protocol, "tcp") && !str_eq(protocol, "udp") && !str_eq(protocol, "sctp")))
		return error_set(err, ERR_INVALID, "invalid port format for --expose: %s",
				 text);
	for (uint64_t port = first; port <= last; port++)
		strlist_printf(&to->expose, "%u/%s", (unsigned)port, protocol);
	return 0;
}

int run_set_life(const struct run_life *o, struct container_options *to, bool has_stop_timeout,
		 struct error *err)
{
	int r;

	if ((r = container_options_set_restart(to, o->restart ? o->restart : "", err)) < 0 ||
	    (r = set_health(o, to, err)) < 0 || (r = set_log(o, to, err)) < 0 ||
	    (r = set_modes(o, to, err)) < 0 || (r = add_devices(o, to, err)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < o->expose.n; i++)
		r = add_expose(o->expose.items[i], to, err);
	for (size_t i = 0; r == 0 && i < o->label_files.n; i++)
		r = read_labels(o->label_files.items[i], &to->labels, err);
	for (size_t i = 0; r == 0 && i < o->annotations.n; i++)
		r = add_pair(o->annotations.items[i], &to->annotations);
	if (map_get(&to->annotations, ""))
		return error_set(err, ERR_INVALID,
				 "invalid Annotations: the empty string is not permitted as an "
				 "annotation key");
	to->volume_driver = str_empty(o->volume_driver) ? NULL : mem_strdup(o->volume_driver);
	to->cgroup_parent = str_empty(o->cgroup_parent) ? NULL : mem_strdup(o->cgroup_parent);
	to->has_stop_timeout = has_stop_timeout;
	to->stop_timeout = o->stop_timeout;
	return r;
}
