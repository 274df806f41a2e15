/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ignore - which paths of a build context do not exist for the build.
 *
 * A pattern is compiled to elements.  Matching keeps the set of elements that
 * the path read so far can have reached; there is nothing to go back to, so a
 * hostile pattern costs at most the product of the two lengths.  The set is
 * asked at each '/' too, because a match of a parent directory is a match.
 */
#include "dockerfile/dockerfile_parser.h"

#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

/* Longer than any path: nothing could match it. */
#define MAX_PATTERN 4096

enum element_kind {
	ELEMENT_RUNE,
	ELEMENT_CHAR,  /* '?' */
	ELEMENT_CLASS, /* [a-z] */
	ELEMENT_STAR,  /* '*': any text without '/' */
	ELEMENT_DIRS,  /* "**" and "**" before '/': nothing, or any text that ends in '/' */
	ELEMENT_ALL,   /* any text */
};

struct element {
	enum element_kind kind;
	uint32_t rune;
	const char *class; /* in .clean */
};

struct pattern {
	char *written; /* owned, as is the next */
	char *clean;   /* relative, without '!', "." and ".." */
	unsigned line;
	bool negated;
	bool plain;    /* no element but runes: compared as text */
	size_t prefix; /* bytes of .clean that a path must begin with */
	struct element *items;
	size_t n;
	size_t cap;
};

struct ignore {
	struct pattern *items;
	size_t n;
	size_t cap;
	bool has_negated;
};

/* ------------------------------------------------------------------------ compiling */

/* The path by text: no empty and "." components, ".." takes one back; "." if nothing is left.
 */
static char *clean_path(const char *s)
{
	AUTO(strlist) struct strlist parts = STRLIST_INIT, kept = STRLIST_INIT;
	bool absolute = *s == '/';

	strlist_split(&parts, s, '/');
	for (size_t k = 0; k < parts.n; k++) {
		const char *part = parts.items[k];

		if (str_empty(part) || str_eq(part, "."))
			continue;
		if (!str_eq(part, ".."))
			strlist_add(&kept, part);
		else if (kept.n && !str_eq(kept.items[kept.n - 1], ".."))
			strlist_remove(&kept, kept.n - 1);
		else if (!absolute)
			strlist_add(&kept, part);
	}
	return kept.n ? strlist_join(&kept, "/") : mem_strdup(".");
}

static void add_element(struct pattern *p, enum element_kind kind, uint32_t rune,
			const char *class)
{
	*vec_push(p) = (struct element){kind, rune, class};
}

/* "**" at @s; returns what follows. */
static const char *add_double_star(struct pattern *p, const char *s)
{
	bool first = s == p->clean;
	bool slash;

	s += 2;
	slash = *s == '/';
	s += slash;
	if (!*s)
		add_element(p, ELEMENT_ALL, 0, NULL);
	else if (first && !slash && !strpbrk(s, "*?[]\\"))
		/* "**.txt" and "**x" in front of plain text match within a name too */
		add_element(p, ELEMENT_ALL, 0, NULL);
	else if (!p->n || p->items[p->n - 1].kind != ELEMENT_DIRS)
		add_element(p, ELEMENT_DIRS, 0, NULL);
	return s;
}

static void compile(struct pattern *p)
{
	const char *s = p->clean;
	uint32_t c;
	bool match;

	p->plain = !strpbrk(s, "*?[\\");
	p->prefix = strcspn(s, "*?[\\");
	while (*s) {
		if (s[0] == '*' && s[1] == '*') {
			s = add_double_star(p, s);
		} else if (*s == '*') {
			add_element(p, ELEMENT_STAR, 0, NULL);
			s++;
		} else if (*s == '?') {
			add_element(p, ELEMENT_CHAR, 0, NULL);
			s++;
		} else if (*s == '[') {
			add_element(p, ELEMENT_CLASS, 0, s);
			s = rune_class(s, 0, &match);
		} else {
			s += *s == '\\';
			s += rune_at(s, &c);
			add_element(p, ELEMENT_RUNE, c, NULL);
		}
	}
}

static int refuse(const char *name, unsigned line, struct error *err, enum error_code code,
		  const char *why, const char *pattern)
{
	error_set(err, code, "%s: \"%.100s\"", why, pattern);
	if (name)
		error_at(err, name, line, 0);
	return -(int)code;
}

