/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms, normalised by the rules that containerd's platforms package uses. */
#include "oci/oci.h"

#include <string.h>
#include <sys/utsname.h>

#include "oci/oci_json.h"

#include "base/mem.h"
#include "base/banned.h"

#define MATCH_EXACT 100u

struct arch_alias {
	const char *from;
	const char *architecture;
	const char *variant; /* NULL keeps what was given */
};

/* Names that uname(2) and people use, and what GOARCH calls them. */
static const struct arch_alias arch_aliases[] = {
	{"i386", "386", NULL},
	{"i486", "386", NULL},
	{"i586", "386", NULL},
	{"i686", "386", NULL},
	{"x86_64", "amd64", NULL},
	{"x86-64", "amd64", NULL},
	{"aarch64", "arm64", NULL},
	{"armhf", "arm", "v7"},
	{"armel", "arm", "v6"},
	{"armv5l", "arm", "v5"},
	{"armv6l", "arm", "v6"},
	{"armv7l", "arm", "v7"},
	{"armv8l", "arm", "v7"},
	{"ppc64el", "ppc64le", NULL},
	{"powerpc64le", "ppc64le", NULL},
	{"mips64el", "mips64le", NULL},
	{"loongarch64", "loong64", NULL},
};

static const char *const known_os[] = {"linux",	 "windows", "darwin", "freebsd",   "openbsd",
				       "netbsd", "solaris", "plan9",  "dragonfly", "android",
				       "aix",	 "wasip1",  "js"};

static const char *const known_arch[] = {"386",	    "amd64", "arm",	"arm64",  "ppc64",
					 "ppc64le", "mips",  "mipsle",	"mips64", "mips64le",
					 "riscv64", "s390x", "loong64", "wasm"};

static bool listed(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(s, list[i]))
			return true;
	return false;
}

static void replace(char **field, const char *value)
{
	if (str_eq(*field, value))
		return;
	free(*field);
	*field = dup_or_null(value);
}

/* Lower case, one name for each architecture, and no variant that goes without saying. */
static void normalise(struct platform *p)
{
	char **fields[] = {&p->os, &p->architecture, &p->variant};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!*fields[i])
			continue;
		char *lower = str_lower(*fields[i]);

		free(*fields[i]);
		*fields[i] = lower;
	}
	if (str_eq(p->os, "macos"))
		replace(&p->os, "darwin");
	if (str_empty(p->variant))
		replace(&p->variant, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(arch_aliases); i++) {
		const struct arch_alias *a = &arch_aliases[i];

		if (!str_eq(p->architecture, a->from))
			continue;
		replace(&p->architecture, a->architecture);
		if (a->variant && !p->variant)
			replace(&p->variant, a->variant);
		break;
	}
	if (p->variant && p->variant[0] >= '5' && p->variant[0] <= '8' && !p->variant[1]) {
		char *v = mem_printf("v%s", p->variant);

		free(p->variant);
		p->variant = v;
	}
	if (str_eq(p->architecture, "arm64") && str_eq(p->variant, "v8"))
		replace(&p->variant, NULL);
	if (str_eq(p->architecture, "amd64") && str_eq(p->variant, "v1"))
		replace(&p->variant, NULL);
	if (str_eq(p->architecture, "arm") && !p->variant)
		replace(&p->variant, "v7");
}

static bool part_valid(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
		      (*s >= '0' && *s <= '9') || strchr("_.-", *s)))
			return false;
	return true;
}

/* "linux" alone is an operating system, "amd64" alone an architecture. */
static int parse_single(const char *text, struct platform *p, struct error *err)
{
	struct platform host = PLATFORM_INIT;

	platform_host(&host);
	p->os = mem_strdup(text);
	normalise(p);
	if (listed(p->os, known_os, ARRAY_SIZE(known_os))) {
		p->architecture = take_ptr(host.architecture);
		p->variant = take_ptr(host.variant);
		platform_clear(&host);
		return 0;
	}
	p->architecture = take_ptr(p->os);
	p->os = take_ptr(host.os);
	platform_clear(&host);
	normalise(p);
	if (listed(p->architecture, known_arch, ARRAY_SIZE(known_arch)))
		return 0;
	return error_set(err, ERR_INVALID,
			 "\"%.100s\": unknown operating system or architecture: invalid "
			 "platform",
			 text);
}

