/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials in the files that Docker's and podman's programs share: an object
 * "auths" by registry, with user and password in base64, or the names of helper
 * programs that keep them (docker-credential-NAME; its protocol: a word as the
 * argument, JSON or an address on standard input, JSON on standard output).
 */
#include <errno.h>
#include <fcntl.h>
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/process.h"
#include "registry/registry_call.h"

#include "base/banned.h"

#define LIMIT_AUTH_FILE (4u << 20)
#define LIMIT_HELPER	(1u << 20)
#define INDENT		4
#define HUB_KEY		"https://index.docker.io/v1/"
#define NOT_FOUND_WORDS "credentials not found"

/* ---- the files ---- */

static void auth_files(struct strlist *out)
{
	const char *own = getenv("REGISTRY_AUTH_FILE"), *docker = getenv("DOCKER_CONFIG");
	const char *home = getenv("HOME"), *run = getenv("XDG_RUNTIME_DIR");

	if (!str_empty(own))
		strlist_add(out, own);
	if (!str_empty(docker))
		strlist_printf(out, "%s/config.json", docker);
	else if (!str_empty(home))
		strlist_printf(out, "%s/.docker/config.json", home);
	if (!str_empty(run))
		strlist_printf(out, "%s/containers/auth.json", run);
}

/* *out NULL: it is not there. */
static int read_file(const char *path, json_t **out, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	int r = io_read_file(AT_FDCWD, path, LIMIT_AUTH_FILE, &text, err);

	*out = NULL;
	if (r == -ERR_NOT_FOUND) {
		error_clear(err);
		return 0;
	}
	if (r == 0 && text.len)
		r = json_parse(text.data, text.len, out, err);
	if (r == 0 && *out && !json_is_object(*out))
		r = error_set(err, ERR_INVALID, "it is not an object");
	return r < 0 ? error_wrap(err, "%s", path) : 0;
}

/* ---- names ---- */

static bool is_hub(const char *host)
{
	return str_eq(host, "docker.io") || str_eq(host, "index.docker.io") ||
	       str_eq(host, REGISTRY_DOCKER_HUB);
}

static const char *key_of(const char *domain)
{
	return is_hub(domain) ? HUB_KEY : domain;
}

/* "https://host/v1/" is host; "host/path" stays. */
static char *plain_key(const char *key)
{
	size_t skip = str_starts(key, "https://") ? 8 : str_starts(key, "http://") ? 7 : 0;

	return skip ? mem_strndup(key + skip, strcspn(key + skip, "/")) : mem_strdup(key);
}

/* How many bytes of @name the key covers; 0: it is about something else. */
static size_t covers(const char *key, const char *name)
{
	AUTO(free) char *plain = plain_key(key);
	AUTO(free) char *host = mem_strndup(name, strcspn(name, "/"));
	size_t n = strlen(plain);

	if (is_hub(host) && is_hub(plain))
		return strlen(host);
	if (!n || strncmp(plain, name, n) != 0 || (name[n] && name[n] != '/'))
		return 0;
	return n;
}

/* ---- helpers ---- */

/* Docker's words for what a helper cannot do. */
static int helper_failed(const char *word, const char *why, const char *said, struct error *err)
{
	const char *doing = str_eq(word, "store") ? "storing"
			    : str_eq(word, "get") ? "getting"
						  : "erasing";

	return error_set(err, ERR_FAILED, "error %s credentials - err: %s, out: `%.*s`", doing,
			 why, (int)strcspn(said, "\n"), said);
}

static int run_helper(const char *helper, const char *word, const char *input, struct buf *out,
		      bool *out_found, struct error *err)
{
	AUTO(free) char *program = mem_printf("docker-credential-%s", helper);
	AUTO(free) char *copy = mem_strdup(word);
	AUTO(buf) struct buf said = BUF_INIT;
	char *argv[] = {program, copy, NULL};
	char ended[32];
	int status, r;

	if (strchr(helper, '/'))
		return error_set(err, ERR_INVALID, "a credential helper has the name %s",
				 helper);
	r = process_run(argv, input, LIMIT_HELPER, out, &said, &status, err);
	if (r == -ERR_NOT_FOUND) {
		AUTO(free)
		char *why =
			mem_printf("exec: \"%s\": executable file not found in $PATH", program);

		return helper_failed(word, why, "", err);
	}
	if (r < 0)
		return r;
	*out_found = status == 0;
	if (status == 0 || strstr(buf_str(out), NOT_FOUND_WORDS) ||
	    strstr(buf_str(&said), NOT_FOUND_WORDS))
		return 0;
	snprintf(ended, sizeof(ended), "exit status %d", status);
	return helper_failed(word, ended, out->len ? buf_str(out) : buf_str(&said), err);
}

static int ask_helper(const char *helper, const char *key, struct registry_credential *out,
		      bool *out_found, struct error *err)
{
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(json) json_t *doc = NULL;
	int r = run_helper(helper, "get", key, &text, out_found, err);

	if (r == 0 && *out_found)
		r = json_parse(text.data, text.len, &doc, err);
	if (r == 0 && *out_found &&
	    ((r = json_get_string(doc, "Username", &out->user, err)) < 0 ||
	     (r = json_get_string(doc, "Secret", &out->secret, err)) < 0))
		r = error_wrap(err, "docker-credential-%s", helper);
	if (str_eq(out->user, "<token>"))
		out->identity_token = take_ptr(out->secret);
	if (text.data)
		explicit_bzero(text.data, text.len);
	return r;
}

