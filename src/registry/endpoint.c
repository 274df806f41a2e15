/* SPDX-License-Identifier: Apache-2.0 */
/* Where a registry is, and how it is spoken to. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/root.h"
#include "registry/registry_call.h"

#include "base/banned.h"

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

/* "[::1]:5000" is "::1", "A.example:443" is "a.example"; "": neither. */
static char *host_alone(const char *host)
{
	bool six = *host == '[';
	size_t n = strcspn(host, six ? "]" : ":"), end = n + six;
	AUTO(free) char *name = NULL;

	if (six && (!host[n] || (host[end] && host[end] != ':')))
		n = six;
	name = mem_strndup(host + six, n - six);
	return str_lower(name);
}

/* The address of IPv4 that one of IPv6 is another form of. */
static bool is_mapped(const struct in6_addr *six, struct in_addr *out)
{
	if (!IN6_IS_ADDR_V4MAPPED(six))
		return false;
	memcpy(out, six->s6_addr + 12, sizeof(*out));
	return true;
}

/*
 * This machine, by what nobody can read otherwise: plain HTTP is spoken to it.  Docker too
 * takes 127.1 and 0x7f000001 for names.
 */
static bool is_local(const char *host)
{
	AUTO(free) char *name = host_alone(host);
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET6, name, &six) == 1 && *host == '[') {
		if (!is_mapped(&six, &four))
			return IN6_IS_ADDR_LOOPBACK(&six);
	} else if (inet_pton(AF_INET, name, &four) != 1) {
		return str_eq(name, "localhost") || str_ends(name, ".localhost");
	}
	return ntohl(four.s_addr) >> 24 == 127;
}

bool url_is_local(const char *url)
{
	AUTO(free) char *origin = url_origin(url);

	return origin && is_local(strstr(origin, "://") + 3);
}

bool url_may_be_here(const char *url)
{
	AUTO(free) char *origin = url_origin(url), *name = NULL;
	struct in6_addr six;
	struct in_addr four;

	if (!origin)
		return false;
	name = host_alone(strstr(origin, "://") + 3);
	/* the resolver takes "localhost." for it, and curl the dot away */
	for (size_t n = strlen(name); n && name[n - 1] == '.';)
		name[--n] = 0;
	if (inet_pton(AF_INET6, name, &six) == 1) {
		if (IN6_IS_ADDR_UNSPECIFIED(&six))
			return true;
		if (!is_mapped(&six, &four))
			return IN6_IS_ADDR_LOOPBACK(&six);
	} else if (!inet_aton(name, &four)) {
		return is_local(name);
	}
	/* Linux takes 0.0.0.0 for itself */
	return ntohl(four.s_addr) >> 24 == 127 || !four.s_addr;
}

