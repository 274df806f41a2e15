/* SPDX-License-Identifier: Apache-2.0 */
/* --security-opt: seccomp, AppArmor, labels, what is masked. */
#include "cli/cmd_run.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* "true" and "false" in Go's way. */
static int set_switch(const char *text, const char *value, bool *out, struct error *err)
{
	*out = true;
	if (value && !parse_bool(value, out))
		return error_set(err, ERR_INVALID, "invalid --security-opt 2: \"%s\"", text);
	return 0;
}

/* Docker ignores labels too, but where it was told to use SELinux. */
static int check_label(const char *text, const char *value, struct error *err)
{
	if (str_eq(value, "disable") || access("/sys/fs/selinux/enforce", F_OK) != 0)
		return 0;
	error_set(err, ERR_UNSUPPORTED, "--security-opt \"%s\": stave sets no SELinux labels",
		  text);
	error_hint(err, "label=disable is how every container runs");
	return -ERR_UNSUPPORTED;
}

static void set_apparmor(const char *value, struct container_options *o)
{
	free(o->apparmor);
	o->apparmor = *value ? mem_strdup(value) : NULL;
}

int run_add_security(const char *text, struct container_options *o, struct error *err)
{
	/* Docker took a colon before it took "=" */
	size_t len = strcspn(text, "=:");
	AUTO(free) char *key = mem_strndup(text, len);
	const char *value = text[len] ? text + len + 1 : NULL;
	int r = 0;

	strlist_add(&o->security, text);
	if (str_eq(key, "no-new-privileges"))
		return set_switch(text, value, &o->no_new_privileges, err);
	if (!value)
		return error_set(err, ERR_INVALID, "Invalid --security-opt: \"%s\"", text);
	if (str_eq(key, "seccomp"))
		r = set_seccomp(value, o, err);
	else if (str_eq(key, "writable-cgroups"))
		r = set_switch(text, value, &o->writable_cgroups, err);
	else if (str_eq(key, "label"))
		r = check_label(text, value, err);
	else if (str_eq(key, "apparmor"))
		set_apparmor(value, o);
	else if (str_eq(key, "systempaths") && str_eq(value, "unconfined"))
		o->bare_paths = true;
	else
		r = error_set(err, ERR_INVALID, "invalid --security-opt 2: \"%s\"", text);
	return r;
}