/* The helper that keeps this registry's secret; borrowed, NULL: the file itself. */
static const char *helper_of(const json_t *file, const char *domain)
{
	const json_t *own = json_object_get(file, "credHelpers");
	const char *name = json_string_value(json_object_get(own, domain));

	if (!name && is_hub(domain))
		name = json_string_value(json_object_get(own, HUB_KEY));
	return name ? name : json_string_value(json_object_get(file, "credsStore"));
}

/* ---- looking ---- */

static void decode_auth(const char *text, struct registry_credential *out)
{
	struct base64_decode_ctx ctx;
	size_t len = strlen(text), n = BASE64_DECODE_LENGTH(len);
	AUTO(free) char *plain = mem_zalloc(n + 1);
	char *colon;

	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &n, (uint8_t *)plain, len, text))
		return;
	plain[n] = 0;
	if (!(colon = strchr(plain, ':')))
		return;
	free(out->user);
	free(out->secret);
	out->user = mem_strndup(plain, (size_t)(colon - plain));
	out->secret = mem_strdup(colon + 1);
	explicit_bzero(plain, n);
}

static int read_entry(const json_t *entry, struct registry_credential *out, struct error *err)
{
	AUTO(free) char *auth = NULL;
	int r;

	if ((r = json_get_string(entry, "username", &out->user, err)) < 0 ||
	    (r = json_get_string(entry, "password", &out->secret, err)) < 0 ||
	    (r = json_get_string(entry, "identitytoken", &out->identity_token, err)) < 0 ||
	    (r = json_get_string(entry, "auth", &auth, err)) < 0)
		return r;
	if (!str_empty(auth))
		decode_auth(auth, out);
	return 0;
}

static bool is_known(const struct registry_credential *c)
{
	return !str_empty(c->user) || !str_empty(c->identity_token);
}

static int find_in(const json_t *file, const char *name, struct registry_credential *out,
		   struct error *err)
{
	AUTO(free) char *domain = mem_strndup(name, strcspn(name, "/"));
	const char *helper = helper_of(file, domain), *key;
	json_t *entry, *best = NULL;
	bool found = false;
	size_t most = 0;
	int r = 0;

	if (helper)
		r = ask_helper(helper, key_of(domain), out, &found, err);
	if (r < 0 || (found && is_known(out)))
		return r;
	json_object_foreach (json_object_get(file, "auths"), key, entry) {
		size_t n = covers(key, name);

		if (n > most) {
			most = n;
			best = entry;
		}
	}
	return best ? read_entry(best, out, err) : 0;
}

int registry_credential_find(const char *name, struct registry_credential *out,
			     struct error *err)
{
	AUTO(strlist) struct strlist files = STRLIST_INIT;

	*out = REGISTRY_CREDENTIAL_INIT;
	auth_files(&files);
	for (size_t i = 0; i < files.n; i++) {
		AUTO(json) json_t *file = NULL;
		int r = read_file(files.items[i], &file, err);

		if (r < 0)
			return r;
		if (!file)
			continue;
		if ((r = find_in(file, name, out, err)) < 0)
			return error_wrap(err, "credentials for %s", name);
		if (is_known(out))
			return 0;
		registry_credential_clear(out);
	}
	return 0;
}

/* ---- changing ---- */

/* Parents too; what is there stays as it is. */
static int open_parent(const char *path, int *out_fd, struct error *err)
{
	AUTO(free) char *dir = mem_strndup(path, (size_t)(strrchr(path, '/') - path));

	for (char *p = dir + 1; *p; p++)
		if (*p == '/') {
			*p = 0;
			mkdir(dir, 0700);
			*p = '/';
		}
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return error_sys(err, "cannot create %s", dir);
	*out_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out_fd < 0 ? error_sys(err, "%s", dir) : 0;
}

/* Indented as Docker does it. */
static void tabs(const char *text, struct buf *out)
{
	while (*text) {
		size_t spaces = strspn(text, " "), rest = strcspn(text + spaces, "\n");

		for (size_t i = 0; i < spaces / INDENT; i++)
			buf_addch(out, '\t');
		text += spaces;
		rest += text[rest] == '\n';
		buf_add(out, text, rest);
		text += rest;
	}
}

/* Where it is, which has a slash in it: a link stays one, and the file behind it is written. */
static char *behind_links(const char *path)
{
	AUTO(fd) int fd = open(path, O_PATH | O_CLOEXEC);
	char *to = fd < 0 ? NULL : io_fd_path(fd);

	if (to)
		return to;
	return strchr(path, '/') ? mem_strdup(path) : mem_printf("./%s", path);
}

