/* SPDX-License-Identifier: Apache-2.0 */
/* USER and --user: passwd(5) and group(5) of the image, by Docker's rules. */
#include <string.h>

#include "runtime/runtime.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/root.h"

#include "base/banned.h"

#define ID_MAX	   INT64_C(2147483647) /* Docker's limit, half of what the kernel has */
#define GROUPS_MAX 65536	       /* NGROUPS_MAX */

#define PASSWD_FIELDS 7 /* name:password:uid:gid:gecos:home:shell */
#define GROUP_FIELDS  4 /* name:password:gid:member,member */

/* The two halves of a specification; a number may also be somebody's name. */
struct wanted {
	char *text; /* "" if not given */
	int64_t id;
	bool is_number;
};

static void wanted_auto(struct wanted *w)
{
	free(w->text);
}

static void set_wanted(struct wanted *w, const char *text, size_t len)
{
	w->text = mem_strndup(text, len);
	w->is_number = parse_i64(w->text, &w->id);
}

struct lookup {
	struct wanted user;
	struct wanted group;
	char *name;	 /* of the passwd entry that matched, "" if none did */
	bool user_found; /* the first entry counts */
	bool group_found;
	struct runtime_user *out;
};

typedef void (*line_fn)(struct lookup *l, char *const *fields);

