/* SPDX-License-Identifier: Apache-2.0 */
/* Where a registry is, and how it is spoken to. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/root.h"
#include "registry/registry_call.h"

#include "base/banned.h"

#define PING_SECONDS 30u
#define PING_BYTES   (64u << 10)

/* ---- addresses ---- */

bool url_is_http(const char *url)
{
	AUTO(free) char *origin = url_origin(url);

	return origin;
}

/* No user, no odd characters: what two readers could read differently is refused. */
char *url_origin(const char *url)
{
	size_t scheme = str_starts(url, "https://") ? 8 : str_starts(url, "http://") ? 7 : 0;
	size_t host = strcspn(url + scheme, "/?#");
	AUTO(free) char *text = NULL;

	if (!scheme || !host)
		return NULL;
	text = mem_strndup(url, scheme + host);
	if (text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "0123456789.-_:/[]")])
		return NULL;
	if (scheme == 8 && str_ends(text, ":443"))
		text[strlen(text) - 4] = 0;
	if (scheme == 7 && str_ends(text, ":80"))
		text[strlen(text) - 3] = 0;
	return str_lower(text);
}

bool url_same_origin(const char *a, const char *b)
{
	AUTO(free) char *one = url_origin(a), *other = NULL;

	other = url_origin(b);
	return one && other && str_eq(one, other);
}

/* This machine, by its loopback names. */
static bool is_local(const char *host)
{
	AUTO(free) char *name = NULL;

	if (str_starts(host, "[::1]"))
		return true;
	name = mem_strndup(host, strcspn(host, ":"));
	return str_ieq(name, "localhost") || str_ends(name, ".localhost") ||
	       (str_starts(name, "127.") && name[strspn(name, "0123456789.")] == 0);
}

bool url_is_local(const char *url)
{
	const char *host = strstr(url, "://");

	return host && is_local(host + 3);
}

/* ---- certs.d ---- */

static void read_certificates(const char *dir, const char *domain, struct transfer_tls *out)
{
	AUTO(free) char *path = mem_printf("%s/certs.d/%s", dir, domain);
	AUTO(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dir_list) struct dir_list list = {0};

	if (fd < 0 || dir_list_read(fd, &list, NULL) < 0)
		return;
	for (size_t i = 0; i < list.n; i++) {
		const char *name = list.items[i].name;
		size_t stem = strlen(name) > 5 ? strlen(name) - 5 : 0;
		AUTO(free) char *file = mem_printf("%s/%s", path, name);
		AUTO(free) char *key = NULL;

		if (str_ends(name, ".crt")) {
			strlist_add(&out->authorities, file);
		} else if (str_ends(name, ".cert") && !out->certificate) {
			key = mem_printf("%s/%.*s.key", path, (int)stem, name);
			if (access(key, R_OK) < 0)
				continue;
			out->certificate = take_ptr(file);
			out->key = take_ptr(key);
		}
	}
}

static void find_certificates(const char *domain, struct transfer_tls *out)
{
	const char *home = getenv("HOME"), *docker = getenv("DOCKER_CERTS_DIR");
	AUTO(free) char *own = home ? mem_printf("%s/.config/containers", home) : NULL;

	if (docker)
		read_certificates(docker, domain, out);
	read_certificates("/etc/docker", domain, out);
	read_certificates("/etc/containers", domain, out);
	if (own)
		read_certificates(own, domain, out);
}

/* ---- which scheme ---- */

/*
 * As Docker: HTTPS with any certificate, else plain HTTP.  An authority of its
 * own says that the certificate matters.
 */
static int choose_scheme(struct registry *r, const char *host, bool insecure, struct error *err)
{
	AUTO(call) struct call c = CALL_INIT;
	int result;

	r->origin = mem_printf("https://%s", host);
	r->tls_alone = !is_local(host) && !insecure;
	if (r->tls_alone)
		return 0;
	r->tls.direct = is_local(host);
	r->tls.insecure = insecure || !r->tls.authorities.n;
	c.url = mem_printf("https://%s/v2/", host);
	c.anonymous = c.once = true;
	c.seconds = PING_SECONDS;
	c.limit = PING_BYTES;
	result = call_simple(r, &c, err);
	if (result == 0 || !c.broken)
		return result == 0 ? 0 : error_wrap(err, "registry %s", r->domain);
	if (!r->tls.insecure)
		return result;
	error_clear(err);
	free(r->origin);
	r->origin = mem_printf("http://%s", host);
	return 0;
}

int registry_connect(const char *domain, bool insecure, struct registry **out,
		     struct error *err)
{
	struct registry *r = mem_new(struct registry);
	int result = transfer_start(&r->transfer, err);

	r->domain = mem_strdup(domain);
	find_certificates(domain, &r->tls);
	if (result == 0)
		result = choose_scheme(r,
				       str_eq(domain, REFERENCE_DEFAULT_DOMAIN) ||
						       str_eq(domain, "index.docker.io")
					       ? REGISTRY_DOCKER_HUB
					       : domain,
				       insecure, err);
	if (result < 0) {
		registry_close(r);
		return result;
	}
	*out = r;
	return 0;
}

int registry_open(const struct reference *ref, unsigned access, struct registry **out,
		  struct error *err)
{
	AUTO(free) char *name = mem_printf("%s/%s", ref->domain, ref->path);
	AUTO(registry) struct registry *r = NULL;
	int result = registry_connect(ref->domain, access & REGISTRY_INSECURE, &r, err);

	if (result < 0)
		return result;
	if ((result = registry_credential_find(name, &r->credential, err)) < 0)
		return result;
	r->path = mem_strdup(ref->path);
	strlist_printf(&r->scopes, "repository:%s:%s", ref->path,
		       access & REGISTRY_PUSH ? "pull,push" : "pull");
	*out = take_ptr(r);
	return 0;
}

void registry_pull_too(struct registry *r, const char *path)
{
	strlist_printf(&r->scopes, "repository:%s:pull", path);
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void registry_close(struct registry *r)
{
	if (!r)
		return;
	transfer_stop(r->transfer);
	free(r->domain);
	free(r->origin);
	free(r->path);
	strlist_clear(&r->scopes);
	strlist_clear(&r->tls.authorities);
	free(r->tls.certificate);
	free(r->tls.key);
	registry_credential_clear(&r->credential);
	wipe(r->authorization);
	free(r->calls.items);
	free(r);
}
