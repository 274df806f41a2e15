/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Git: one commit of a repository as a directory in the cache.
 *
 *   git/co-HEX/tree    a checkout; HEX is a digest of all that it depends on, and
 *                      the time of the directory is that of its last use
 *   git/new-HEX/tree   one that is being made
 *   git/new-HEX/config what git has for configuration meanwhile
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/process.h"
#include "base/root.h"
#include "base/strlist.h"
#include "remote/remote.h"
#include "remote/remote_cache.h"

#include "base/banned.h"

#define GIT_HELPER	 "stave-git"
#define WORK_FD		 3
#define NOT_INSTALLED	 127
#define LIMIT_SAID_BYTES (8u << 20) /* what git prints; ls-remote of a large repository */

static const char config_text[] = "[safe]\n\tdirectory = *\n"
				  "[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n"
				  "[init]\n\tdefaultBranch = master\n\ttemplateDir =\n"
				  "[advice]\n\tdetachedHead = false\n"
				  "[gc]\n\tauto = 0\n"
				  "[protocol]\n\tversion = 2\n"
				  "[submodule]\n\trecurse = false\n"
				  "[http]\n\tlowSpeedLimit = 1\n\tlowSpeedTime = 30\n";

struct git {
	const struct remote_git *want;
	int cache; /* git/ */
	int own;   /* git/new-HEX, locked */
	int work;  /* git/new-HEX/tree */
	char dir[REMOTE_NEW_SIZE];
	struct strlist env;
	struct strlist readable;
	char commit[REMOTE_COMMIT_SIZE];
	char *fetch; /* the name to fetch the commit by */
};

static void git_auto(struct git *g)
{
	close_fd(&g->work);
	if (g->own >= 0)
		root_remove(g->cache, g->dir, NULL);
	close_fd(&g->own);
	close_fd(&g->cache);
	strlist_clear(&g->env);
	strlist_clear(&g->readable);
	free(g->fetch);
}

/* ---- the program ---- */

static void pass_on(struct git *g, const char *name)
{
	const char *value = getenv(name);

	if (value)
		strlist_printf(&g->env, "%s=%s", name, value);
}

/* Nothing of the caller's environment that git would obey, but proxies and ssh's agent. */
static void make_env(struct git *g, bool is_file, bool is_ssh)
{
	static const char *const passed[] = {
		"http_proxy",  "https_proxy", "all_proxy", "no_proxy",	    "HTTP_PROXY",
		"HTTPS_PROXY", "ALL_PROXY",   "NO_PROXY",  "SSL_CERT_FILE", "SSL_CERT_DIR"};
	const char *path = getenv("PATH");

	strlist_printf(&g->env, "PATH=%s", path ? path : "/usr/local/bin:/usr/bin:/bin");
	strlist_add(&g->env, "LANG=C.UTF-8");
	strlist_add(&g->env, "LC_ALL=C.UTF-8");
	strlist_add(&g->env, "GIT_CONFIG_NOSYSTEM=1");
	strlist_add(&g->env, "GIT_ATTR_NOSYSTEM=1");
	strlist_add(&g->env, "GIT_TERMINAL_PROMPT=0");
	strlist_add(&g->env, "GIT_ASKPASS=false");
	strlist_add(&g->env, "SSH_ASKPASS=false");
	strlist_add(&g->env, "GIT_SSH_COMMAND=ssh -o BatchMode=yes");
	strlist_add(&g->env, "GIT_LFS_SKIP_SMUDGE=1");
	strlist_printf(&g->env, "GIT_ALLOW_PROTOCOL=http:https:git:ssh%s",
		       is_file ? ":file" : "");
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		pass_on(g, passed[i]);
	if (is_ssh)
		pass_on(g, "SSH_AUTH_SOCK");
}

/* A file: URL's repository and those beside it; ssh's keys and known hosts. */
static void make_readable(struct git *g, bool is_file, bool is_ssh)
{
	const struct passwd *me = is_ssh ? getpwuid(geteuid()) : NULL;

	if (is_file) {
		AUTO(free) char *clean = root_clean_path(g->want->url + strlen("file://"));
		char *slash = strrchr(clean, '/');

		if (slash)
			*slash = 0;
		strlist_printf(&g->readable, "/%s", slash ? clean : "");
	}
	if (me)
		strlist_printf(&g->readable, "%s/.ssh", me->pw_dir);
}

static int read_said(int fd, struct buf *out, struct error *err)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, "what git says");
	return io_read_all(fd, LIMIT_SAID_BYTES, out, err);
}

