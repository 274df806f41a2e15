/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of RUN --mount.  Laws: a failure says why and leaves nothing behind;
 * what is accepted is of a known kind and keeps to the rules of its type.
 */
#include "fuzz.h"

#include "base/banned.h"

static const char *look_up(void *data, const char *name, size_t len)
{
	static const char *const values[] = {"", "cache", "a,b", "\"", "secret"};

	(void)data;
	return len && *name == 'U' ? NULL : values[len % ARRAY_SIZE(values)];
}

static void check(const struct run_mount *m)
{
	bool owned = m->type == RUN_MOUNT_CACHE || m->type == RUN_MOUNT_SECRET ||
		     m->type == RUN_MOUNT_SSH;

	demand(*run_mount_type_name(m->type) != 0);
	demand(owned || (!m->has_mode && !m->has_uid && !m->has_gid));
	demand(m->type == RUN_MOUNT_CACHE || m->sharing == RUN_MOUNT_SHARED);
	demand(m->type == RUN_MOUNT_TMPFS || !m->size || m->size <= INT64_MAX);
	demand(m->type != RUN_MOUNT_SSH || str_empty(m->source));
	if (m->type == RUN_MOUNT_SECRET) {
		demand(str_empty(m->from));
		demand(!str_empty(m->source) || !str_empty(m->target) || !str_empty(m->id));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) char *value = mem_strndup((const char *)data, size);
	AUTO(run_mount) struct run_mount m = RUN_MOUNT_INIT;
	AUTO(error) struct error err = ERROR_INIT;
	struct expansion x = {.escape = '\\', .lookup = look_up};

	if (dockerfile_parse_mount(value, &x, &m, &err) < 0)
		demand(err.message && err.code != ERR_NONE && !m.target && !m.id && !m.from);
	else
		check(&m);
	dockerfile_parse_mount(value, NULL, NULL, NULL);
	return 0;
}