static bool parse_id(const char *text, uint32_t *out)
{
	uint64_t v;

	if (!parse_u64(text, (uint64_t)ID_MAX, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

/* Calls @fn for each line with at least @wanted fields; @fields has NULL at its end. */
static void each_line(struct lookup *l, const struct buf *file, size_t fields, line_fn fn)
{
	const char *at = buf_str(file), *end = at + file->len;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		AUTO(strlist) struct strlist parts = STRLIST_INIT;
		AUTO(free) char *line = NULL;

		if (!stop)
			stop = end;
		line = mem_strndup(at, (size_t)(stop - at));
		strlist_split(&parts, line, ':');
		while (parts.n && parts.n < fields)
			strlist_add(&parts, ""); /* Docker takes short lines too */
		if (parts.n)
			fn(l, parts.items);
		at = stop + 1;
	}
}

static void match_user(struct lookup *l, char *const *f)
{
	uint32_t uid, gid;
	bool matches;

	if (l->user_found || !f[0][0] || !parse_id(f[2], &uid) || !parse_id(f[3], &gid))
		return;
	if (!l->user.text[0])
		matches = uid == 0;
	else
		matches = str_eq(f[0], l->user.text) ||
			  (l->user.is_number && (int64_t)uid == l->user.id);
	if (!matches)
		return;
	l->user_found = true;
	l->out->uid = uid;
	l->out->gid = gid;
	free(l->name);
	l->name = mem_strdup(f[0]);
	free(l->out->home);
	l->out->home = mem_strdup(f[5]);
}

static void add_group(struct runtime_user *u, gid_t gid)
{
	if (u->groups.n <= GROUPS_MAX)
		*vec_push(&u->groups) = gid;
}

static bool is_member(const char *members, const char *name)
{
	const size_t len = strlen(name);

	while (*members) {
		const size_t n = strcspn(members, ",");

		if (n == len && memcmp(members, name, n) == 0)
			return true;
		members += n + (members[n] == ',');
	}
	return false;
}

static void match_group(struct lookup *l, char *const *f)
{
	uint32_t gid;

	if (!f[0][0] || !parse_id(f[2], &gid))
		return;
	if (!l->group.text[0]) {
		if (l->name && is_member(f[3], l->name))
			add_group(l->out, gid);
		return;
	}
	if (l->group_found || !(str_eq(f[0], l->group.text) ||
				(l->group.is_number && (int64_t)gid == l->group.id)))
		return;
	l->group_found = true;
	l->out->gid = gid;
}

static int unknown(const char *kind, const char *file, const struct wanted *w,
		   struct error *err)
{
	if (w->is_number)
		return error_set(err, ERR_INVALID,
				 "uids and gids must be in range 0-2147483647");
	return error_set(err, ERR_NOT_FOUND,
			 "unable to find %s %s: no matching entries in %s file", kind, w->text,
			 file);
}

static bool in_range(const struct wanted *w)
{
	return w->is_number && w->id >= 0 && w->id <= ID_MAX;
}

/* A file that is not there is empty; one that cannot be read matters only if a name needs it.
 */
static int read_entries(int rootfd, const char *path, bool needed, struct buf *out,
			struct error *err)
{
	AUTO(error) struct error local = ERROR_INIT;
	int r = root_read_file(rootfd, ROOT_INSIDE, path, LIMIT_PASSWD_BYTES, out, &local);

	if (r == 0)
		return 0;
	buf_reset(out);
	if (!needed || r == -ERR_NOT_FOUND)
		return 0;
	error_move(err, &local);
	return error_wrap(err, "cannot read %s of the image", path);
}

static int find_user(struct lookup *l, int rootfd, struct error *err)
{
	AUTO(buf) struct buf file = BUF_INIT;
	const struct wanted *w = &l->user;

	if (read_entries(rootfd, "etc/passwd", w->text[0] && !w->is_number, &file, err) < 0)
		return -ERR_INVALID;
	each_line(l, &file, PASSWD_FIELDS, match_user);
	if (l->user_found || !w->text[0])
		return 0;
	if (!in_range(w))
		return unknown("user", "passwd", w, err);
	l->out->uid = (uid_t)w->id;
	return 0;
}

static int find_groups(struct lookup *l, int rootfd, struct error *err)
{
	AUTO(buf) struct buf file = BUF_INIT;
	const struct wanted *w = &l->group;

	if (!w->text[0] && !l->name)
		return 0;
	if (read_entries(rootfd, "etc/group", w->text[0] && !w->is_number, &file, err) < 0)
		return -ERR_INVALID;
	each_line(l, &file, GROUP_FIELDS, match_group);
	if (l->out->groups.n > GROUPS_MAX)
		return error_set(err, ERR_LIMIT, "user %s is in more than %d groups", l->name,
				 GROUPS_MAX);
	if (!w->text[0] || l->group_found)
		return 0;
	if (!in_range(w))
		return unknown("group", "group", w, err);
	l->out->gid = (gid_t)w->id;
	return 0;
}

int runtime_resolve_user(int rootfd, const char *user_spec, struct runtime_user *out,
			 struct error *err)
{
	const char *spec = user_spec ? user_spec : "";
	const size_t user_len = strcspn(spec, ":");
	const char *group = spec + user_len + (spec[user_len] == ':');
	struct runtime_user u = RUNTIME_USER_INIT;
	AUTO(wanted) struct wanted w = {0}, g = {0};
	struct lookup l = {.out = &u};
	int r;

	set_wanted(&w, spec, user_len);
	set_wanted(&g, group, strcspn(group, ":"));
	l.user = w;
	l.group = g;
	r = find_user(&l, rootfd, err);
	if (r == 0)
		r = find_groups(&l, rootfd, err);
	free(l.name);
	if (r < 0) {
		runtime_user_clear(&u);
		return r;
	}
	/* Docker's list begins with the primary group, whose number is known only now */
	add_group(&u, u.gid);
	memmove(u.groups.items + 1, u.groups.items, (u.groups.n - 1) * sizeof(gid_t));
	u.groups.items[0] = u.gid;
	if (str_empty(u.home)) {
		free(u.home);
		u.home = mem_strdup("/");
	}
	*out = u;
	return 0;
}

int runtime_resolve_groups(int rootfd, const struct strlist *names, struct runtime_user *out,
			   struct error *err)
{
	AUTO(buf) struct buf file = BUF_INIT;
	struct runtime_user found = RUNTIME_USER_INIT;
	struct lookup l = {.out = &found};
	int r = names->n ? read_entries(rootfd, "etc/group", true, &file, err) : 0;

	for (size_t i = 0; r == 0 && i < names->n; i++) {
		AUTO(wanted) struct wanted w = {0};

		set_wanted(&w, names->items[i], strlen(names->items[i]));
		l.group = w;
		l.group_found = false;
		each_line(&l, &file, GROUP_FIELDS, match_group);
		if (!l.group_found && !in_range(&w))
			r = unknown("group", "group", &w, err);
		else
			add_group(out, l.group_found ? found.gid : (gid_t)w.id);
	}
	return r;
}

void runtime_user_clear(struct runtime_user *u)
{
	free(u->groups.items);
	free(u->home);
	*u = RUNTIME_USER_INIT;
}
