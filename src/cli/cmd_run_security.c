/* SPDX-License-Identifier: Apache-2.0 */
/* --security-opt: no-new-privileges, seccomp, and what needs nothing here. */
#include "cli/cmd_run.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"

#include "base/banned.h"

static int read_profile(const char *path, struct container_options *o, struct error *err)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(json) json_t *document = NULL;
	int r = fd < 0 ? error_sys(err, "open %s", path) : 0;

	if (r == 0 && (r = io_read_all(fd, LIMIT_CONFIG_BYTES, &text, err)) == 0)
		r = json_parse(buf_str(&text), text.len, &document, err);
	if (r < 0)
		return error_wrap(err, "opening seccomp profile (%s) failed", path);
	o->seccomp = buf_steal(&text);
	return 0;
}

static int set_seccomp(const char *value, struct container_options *o, struct error *err)
{
	free(o->seccomp);
	o->seccomp = NULL;
	if (str_eq(value, "builtin"))
		return 0;
	if (!str_eq(value, "unconfined"))
		return read_profile(value, o, err);
	o->seccomp = mem_strdup(value);
	return 0;
}

static int unsupported(const char *text, struct error *err)
{
	error_set(err, ERR_UNSUPPORTED, "--security-opt \"%s\" is not supported", text);
	error_hint(err, "no-new-privileges, seccomp=unconfined and seccomp=FILE are; "
			"apparmor=unconfined and label=disable mean nothing here");
	return -ERR_UNSUPPORTED;
}

int run_add_security(const char *text, struct container_options *o, struct error *err)
{
	/* Docker took a colon before it took "=" */
	size_t len = strcspn(text, "=:");
	AUTO(free) char *key = mem_strndup(text, len);
	const char *value = text[len] ? text + len + 1 : NULL;

	if (str_eq(key, "no-new-privileges")) {
		o->no_new_privileges = true;
		if (value && !parse_bool(value, &o->no_new_privileges))
			return error_set(err, ERR_INVALID, "invalid --security-opt: \"%s\"",
					 text);
		return 0;
	}
	if (!value)
		return error_set(err, ERR_INVALID, "Invalid --security-opt: \"%s\"", text);
	if (str_eq(key, "seccomp"))
		return set_seccomp(value, o, err);
	if ((str_eq(key, "apparmor") && str_eq(value, "unconfined")) ||
	    (str_eq(key, "label") && str_eq(value, "disable")))
		return 0;
	return unsupported(text, err);
}