/* The line that says why, without "fatal: " and its kin. */
static void reason(const char *said, struct buf *out)
{
	AUTO(strlist) struct strlist lines = STRLIST_INIT;
	const char *why = "git failed";
	AUTO(free) char *shown = NULL;

	strlist_split(&lines, said, '\n');
	for (size_t i = 0; i < lines.n; i++) {
		const char *line = lines.items[i];

		if (str_starts(line, "fatal: ") || str_starts(line, "error: ")) {
			why = line + 7;
			break;
		}
		if (*line)
			why = line;
	}
	shown = remote_redact(why);
	buf_printf(out, "%.500s", shown);
}

/* argv: NULL-terminated words behind "git".  Fails when git does. */
static int run(struct git *g, const char *const *words, struct buf *out, struct error *err)
{
	AUTO(buf) struct buf helper = BUF_INIT, said = BUF_INIT, why = BUF_INIT;
	AUTO(strlist) struct strlist args = STRLIST_INIT;
	AUTO(fd) int out_fd = memfd_create("git", MFD_CLOEXEC);
	AUTO(fd) int err_fd = memfd_create("git", MFD_CLOEXEC);
	struct process_fd fds[] = {{out_fd, 1}, {err_fd, 2}, {g->work, WORK_FD}};
	struct process_spec spec = {.fds = fds, .nfds = 3};
	int r, status;
	pid_t pid;

	if (out_fd < 0 || err_fd < 0)
		return error_sys(err, "memfd_create");
	if ((r = process_helper_path(GIT_HELPER, &helper, err)) < 0)
		return r;
	strlist_add(&args, buf_str(&helper));
	strlist_addall(&args, &g->readable);
	strlist_add(&args, "--");
	for (; *words; words++)
		strlist_add(&args, *words);
	spec.argv = args.items;
	spec.envp = g->env.items;
	if ((r = process_start(&spec, &pid, NULL, err)) < 0)
		return r;
	status = process_wait(pid);
	if (status == NOT_INSTALLED) {
		error_set(err, ERR_NOT_FOUND, "git: command not found");
		error_hint(err, "install git to build from git repositories");
		return -ERR_NOT_FOUND;
	}
	if (status) {
		if ((r = read_said(err_fd, &said, err)) < 0)
			return r;
		reason(buf_str(&said), &why);
		return error_set(err, ERR_FAILED, "git: %s", buf_str(&why));
	}
	return out ? read_said(out_fd, out, err) : 0;
}

#define GIT(g, out, err, ...) run(g, (const char *const[]){__VA_ARGS__, NULL}, out, err)

/* ---- which commit ---- */

static bool is_commit(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	return (len == 40 || len == 64) && text[strspn(text, "0123456789abcdef")] == 0;
}

static void take_line(struct git *g, const char *line, const char *const *names, size_t n,
		      size_t *best)
{
	size_t len = strcspn(line, "\t");

	for (size_t i = 0; line[len] && i < n && i <= *best; i++) {
		AUTO(free) char *peeled = mem_printf("%s^{}", names[i]);

		if ((!str_eq(line + len + 1, names[i]) && !str_eq(line + len + 1, peeled)) ||
		    len >= sizeof(g->commit))
			continue;
		*best = i;
		snprintf(g->commit, sizeof(g->commit), "%.*s", (int)len, line);
		free(g->fetch);
		g->fetch = mem_strdup(names[i]);
	}
}

/* As BuildKit: the full name, then a branch, then a tag; a tag is what it points to. */
static int ask_remote(struct git *g, struct error *err)
{
	const char *ref = g->want->ref ? g->want->ref : "HEAD";
	AUTO(free) char *full = mem_printf("refs/%s", str_starts(ref, "refs/") ? ref + 5 : ref);
	AUTO(free) char *head = mem_printf("refs/heads/%s", ref);
	AUTO(free) char *tag = mem_printf("refs/tags/%s", ref);
	AUTO(free) char *full_peeled = mem_printf("%s^{}", full);
	AUTO(free) char *tag_peeled = mem_printf("%s^{}", tag);
	const char *names[] = {g->want->ref ? full : "HEAD", head, tag};
	AUTO(strlist) struct strlist lines = STRLIST_INIT;
	AUTO(buf) struct buf out = BUF_INIT;
	size_t best = ARRAY_SIZE(names);
	int r = GIT(g, &out, err, "ls-remote", "--", g->want->url, names[0], head, tag,
		    full_peeled, tag_peeled);

	if (r < 0)
		return r;
	strlist_split(&lines, buf_str(&out), '\n');
	for (size_t i = 0; i < lines.n; i++)
		take_line(g, lines.items[i], names, ARRAY_SIZE(names), &best);
	if (!is_commit(g->commit))
		return error_set(err, ERR_NOT_FOUND, "repository does not contain ref %s", ref);
	return 0;
}