int url_check_next(const char *from, const char *to, struct error *err)
{
	if (!to || !url_is_http(to))
		return error_set(err, ERR_DENIED,
				 "%s was redirected to something that is not http(s): %.200s",
				 from, to ? to : "nowhere");
	if (str_starts(from, "https:") && !str_starts(to, "https:"))
		return error_set(err, ERR_DENIED,
				 "%s was redirected from HTTPS to plain HTTP: %.200s", from,
				 to);
	if (!url_may_be_here(from) && url_may_be_here(to))
		return error_set(err, ERR_DENIED,
				 "%s was redirected to this machine itself: %.200s", from, to);
	return 0;
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
 * As Docker: HTTPS with any certificate, else plain HTTP; but a registry of this machine
 * mostly speaks plain HTTP, and TLS takes longer to say so than all else in a pull of what
 * is there.  So the first call finds out.  An authority of its own says that the
 * certificate matters.
 */
static void guess_scheme(struct registry *r, const char *host, bool insecure)
{
	bool local = is_local(host);

	r->tls_alone = !local && !insecure;
	r->tls.direct = local;
	r->tls.insecure = !r->tls_alone && (insecure || !r->tls.authorities.n);
	r->guess = !r->tls.insecure ? GUESS_NONE : local ? GUESS_PLAIN : GUESS_TLS;
	r->origin = mem_printf("%s://%s", r->guess == GUESS_PLAIN ? "http" : "https", host);
}

/* The other scheme for all that is asked. */
static void change_scheme(struct registry *r)
{
	bool plain = str_starts(r->origin, "http:");
	AUTO(free) char *old = r->origin;

	r->origin = mem_printf("%s%s", plain ? "https" : "http", strchr(old, ':'));
	for (size_t i = 0; i < r->calls.n; i++) {
		struct call *c = r->calls.items[i];
		char *url;

		if (!str_starts(c->url, old))
			continue;
		url = mem_printf("%s%s", r->origin, c->url + strlen(old));
		free(c->url);
		c->url = url;
	}
}

/* A server of HTTPS answers plain HTTP with 400, or breaks off, or sends us on. */
bool registry_guess_again(struct registry *r, const struct call *c)
{
	const struct transfer_event *e = &c->response;
	enum registry_guess was = r->guess;

	r->guess = GUESS_NONE;
	if (was == GUESS_NONE ||
	    (!e->error &&
	     (was == GUESS_TLS || !(e->status == 400 || call_is_redirect(e->status)))))
		return false;
	if (was == GUESS_PLAIN)
		r->guess = GUESS_TLS;
	change_scheme(r);
	return true;
}

static int connect_to(struct registry *r, const char *domain, bool insecure, struct error *err)
{
	bool hub =
		str_eq(domain, REFERENCE_DEFAULT_DOMAIN) || str_eq(domain, "index.docker.io");

	r->domain = mem_strdup(domain);
	find_certificates(domain, &r->tls);
	guess_scheme(r, hub ? REGISTRY_DOCKER_HUB : domain, insecure);
	return transfer_start(&r->tls, &r->transfer, err);
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

/* Nothing of one registry, least of all its secret, is there when the next one is spoken to. */
static void disconnect(struct registry *r)
{
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
	r->transfer = NULL;
	r->domain = r->origin = r->path = r->authorization = NULL;
	r->tls = (struct transfer_tls){0};
	r->answered = r->tls_alone = false;
	r->guess = GUESS_NONE;
}

int registry_connect(const char *domain, bool insecure, struct registry **out,
		     struct error *err)
{
	AUTO(registry) struct registry *r = mem_new(struct registry);
	int result = connect_to(r, domain, insecure, err);

	if (result == 0)
		*out = take_ptr(r);
	return result;
}

/* ---- which place ---- */

static int take_route(struct registry *r, struct error *err)
{
	const struct registry_route *to = &r->routes.items[r->at];
	AUTO(free) char *name = mem_printf("%s/%s", to->domain, to->path);
	bool insecure = to->insecure || r->access & REGISTRY_INSECURE;
	int result = connect_to(r, to->domain, insecure, err);

	if (result < 0 || (result = registry_credential_find(name, &r->credential, err)) < 0)
		return result;
	r->path = mem_strdup(to->path);
	strlist_printf(&r->scopes, "repository:%s:%s", to->path,
		       r->access & REGISTRY_PUSH ? "pull,push" : "pull");
	return 0;
}

bool registry_has_next(const struct registry *r, int result)
{
	return result < 0 && result != -ERR_CANCELLED && r->at + 1 < r->routes.n;
}

int registry_next(struct registry *r, struct error *err)
{
	int result;

	do {
		log_debug("registry", "%s: not from there", r->domain);
		error_clear(err);
		disconnect(r);
		r->at++;
		result = take_route(r, err);
	} while (registry_has_next(r, result));
	return result;
}

int registry_go_home(struct registry *r, struct error *err)
{
	int result = 0;

	if (!r->settled && r->at + 1 < r->routes.n) {
		r->at = r->routes.n - 2;
		result = registry_next(r, err);
	}
	r->settled = true;
	return result;
}

int registry_open(const struct reference *ref, unsigned access, struct registry **out,
		  struct error *err)
{
	AUTO(registry) struct registry *r = mem_new(struct registry);
	int result = registry_routes_find(ref, !(access & REGISTRY_PUSH), &r->routes, err);

	if (result < 0)
		return result;
	r->access = access;
	result = take_route(r, err);
	if (registry_has_next(r, result))
		result = registry_next(r, err);
	if (result == 0)
		*out = take_ptr(r);
	return result;
}

void registry_pull_too(struct registry *r, const char *path)
{
	strlist_printf(&r->scopes, "repository:%s:pull", path);
}

void registry_close(struct registry *r)
{
	if (!r)
		return;
	disconnect(r);
	registry_routes_clear(&r->routes);
	free(r->calls.items);
	free(r);
}