static void pattern_clear(struct pattern *p)
{
	free(p->written);
	free(p->clean);
	free(p->items);
}

/* @text: trimmed, not empty. */
static int add_pattern(struct ignore *ig, const char *text, const char *name, unsigned line,
		       struct error *err)
{
	const char *body = text + (*text == '!');
	struct pattern *p;

	body = word_skip_space(body);
	if (!*body)
		return refuse(name, line, err, ERR_INVALID, "nothing follows the !", text);
	if (strlen(body) > MAX_PATTERN)
		return refuse(name, line, err, ERR_LIMIT, "the pattern is too long", text);
	if (ig->n == LIMIT_IGNORE_PATTERNS)
		return refuse(name, line, err, ERR_LIMIT, "there are too many patterns", text);
	p = vec_push(ig);
	p->written = mem_strdup(text);
	p->clean = clean_path(body);
	p->line = line;
	p->negated = *text == '!';
	ig->has_negated |= p->negated;
	if (!glob_valid(p->clean))
		return refuse(name, line, err, ERR_INVALID,
			      "malformed pattern, is a ']' missing or a '\\' at its end?",
			      text);
	compile(p);
	return 0;
}

int ignore_parse(const char *data, size_t len, const char *name, struct ignore **out,
		 struct error *err)
{
	AUTO(ignore) struct ignore *ig = mem_new(struct ignore);
	struct parser p = {.name = name};
	const char *s;
	size_t n;

	if (len > LIMIT_IGNORE_BYTES)
		return error_set(err, ERR_LIMIT, "%s is longer than %u bytes", name,
				 LIMIT_IGNORE_BYTES);
	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		data += 3, len -= 3;
	p.at = data;
	p.end = len ? data + len : data;
	while (parser_read_line(&p, &s, &n)) {
		AUTO(free) char *line = mem_strndup(s, n);
		char *text = word_skip_space(line);
		int r;

		word_trim_end(text);
		if (*line == '#' || !*text)
			continue;
		r = add_pattern(ig, text, name, p.line, err);
		if (r < 0)
			return r;
	}
	*out = take_ptr(ig);
	return 0;
}

int ignore_add(struct ignore *ig, const char *pattern, struct error *err)
{
	AUTO(free) char *copy = mem_strdup(pattern);
	char *text = word_skip_space(copy);
	int r;

	word_trim_end(text);
	if (!*text)
		return 0;
	r = add_pattern(ig, text, NULL, 0, err);
	/* One that was refused must not be asked later. */
	if (r == -ERR_INVALID && ig->n && str_eq(ig->items[ig->n - 1].written, text))
		pattern_clear(&ig->items[--ig->n]);
	return r;
}

void ignore_free(struct ignore *ig)
{
	if (!ig)
		return;
	for (size_t k = 0; k < ig->n; k++)
		pattern_clear(&ig->items[k]);
	free(ig->items);
	free(ig);
}

bool ignore_takes_back(const struct ignore *ig)
{
	return ig && ig->has_negated;
}

bool ignore_hides_all(const struct ignore *ig)
{
	for (size_t i = 0; ig && i < ig->n; i++)
		if (str_eq(ig->items[i].clean, "*") || str_eq(ig->items[i].clean, "**") ||
		    str_eq(ig->items[i].clean, "**/*"))
			return true;
	return false;
}

/* ------------------------------------------------------------------------ matching */

/* The elements that may come next; .n of the pattern itself means the end. */
struct reached {
	uint16_t items[MAX_PATTERN + 1];
	size_t n;
};

struct run {
	const struct pattern *p;
	struct reached sets[2];
	struct reached *now;
	struct reached *next;
	uint32_t seen[MAX_PATTERN + 1]; /* the round in which an element was added last */
	uint32_t round;
};

/* A struct run is big and run_begin() sets what is read: do not zero it for each path. */
#define SCRATCH __attribute__((uninitialized))

/*
 * Adds @k, and what follows it as far as elements can be empty.  A DIRS that
 * is there already may be so by stay(), without its successor.
 */