static int find_commit(struct git *g, struct error *err)
{
	const char *commit = g->want->commit;
	int r = 0;

	if (is_commit(g->want->ref)) {
		snprintf(g->commit, sizeof(g->commit), "%s", g->want->ref);
		g->fetch = mem_strdup(g->want->ref);
	} else {
		r = ask_remote(g, err);
	}
	if (r < 0 || !commit || str_starts(g->commit, commit))
		return r;
	return error_set(err, ERR_CORRUPT, "expected checksum to match %s, got %s", commit,
			 g->commit);
}

/* ---- fetch and checkout ---- */

/* Shallow; whole where the server cannot (a commit that it does not offer, plain files). */
static int fetch(struct git *g, struct error *err)
{
	AUTO(error) struct error first = ERROR_INIT;
	const char *url = g->want->url;
	int r = GIT(g, NULL, &first, "fetch", "--quiet", "--depth=1", "--no-tags", "--", url,
		    g->fetch);

	if (r == -ERR_FAILED)
		r = GIT(g, NULL, &first, "fetch", "--quiet", "--depth=1", "--no-tags", "--",
			url, g->commit);
	if (r == -ERR_FAILED) {
		r = GIT(g, NULL, NULL, "fetch", "--quiet", "--tags", "--", url,
			"+refs/heads/*:refs/remotes/origin/*");
		r = r < 0 ? -ERR_FAILED : 0;
	}
	if (r < 0)
		error_move(err, &first);
	return r;
}

static int submodules(struct git *g, struct error *err)
{
	int r = GIT(g, NULL, NULL, "submodule", "--quiet", "update", "--init", "--recursive",
		    "--depth=1");

	if (r < 0)
		r = GIT(g, NULL, err, "submodule", "--quiet", "update", "--init",
			"--recursive");
	return r < 0 ? error_wrap(err, "submodules") : 0;
}

/* What stays in ".git" goes into an image: no password may be in it. */
static int forget_password(struct git *g, struct error *err)
{
	AUTO(free) char *shown = remote_redact(g->want->url);

	if (!g->want->keep_git_dir || str_eq(shown, g->want->url))
		return 0;
	return GIT(g, NULL, err, "remote", "set-url", "origin", shown);
}

/* The work tree is what the commit says: no filters, no end-of-line conversion of ours. */
static int checkout(struct git *g, struct error *err)
{
	AUTO(free) char *peel = mem_printf("%s^{commit}", g->commit);
	AUTO(error) struct error why = ERROR_INIT;
	int r = GIT(g, NULL, &why, "cat-file", "-e", peel);

	if (r < 0)
		return error_set(err, ERR_NOT_FOUND, "repository does not contain ref %s",
				 g->commit);
	if ((r = GIT(g, NULL, err, "checkout", "--quiet", "--force", "--detach", g->commit)) <
	    0)
		return r;
	if (g->want->no_submodules)
		return 0;
	return submodules(g, err);
}

static int commit_time(struct git *g, int64_t *out, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	int r = GIT(g, &text, err, "show", "--no-patch", "--format=%ct", g->commit);

	if (r < 0)
		return r;
	if (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = 0;
	return parse_i64(buf_str(&text), out)
		       ? 0
		       : error_set(err, ERR_CORRUPT, "git: a commit without a time");
}

/* Removes each ".git" unless it is wanted, and gives all that is left the commit's time. */
static int tidy(int dir, bool keep_git, int64_t sec, unsigned depth, struct error *err)
{
	struct timespec times[2] = {{.tv_sec = sec}, {.tv_sec = sec}};
	AUTO(dir_list) struct dir_list list = {0};
	int r = dir_list_read(dir, &list, err);

	if (depth > LIMIT_TREE_DEPTH)
		return error_set(err, ERR_LIMIT, "nested too deeply");
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const char *name = list.items[i].name;
		AUTO(fd) int child = -1;

		if (!keep_git && str_eq(name, ".git")) {
			r = root_remove(dir, name, err);
			continue;
		}
		child = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0)
			r = tidy(child, keep_git, sec, depth + 1, err);
		else
			utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
	}
	if (r == 0 && futimens(dir, times) < 0)
		return error_sys(err, "cannot set the times of a checkout");
	return r;
}

static int make(struct git *g, struct error *err)
{
	int64_t sec = 0;
	int r = fetch(g, err);

	if (r < 0 || (r = checkout(g, err)) < 0 || (r = forget_password(g, err)) < 0 ||
	    (r = commit_time(g, &sec, err)) < 0)
		return r;
	return tidy(g->work, g->want->keep_git_dir, sec, 0, err);
}

/* ---- the cache ---- */