static int parse(const char *text, struct platform *p, struct error *err)
{
	AUTO(strlist) struct strlist parts = STRLIST_INIT;

	strlist_split(&parts, text, '/');
	for (size_t i = 0; i < parts.n; i++)
		if (!part_valid(parts.items[i]) || parts.n > 3)
			return error_set(err, ERR_INVALID,
					 "\"%.100s\" is an invalid platform: expected "
					 "os/architecture[/variant]",
					 text);
	if (parts.n == 1)
		return parse_single(text, p, err);
	p->os = mem_strdup(parts.items[0]);
	p->architecture = mem_strdup(parts.items[1]);
	if (parts.n == 3)
		p->variant = mem_strdup(parts.items[2]);
	/* "arm/v7" leaves the operating system out. */
	if (parts.n == 2 && listed(p->os, known_arch, ARRAY_SIZE(known_arch)) &&
	    !listed(p->architecture, known_arch, ARRAY_SIZE(known_arch))) {
		p->variant = take_ptr(p->architecture);
		p->architecture = take_ptr(p->os);
		p->os = mem_strdup("linux");
	}
	normalise(p);
	return 0;
}

int platform_parse(const char *text, struct platform *out, struct error *err)
{
	AUTO(platform) struct platform p = PLATFORM_INIT;
	int rc = parse(text, &p, err);

	if (rc < 0)
		return rc;
	*out = p;
	p = PLATFORM_INIT;
	return 0;
}

void platform_host(struct platform *out)
{
	struct utsname uts;

	*out = PLATFORM_INIT;
	out->os = mem_strdup("linux");
	out->architecture = mem_strdup(uname(&uts) < 0 ? "amd64" : uts.machine);
	normalise(out);
}

void platform_format(const struct platform *p, struct buf *out)
{
	struct platform n = PLATFORM_INIT;

	platform_copy(p, &n);
	normalise(&n);
	buf_printf(out, "%s/%s", n.os ? n.os : "unknown",
		   n.architecture ? n.architecture : "unknown");
	if (n.variant)
		buf_printf(out, "/%s", n.variant);
	platform_clear(&n);
}

bool platform_eq(const struct platform *a, const struct platform *b)
{
	AUTO(buf) struct buf left = BUF_INIT;
	AUTO(buf) struct buf right = BUF_INIT;

	platform_format(a, &left);
	platform_format(b, &right);
	return str_eq(buf_str(&left), buf_str(&right));
}

/* "v7" is 7; no variant is the architecture's lowest. */
static unsigned variant_level(const struct platform *p)
{
	if (p->variant && p->variant[0] == 'v' && p->variant[1] >= '1' &&
	    p->variant[1] <= '9' && !p->variant[2])
		return (unsigned)(p->variant[1] - '0');
	if (p->variant)
		return 0;
	return str_eq(p->architecture, "arm64") ? 8 : 1;
}

unsigned platform_match(const struct platform *want, const struct platform *have)
{
	AUTO(platform) struct platform w = PLATFORM_INIT;
	AUTO(platform) struct platform h = PLATFORM_INIT;
	unsigned level, offered;

	platform_copy(want, &w);
	platform_copy(have, &h);
	normalise(&w);
	normalise(&h);
	if (!str_eq(w.os, h.os) || !str_eq(w.architecture, h.architecture))
		return 0;
	if (str_eq(w.variant, h.variant))
		return MATCH_EXACT;
	level = variant_level(&w);
	offered = variant_level(&h);
	if (!level || !offered || offered > level)
		return 0;
	return MATCH_EXACT - (level - offered);
}

void platform_copy(const struct platform *from, struct platform *to)
{
	*to = (struct platform){
		.os = dup_or_null(from->os),
		.architecture = dup_or_null(from->architecture),
		.variant = dup_or_null(from->variant),
		.os_version = dup_or_null(from->os_version),
	};
}

void platform_clear(struct platform *p)
{
	free(p->os);
	free(p->architecture);
	free(p->variant);
	free(p->os_version);
	*p = PLATFORM_INIT;
}