static void reach(struct run *r, struct reached *set, size_t k)
{
	for (;; k++) {
		bool end = k == r->p->n;

		if (r->seen[k] != r->round) {
			r->seen[k] = r->round;
			set->items[set->n++] = (uint16_t)k;
		} else if (end || r->p->items[k].kind != ELEMENT_DIRS) {
			return;
		}
		if (end || r->p->items[k].kind < ELEMENT_STAR)
			return;
	}
}

static void run_begin(struct run *r, const struct pattern *p)
{
	r->p = p;
	r->now = &r->sets[0];
	r->next = &r->sets[1];
	r->now->n = 0;
	memset(r->seen, 0, (p->n + 1) * sizeof(*r->seen));
	r->round = 1;
	reach(r, r->now, 0);
}

/*
 * DIRS stays reached while it eats text, but lets its successor in only
 * behind a '/'; so inside it is the element itself, without reach().
 */
static void stay(struct run *r, size_t k)
{
	if (r->seen[k] == r->round)
		return;
	r->seen[k] = r->round;
	r->next->items[r->next->n++] = (uint16_t)k;
}

static void step_element(struct run *r, size_t k, uint32_t c)
{
	const struct element *e = &r->p->items[k];
	bool match = false;

	switch (e->kind) {
	case ELEMENT_RUNE:
		match = e->rune == c;
		break;
	case ELEMENT_CHAR:
		match = c != '/';
		break;
	case ELEMENT_CLASS:
		/* "[^x]" is '/' as well: so Docker has it. */
		match = rune_class(e->class, c, &match) && match;
		break;
	case ELEMENT_STAR:
		if (c != '/')
			reach(r, r->next, k);
		return;
	case ELEMENT_ALL:
		reach(r, r->next, k);
		return;
	case ELEMENT_DIRS:
		stay(r, k);
		match = c == '/';
		break;
	}
	if (match)
		reach(r, r->next, k + 1);
}

/* False when no element is left that could match. */
static bool step(struct run *r, uint32_t c)
{
	struct reached *swap = r->now;

	r->round++;
	r->next->n = 0;
	for (size_t k = 0; k < r->now->n; k++)
		if (r->now->items[k] < r->p->n)
			step_element(r, r->now->items[k], c);
	r->now = r->next;
	r->next = swap;
	return r->now->n > 0;
}

static bool accepts(const struct run *r)
{
	return r->seen[r->p->n] == r->round;
}

static bool pattern_matches(const struct pattern *p, const char *path, struct run *r)
{
	const char *s = path;
	uint32_t c;

	if (strncmp(path, p->clean, p->prefix) != 0)
		return false;
	if (p->plain)
		return !path[p->prefix] || path[p->prefix] == '/';
	run_begin(r, p);
	while (*s) {
		if (*s == '/' && s > path && accepts(r))
			return true;
		s += rune_at(s, &c);
		if (!step(r, c))
			return false;
	}
	return s > path && accepts(r);
}

/* The last match wins, so the search begins at the end. */
static const struct pattern *find_rule(const struct ignore *ig, const char *path)
{
	struct run r SCRATCH;

	for (size_t k = ig ? ig->n : 0; k-- > 0;)
		if (pattern_matches(&ig->items[k], path, &r))
			return &ig->items[k];
	return NULL;
}

bool ignore_match(const struct ignore *ig, const char *path)
{
	const struct pattern *p = find_rule(ig, path);

	return p && !p->negated;
}

struct ignore_rule ignore_rule(const struct ignore *ig, const char *path)
{
	const struct pattern *p = find_rule(ig, path);

	if (!p)
		return (struct ignore_rule){0};
	return (struct ignore_rule){p->written, p->line, p->negated};
}

/* Can something below @dir match? */
static bool may_match_below(const struct pattern *p, const char *dir, struct run *r)
{
	uint32_t c;

	run_begin(r, p);
	for (const char *s = dir; *s;) {
		s += rune_at(s, &c);
		if (!step(r, c))
			return false;
	}
	return !*dir || step(r, '/');
}

bool ignore_may_contain(const struct ignore *ig, const char *dir)
{
	struct run r SCRATCH;

	if (!ig || !ig->has_negated)
		return false;
	for (size_t k = 0; k < ig->n; k++)
		if (ig->items[k].negated && may_match_below(&ig->items[k], dir, &r))
			return true;
	return false;
}
