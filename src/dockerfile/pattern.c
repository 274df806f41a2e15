/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern - the patterns inside ${V#p}, ${V%p} and ${V/p/r}.
 *
 * '*' is any text and '?' any character, neither matches a line end, and '\'
 * takes '*', '?', '\', '}' and '/' as they are.  All positions that the
 * pattern can have reached are kept at once, so hostile text costs at most
 * the product of the lengths, and that is bounded too.
 */
#include "dockerfile/dockerfile_parser.h"

#include "base/limits.h"
#include "base/mem.h"

#include "base/banned.h"

#define NO_MATCH SIZE_MAX

enum {
	ANY_TEXT = 0x200000, /* above every rune */
	ANY_CHAR,
};

struct runes {
	uint32_t *items;
	size_t n;
	size_t cap;
};

static void runes_auto(struct runes *r)
{
	free(r->items);
}

static void runes_add(struct runes *r, const char *s)
{
	while (*s) {
		uint32_t c;

		s += rune_at(s, &c);
		*vec_push(r) = c;
	}
}

/*
 * Turns a pattern around for a match from the end: an escape stays before
 * what it escapes.  A lone one at the end, which a variable can bring, comes
 * to stand before the character in front of it, as in Docker.
 */
static void pattern_reverse(struct runes *r)
{
	uint32_t *out = mem_alloc((r->n + 1) * sizeof(*out));
	size_t to = r->n;

	for (size_t k = 0; k < r->n; k++) {
		bool pair = r->items[k] == '\\' && k + 1 < r->n;

		to -= 1 + pair;
		out[to] = r->items[k];
		if (pair)
			out[to + 1] = r->items[++k];
	}
	free(r->items);
	r->items = out;
	r->cap = r->n + 1;
}

static void runes_reverse(struct runes *r)
{
	for (size_t a = 0, b = r->n; a + 1 < b; a++) {
		uint32_t c = r->items[a];

		r->items[a] = r->items[--b];
		r->items[b] = c;
	}
}

static void put_runes(struct buf *out, const struct runes *r, size_t from, size_t to)
{
	for (size_t k = from; k < to; k++)
		rune_put(out, r->items[k]);
}

static int compile(const char *s, bool from_end, struct runes *out, struct error *err)
{
	struct runes r = {0};

	runes_add(&r, s);
	if (from_end)
		pattern_reverse(&r);
	for (size_t k = 0; k < r.n; k++) {
		uint32_t c = r.items[k];

		if (c == '*') {
			c = ANY_TEXT;
		} else if (c == '?') {
			c = ANY_CHAR;
		} else if (c == '\\') {
			c = ++k < r.n ? r.items[k] : 0;
			if (!c || c > 127 || !strchr("*?\\}/", (int)c)) {
				free(r.items);
				return error_set(err, ERR_INVALID,
						 "invalid escape in the pattern %s", s);
			}
		}
		*vec_push(out) = c;
	}
	free(r.items);
	return 0;
}

/* One matching run: which positions of the pattern are reached. */
struct run {
	const struct runes *pattern;
	bool *now;
	bool *next;
	uint64_t *steps;
};

static void reach(const struct run *r, bool *set, size_t k)
{
	set[k] = true;
	while (k < r->pattern->n && r->pattern->items[k] == ANY_TEXT)
		set[++k] = true;
}

static bool step(struct run *r, uint32_t c)
{
	const struct runes *p = r->pattern;
	bool alive = false;
	bool *swap;

	memset(r->next, 0, p->n + 1);
	for (size_t k = 0; k < p->n; k++) {
		uint32_t want = p->items[k];

		if (!r->now[k])
			continue;
		if (want == ANY_TEXT && c != '\n')
			reach(r, r->next, k);
		else if (want == c || (want == ANY_CHAR && c != '\n'))
			reach(r, r->next, k + 1);
		else
			continue;
		alive = true;
	}
	swap = r->now;
	r->now = r->next;
	r->next = swap;
	return alive;
}

/* The end of the match that begins at @from, NO_MATCH if there is none. */
static size_t match_end(struct run *r, const struct runes *text, size_t from, bool longest)
{
	size_t end = NO_MATCH;

	memset(r->now, 0, r->pattern->n + 1);
	reach(r, r->now, 0);
	for (size_t k = from;; k++) {
		if (r->now[r->pattern->n]) {
			end = k;
			if (!longest)
				break;
		}
		if (k == text->n || *r->steps <= r->pattern->n || !step(r, text->items[k]))
			break;
		*r->steps -= r->pattern->n + 1;
	}
	return end;
}