static int open_work(struct git *g, int cache, struct error *err)
{
	int r;

	if ((r = remote_cache_open(cache, "git", &g->cache, err)) < 0 ||
	    (r = remote_cache_new(g->cache, true, g->dir, &g->own, err)) < 0 ||
	    (r = io_write_file(g->own, "config", config_text, sizeof(config_text) - 1, 0600, 0,
			       err)) < 0)
		return r;
	if (mkdirat(g->own, "tree", 0755) < 0)
		return error_sys(err, "cannot create cache/git/%s/tree", g->dir);
	g->work = openat(g->own, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return g->work < 0 ? error_sys(err, "cannot open cache/git/%s/tree", g->dir) : 0;
}

static void checkout_name(const struct git *g, struct remote_checkout *out)
{
	char hex[DIGEST_HEX_SIZE];
	struct digest d;
	struct hasher h;

	hasher_init(&h);
	hasher_add_string(&h, "checkout 2");
	hasher_add_string(&h, g->commit);
	/* submodules may be relative to it, and ".git" names it */
	hasher_add_string(&h, g->want->url);
	hasher_add_u64(&h, g->want->keep_git_dir);
	hasher_add_u64(&h, g->want->no_submodules);
	hasher_end(&h, &d);
	snprintf(out->dir, sizeof(out->dir), "co-%s", digest_hex(&d, hex));
	memcpy(out->commit, g->commit, sizeof(out->commit));
}

static int use(struct git *g, const struct remote_checkout *out, struct error *err)
{
	unlinkat(g->own, "config", 0);
	if (renameat(g->cache, g->dir, g->cache, out->dir) == 0)
		return 0;
	/* somebody else was as fast: his is as good */
	if (errno == EEXIST || errno == ENOTEMPTY)
		return 0;
	return error_sys(err, "cannot keep cache/git/%s", out->dir);
}

static int do_checkout(struct git *g, int cache, struct remote_checkout *out, struct error *err)
{
	bool is_file = str_starts(g->want->url, "file://");
	bool is_ssh = !is_file && !str_starts(g->want->url, "http") &&
		      !str_starts(g->want->url, "git://");
	struct stat st;
	int r = open_work(g, cache, err);

	if (r < 0)
		return r;
	make_env(g, is_file, is_ssh);
	make_readable(g, is_file, is_ssh);
	if ((r = GIT(g, NULL, err, "init", "--quiet")) < 0 ||
	    (r = GIT(g, NULL, err, "remote", "add", "origin", g->want->url)) < 0 ||
	    (r = find_commit(g, err)) < 0)
		return r;
	checkout_name(g, out);
	if (fstatat(g->cache, out->dir, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if ((r = make(g, err)) < 0)
		return r;
	return use(g, out, err);
}

int remote_git_checkout(int cache, const struct remote_git *want, struct remote_checkout *out,
			struct error *err)
{
	AUTO(git) struct git g = {.want = want, .cache = -1, .own = -1, .work = -1};
	AUTO(free) char *shown = remote_redact(want->url);
	int r = do_checkout(&g, cache, out, err);

	return r < 0 ? error_wrap(err, "%s", shown) : 0;
}

static int no_subdir(const struct remote_checkout *c, const char *subdir, const char *part,
		     int r, struct error *err)
{
	if (r == -ERR_NOT_FOUND)
		return error_set(err, ERR_NOT_FOUND,
				 "invalid subdir /%s: \"%s\" does not exist in commit %.12s",
				 subdir, part, c->commit);
	return error_set(err, ERR_INVALID,
			 "invalid subdir /%s: git subpath contains non-directory \"%s\"",
			 subdir, part);
}

/* A link is no directory here: what the commit has there decides, not where it leads. */
int remote_open_checkout(int cache, const struct remote_checkout *c, const char *subdir,
			 int *out_fd, int *out_lock, struct error *err)
{
	AUTO(free) char *path = mem_printf("git/%s", c->dir);
	AUTO(fd) int lock = -1;
	AUTO(fd) int top = -1;
	AUTO(strlist) struct strlist parts = STRLIST_INIT;
	int r = root_open(cache, ROOT_BENEATH, path, O_RDONLY | O_DIRECTORY, 0, &top, err);

	if (r < 0 || (r = io_lock(top, false, true, err)) < 0)
		return r;
	futimens(top, NULL); /* it is used now, says the order in which prune takes things */
	lock = take_fd(&top);
	r = root_open(lock, ROOT_BENEATH, "tree", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &top,
		      err);
	if (r < 0)
		return r;
	strlist_split(&parts, subdir, '/');
	for (size_t i = 0; i < parts.n; i++) {
		int next = -1;

		if (!*parts.items[i])
			continue;
		r = root_open(top, ROOT_BENEATH, parts.items[i],
			      O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &next, err);
		if (r < 0)
			return no_subdir(c, subdir, parts.items[i], r, err);
		close_fd(&top);
		top = next;
	}
	*out_fd = take_fd(&top);
	*out_lock = take_fd(&lock);
	return 0;
}