static int write_file(const char *path, const json_t *file, struct error *err)
{
	AUTO(free) char *given = behind_links(path);
	AUTO(free) char *text = json_dumps(file, JSON_INDENT(INDENT) | JSON_PRESERVE_ORDER);
	AUTO(buf) struct buf out = BUF_INIT;
	AUTO(fd) int dir = -1;
	int r = open_parent(given, &dir, err);

	if (r < 0)
		return r;
	tabs(text ? text : "{}", &out);
	r = io_write_file(dir, strrchr(given, '/') + 1, out.data, out.len, 0600, IO_SYNC, err);
	return r < 0 ? error_wrap(err, "%s", path) : 0;
}

static int first_file(char **out, json_t **out_file, struct error *err)
{
	AUTO(strlist) struct strlist files = STRLIST_INIT;
	int r;

	auth_files(&files);
	if (!files.n)
		return error_set(err, ERR_NOT_FOUND,
				 "there is no place for credentials: HOME is not set");
	if ((r = read_file(files.items[0], out_file, err)) < 0)
		return r;
	*out = mem_strdup(files.items[0]);
	if (!*out_file)
		*out_file = json_object();
	return 0;
}

static int keep_with(const char *helper, const char *key, const struct registry_credential *c,
		     struct error *err)
{
	AUTO(json) json_t *doc = json_object();
	AUTO(buf) struct buf text = BUF_INIT;
	AUTO(buf) struct buf out = BUF_INIT;
	bool done;
	int r;

	json_object_set_new(doc, "ServerURL", json_string(key));
	json_object_set_new(doc, "Username", json_string(c->user));
	json_object_set_new(doc, "Secret", json_string(c->secret));
	json_text(doc, &text);
	r = run_helper(helper, "store", buf_str(&text), &out, &done, err);
	explicit_bzero(text.data, text.len);
	return r;
}

int registry_credential_keep(const char *domain, const struct registry_credential *c,
			     char **out_file, struct error *err)
{
	AUTO(free) char *path = NULL;
	AUTO(json) json_t *file = NULL;
	AUTO(buf) struct buf basic = BUF_INIT;
	AUTO(json) json_t *entry = json_object();
	json_t *auths;
	const char *helper;
	int r = first_file(&path, &file, err);

	*out_file = NULL;
	if (r < 0)
		return r;
	helper = helper_of(file, domain);
	if (helper && (r = keep_with(helper, key_of(domain), c, err)) < 0)
		return error_wrap(err, "Error saving credentials");
	if (!json_is_object(json_object_get(file, "auths")))
		json_object_set_new(file, "auths", json_object());
	auths = json_object_get(file, "auths");
	registry_basic(c, &basic);
	if (!helper)
		json_object_set_new(entry, "auth", json_string(strchr(basic.data, ' ') + 1));
	/* as it is: then the file stays, too */
	if (json_equal(json_object_get(auths, key_of(domain)), entry))
		return 0;
	json_object_set(auths, key_of(domain), entry);
	if ((r = write_file(path, file, err)) == 0 && !helper)
		*out_file = take_ptr(path);
	return r;
}

int registry_credential_forget(const char *domain, struct error *err)
{
	AUTO(free) char *path = NULL;
	AUTO(json) json_t *file = NULL;
	AUTO(buf) struct buf out = BUF_INIT;
	const char *helper;
	bool erased = false;
	json_t *auths;
	int r = first_file(&path, &file, err);

	if (r < 0)
		return r;
	auths = json_object_get(file, "auths");
	helper = helper_of(file, domain);
	if (helper && (r = run_helper(helper, "erase", key_of(domain), &out, &erased, err)) < 0)
		return r;
	if (json_object_del(auths, key_of(domain)) < 0)
		return 0;
	return write_file(path, file, err);
}

/* ---- login ---- */

static const char *status_text(long status)
{
	static const struct {
		long status;
		const char *text;
	} known[] = {{401, " Unauthorized"},
		     {403, " Forbidden"},
		     {404, " Not Found"},
		     {429, " Too Many Requests"},
		     {500, " Internal Server Error"},
		     {503, " Service Unavailable"}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].status == status)
			return known[i].text;
	return "";
}

static int check_login(struct registry *r, struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	int result;

	c.url = mem_printf("%s/v2/", r->origin);
	c.seconds = 60;
	if ((result = call_simple(r, &c, err)) < 0)
		return result;
	if (c.response.status == 200)
		return 0;
	return error_set(err, ERR_DENIED, "login attempt to %s failed with status: %ld%s",
			 c.url, c.response.status, status_text(c.response.status));
}

int registry_login(const char *domain, const struct registry_credential *c, struct error *err)
{
	AUTO(registry) struct registry *r = NULL;
	bool insecure = false;
	int result = registry_conf_insecure(domain, &insecure, err);

	if (result < 0 || (result = registry_connect(domain, insecure, &r, err)) < 0)
		return result;
	r->credential.user = mem_strdup(c->user);
	r->credential.secret = mem_strdup(c->secret ? c->secret : "");
	return check_login(r, err);
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void registry_credential_clear(struct registry_credential *c)
{
	free(c->user);
	wipe(c->secret);
	wipe(c->identity_token);
	*c = REGISTRY_CREDENTIAL_INIT;
}