static int check_steps(const struct run *r, struct error *err)
{
	if (*r->steps > r->pattern->n)
		return 0;
	return error_set(err, ERR_LIMIT, "matching patterns takes more than %u steps",
			 LIMIT_PATTERN_STEPS);
}

int pattern_trim(const char *pattern, const char *value, enum pattern_side side, bool longest,
		 uint64_t *steps, struct buf *out, struct error *err)
{
	AUTO(runes) struct runes p = {0}, text = {0};
	AUTO(free) bool *sets = NULL;
	struct run r;
	size_t end;

	if (compile(pattern, side == PATTERN_SUFFIX, &p, err) < 0)
		return -ERR_INVALID;
	runes_add(&text, value);
	if (side == PATTERN_SUFFIX)
		runes_reverse(&text);
	sets = mem_zalloc(2 * (p.n + 1));
	r = (struct run){&p, sets, sets + p.n + 1, steps};
	end = match_end(&r, &text, 0, longest);
	if (check_steps(&r, err) < 0)
		return -ERR_LIMIT;
	if (end == NO_MATCH)
		end = 0;
	if (side == PATTERN_SUFFIX) {
		runes_reverse(&text);
		put_runes(out, &text, 0, text.n - end);
	} else {
		put_runes(out, &text, end, text.n);
	}
	return 0;
}

/* A name in a replacement: letters, digits, '_'. */
static size_t group_length(const char *s)
{
	const char *begin = s;
	uint32_t c;

	while (*s) {
		size_t n = rune_at(s, &c);

		if (c != '_' && !(c >= '0' && c <= '9') && !rune_is_letter(c))
			break;
		s += n;
	}
	return (size_t)(s - begin);
}

/*
 * What ${V//p/r} puts in for one match, text[from] to text[to]: Docker hands
 * r to Go's regexp.ReplaceAllString(), where $0 is the match, any other $name
 * or ${name} is nothing, and $$ is a dollar.  ${V/p/r} takes r as it is.
 */
static void put_replacement(const char *r, const struct runes *text, size_t from, size_t to,
			    struct buf *out)
{
	while (*r) {
		size_t plain = strcspn(r, "$");
		bool braces = r[plain] && r[plain + 1] == '{';
		const char *name;
		size_t n;

		buf_add(out, r, plain);
		r += plain;
		if (!*r)
			break;
		name = r + 1 + braces;
		n = group_length(name);
		if (r[1] == '$') {
			buf_addch(out, '$');
			r += 2;
		} else if (!n || (braces && name[n] != '}')) {
			buf_addch(out, *r++);
		} else {
			if (n == 1 && *name == '0')
				put_runes(out, text, from, to);
			r = name + n + braces;
		}
	}
}

int pattern_replace(const char *pattern, const char *replacement, const char *value, bool all,
		    uint64_t *steps, struct buf *out, struct error *err)
{
	AUTO(runes) struct runes p = {0}, text = {0};
	AUTO(free) bool *sets = NULL;
	size_t last = NO_MATCH; /* end of the match before: no empty one directly behind it */
	size_t before = out->len, cost = strlen(replacement);
	size_t at = 0;
	struct run r;

	if (compile(pattern, false, &p, err) < 0)
		return -ERR_INVALID;
	runes_add(&text, value);
	sets = mem_zalloc(2 * (p.n + 1));
	r = (struct run){&p, sets, sets + p.n + 1, steps};
	while (at <= text.n && (all || last == NO_MATCH)) {
		size_t end = match_end(&r, &text, at, true);

		if (check_steps(&r, err) < 0)
			return -ERR_LIMIT;
		*steps -= 1;
		if (end != NO_MATCH && (end > at || last != at)) {
			if (*steps <= cost || out->len - before > LIMIT_EXPANSION_BYTES)
				return error_set(err, ERR_LIMIT,
						 "the replacement grows too long");
			*steps -= cost;
			if (all)
				put_replacement(replacement, &text, at, end, out);
			else
				buf_addstr(out, replacement);
			last = end;
		}
		if (end == NO_MATCH || end == at) {
			if (at < text.n)
				rune_put(out, text.items[at]);
			at++;
		} else {
			at = end;
		}
	}
	if (at < text.n)
		put_runes(out, &text, at, text.n);
	return 0;
}
