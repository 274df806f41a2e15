/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/process.h"
#include "base/strlist.h"
#include "remote/remote.h"
#include "remote/remote_cache.h"

#include "base/banned.h"

#define FETCH_HELPER	 "stave-fetch"
#define FACTS_FD	 3
#define LIMIT_SAID_BYTES 65536u /* by the helper: an error line, or facts */

/* What a server said of a body. */
struct facts {
	char *etag; /* owned; NULL: none */
	int64_t mtime_sec;
	bool unchanged;
};

static void facts_auto(struct facts *f)
{
	free(f->etag);
}

bool remote_is_http(const char *text)
{
	return str_starts(text, "http://") || str_starts(text, "https://");
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *remote_file_name(const char *url)
{
	const char *host = strstr(url, "://"), *path, *end, *start;
	struct buf name = BUF_INIT;

	host = host ? host + 3 : url;
	path = host + strcspn(host, "/?#");
	end = path + strcspn(path, "?#");
	while (end > path && end[-1] == '/')
		end--;
	for (start = end; start > path && start[-1] != '/';)
		start--;
	for (; start < end; start++) {
		int high = *start == '%' ? hex_value(start[1]) : -1;
		int low = high >= 0 ? hex_value(start[2]) : -1;

		if (low >= 0 && end - start > 2) {
			buf_addch(&name, (char)(high << 4 | low));
			start += 2;
		} else {
			buf_addch(&name, *start);
		}
	}
	/* "%2f" would make two components of one, and ".." another directory */
	if (name.len && (memchr(name.data, 0, name.len) || strchr(name.data, '/') ||
			 str_eq(name.data, ".") || str_eq(name.data, "..")))
		buf_reset(&name);
	return buf_steal(&name);
}

/* ---- the helper ---- */

static void read_fact(struct facts *f, const char *line)
{
	if (str_eq(line, "unchanged"))
		f->unchanged = true;
	else if (str_starts(line, "etag "))
		f->etag = mem_strdup(line + 5);
	else if (str_starts(line, "modified "))
		parse_i64(line + 9, &f->mtime_sec);
}

static int wait_for(pid_t pid, int said_fd, int facts_fd, const char *url, struct facts *f,
		    struct error *err)
{
	AUTO(strlist) struct strlist lines = STRLIST_INIT;
	AUTO(buf) struct buf said = BUF_INIT;
	AUTO(buf) struct buf text = BUF_INIT;
	/* facts come at the end and fit into a pipe: they may wait while we read the rest */
	int r = io_read_all(said_fd, LIMIT_SAID_BYTES, &said, err);
	AUTO(free) char *shown = remote_redact(url);
	int status;

	if (r == 0)
		r = io_read_all(facts_fd, LIMIT_SAID_BYTES, &text, err);
	status = process_wait(pid);
	if (r < 0)
		return r;
	if (status)
		return error_set(err, ERR_FAILED, "%s: %s", shown,
				 said.len ? buf_str(&said) : "the download failed");
	strlist_split(&lines, buf_str(&text), '\n');
	for (size_t i = 0; i < lines.n; i++)
		read_fact(f, lines.items[i]);
	return 0;
}

/* @known: what an earlier copy had; NULL: there is none. */
static int run_helper(const char *url, int body, const struct facts *known, struct facts *out,
		      struct error *err)
{
	AUTO(buf) struct buf helper = BUF_INIT;
	AUTO(strlist) struct strlist args = STRLIST_INIT;
	AUTO(fd) int said_in = -1, said_out = -1, facts_in = -1, facts_out = -1;
	int r, ends[2];
	pid_t pid;

	if ((r = process_helper_path(FETCH_HELPER, &helper, err)) < 0 ||
	    (r = io_pipe(ends, err)) < 0)
		return r;
	said_out = ends[0];
	said_in = ends[1];
	if ((r = io_pipe(ends, err)) < 0)
		return r;
	facts_out = ends[0];
	facts_in = ends[1];
	strlist_add(&args, buf_str(&helper));
	strlist_add(&args, url);
	strlist_printf(&args, "%llu", (unsigned long long)LIMIT_DOWNLOAD_BYTES);
	strlist_add(&args, known && known->etag ? known->etag : "");
	strlist_printf(&args, "%lld", known ? (long long)known->mtime_sec : 0);
	struct process_fd fds[] = {{body, 1}, {said_in, 2}, {facts_in, FACTS_FD}};
	/* the user's proxies and certificates count */
	struct process_spec spec = {.argv = args.items, .envp = environ, .fds = fds, .nfds = 3};

	if ((r = process_start(&spec, &pid, NULL, err)) < 0)
		return r;
	close_fd(&said_in);
	close_fd(&facts_in);
	return wait_for(pid, said_out, facts_out, url, out, err);
}

int remote_fetch(const char *url, int body, struct error *err)
{
	AUTO(facts) struct facts facts = {0};

	return run_helper(url, body, NULL, &facts, err);
}

/* ---- the cache ---- */

static void url_name(const char *url, char *out, size_t size)
{
	char hex[DIGEST_HEX_SIZE];
	struct digest d;

	digest_of(url, strlen(url), &d);
	snprintf(out, size, "url-%s", digest_hex(&d, hex));
}

static void body_name(const struct digest *d, char *out, size_t size)
{
	char hex[DIGEST_HEX_SIZE];

	snprintf(out, size, "body-%s", digest_hex(d, hex));
}

static int hash_file(int fd, struct digest *out, uint64_t *out_size, struct error *err)
{
	enum {
		CHUNK = 128 << 10
	};
	AUTO(free) char *data = mem_alloc(CHUNK);
	struct hasher h;
	ssize_t n;

	hasher_init(&h);
	*out_size = 0;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_sys(err, "cannot rewind a download");
	while ((n = io_read_full(fd, data, CHUNK)) > 0) {
		hasher_add(&h, data, (size_t)n);
		*out_size += (uint64_t)n;
	}
	hasher_end(&h, out);
	return n < 0 ? error_sys(err, "cannot read a download") : 0;
}

/* The copy of an earlier download, if it is whole. */
static bool have_body(int dir, const struct digest *d, uint64_t *out_size)
{
	char name[80];
	struct digest have;
	AUTO(fd) int fd = -1;

	body_name(d, name, sizeof(name));
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		futimens(fd, NULL); /* used now: prune takes the oldest first */
	return fd >= 0 && hash_file(fd, &have, out_size, NULL) == 0 && digest_eq(&have, d);
}

/* False: nothing is known of it, or nothing that can be used. */
static bool read_record(int dir, const char *url, struct facts *facts, struct remote_file *out)
{
	AUTO(json) json_t *doc = NULL;
	AUTO(buf) struct buf text = BUF_INIT;
	char name[80];
	const char *have;

	url_name(url, name, sizeof(name));
	if (io_read_file(dir, name, LIMIT_SAID_BYTES, &text, NULL) < 0 ||
	    json_parse(text.data, text.len, &doc, NULL) < 0)
		return false;
	have = json_string_value(json_object_get(doc, "digest"));
	if (!have || !digest_parse(have, &out->digest) ||
	    json_get_i64(doc, "modified", &facts->mtime_sec, NULL) < 0 ||
	    json_get_string(doc, "etag", &facts->etag, NULL) < 0)
		return false;
	out->mtime_sec = facts->mtime_sec;
	return have_body(dir, &out->digest, &out->size);
}

static int write_record(int dir, const char *url, const struct facts *facts,
			const struct remote_file *file, struct error *err)
{
	AUTO(json) json_t *doc = json_object();
	AUTO(buf) struct buf text = BUF_INIT;
	char name[80], digest[DIGEST_TEXT_SIZE];

	url_name(url, name, sizeof(name));
	json_object_set_new(doc, "digest", json_string(digest_text(&file->digest, digest)));
	json_object_set_new(doc, "modified", json_integer(facts->mtime_sec));
	if (facts->etag)
		json_object_set_new(doc, "etag", json_string(facts->etag));
	json_text(doc, &text);
	return io_write_file(dir, name, text.data, text.len, 0600, 0, err);
}

static int check_digest(const char *url, const struct digest *want, const struct digest *have,
			struct error *err)
{
	char want_text[DIGEST_TEXT_SIZE], have_text[DIGEST_TEXT_SIZE];
	AUTO(free) char *shown = remote_redact(url);

	if (!want || digest_eq(want, have))
		return 0;
	return error_set(err, ERR_CORRUPT, "digest mismatch for %s: %s (expected: %s)", shown,
			 digest_text(have, have_text), digest_text(want, want_text));
}

/* Under a name of its own until its digest is known. */
static int download_new(int dir, const char *url, const struct facts *known,
			const struct digest *want, struct facts *facts, struct remote_file *out,
			struct error *err)
{
	char temporary[REMOTE_NEW_SIZE], name[80];
	AUTO(fd) int fd = -1;
	int r = remote_cache_new(dir, false, temporary, &fd, err);

	if (r < 0)
		return r;
	r = run_helper(url, fd, known, facts, err);
	if (r == 0 && !facts->unchanged)
		r = hash_file(fd, &out->digest, &out->size, err);
	if (r == 0 && !facts->unchanged)
		r = check_digest(url, want, &out->digest, err);
	body_name(&out->digest, name, sizeof(name));
	if (r == 0 && !facts->unchanged && renameat(dir, temporary, dir, name) < 0)
		r = error_sys(err, "cannot keep a download");
	if (r < 0 || facts->unchanged)
		unlinkat(dir, temporary, 0);
	return r;
}

int remote_download(int cache, const char *url, const struct digest *want,
		    struct remote_file *out, struct error *err)
{
	AUTO(facts) struct facts known = {0}, facts = {0};
	AUTO(fd) int dir = -1;
	bool have;
	int r = remote_cache_open(cache, "http", &dir, err);

	*out = (struct remote_file){0};
	if (r < 0)
		return r;
	have = read_record(dir, url, &known, out);
	if (have && want && digest_eq(want, &out->digest))
		return 0;
	r = download_new(dir, url, have ? &known : NULL, want, &facts, out, err);
	if (r < 0)
		return r;
	if (facts.unchanged)
		return check_digest(url, want, &out->digest, err);
	out->mtime_sec = facts.mtime_sec;
	return write_record(dir, url, &facts, out, err);
}

int remote_open_body(int cache, const struct digest *d, int *out_fd, struct error *err)
{
	char hex[DIGEST_HEX_SIZE];
	AUTO(free) char *path = mem_printf("http/body-%s", digest_hex(d, hex));

	*out_fd = openat(cache, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return *out_fd < 0 ? error_sys(err, "a download is gone: cache/%s", path) : 0;
}
