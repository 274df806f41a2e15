/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parse.h"

#include <stdio.h>
#include <string.h>

#include "base/strlist.h"

#include "base/banned.h"

static bool parse_base(const char *s, unsigned base, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		unsigned d = (unsigned)(unsigned char)*s - '0';

		if (d >= base || __builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, d, &v) || v > max)
			return false;
	}
	*out = v;
	return true;
}

bool parse_u64(const char *s, uint64_t max, uint64_t *out)
{
	return parse_base(s, 10, max, out);
}

bool parse_octal(const char *s, uint64_t max, uint64_t *out)
{
	return parse_base(s, 8, max, out);
}

bool parse_i64(const char *s, int64_t *out)
{
	bool minus = *s == '-';
	uint64_t v;

	if (*s == '-' || *s == '+')
		s++;
	if (!parse_u64(s, (uint64_t)INT64_MAX + minus, &v))
		return false;
	*out = minus ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

/*
 * Digits with an optional fraction, on at least one side of the point, scaled
 * by @unit; stops at the first other character.
 */
static bool parse_scaled(const char **s, uint64_t unit, uint64_t *out)
{
	uint64_t whole = 0, part = 0, scale = 1;
	const char *start = *s;

	for (; **s >= '0' && **s <= '9'; (*s)++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(**s - '0'), &whole))
			return false;
	if (*s == start && !((*s)[0] == '.' && (*s)[1] >= '0' && (*s)[1] <= '9'))
		return false;
	if (**s == '.') {
		for ((*s)++; **s >= '0' && **s <= '9'; (*s)++)
			if (scale < 1000000000000u) {
				part = part * 10 + (uint64_t)(**s - '0');
				scale *= 10;
			}
	}
	if (__builtin_mul_overflow(whole, unit, &whole))
		return false;
	part = (uint64_t)((unsigned __int128)part * unit / scale);
	return !__builtin_add_overflow(whole, part, out);
}

bool parse_bytes(const char *s, uint64_t *out)
{
	static const char units[] = "bkmgtp";
	const char *digits = s + strspn(s, "0123456789."), *at;
	uint64_t unit = 1;

	while (*digits == ' ')
		digits++;
	if (*digits) {
		char low = *digits >= 'A' && *digits <= 'Z' ? (char)(*digits + 32) : *digits;
		const char *u = strchr(units, low);

		if (!u)
			return false;
		unit = (uint64_t)1 << (10 * (u - units));
		if (digits[1] &&
		    !(low != 'b' && (str_ieq(digits + 1, "b") || str_ieq(digits + 1, "ib"))))
			return false;
	}
	at = s;
	return parse_scaled(&at, unit, out) && at <= digits;
}

bool parse_nano(const char *s, int64_t *out)
{
	uint64_t v;

	if (!parse_scaled(&s, 1000000000u, &v) || *s || v > INT64_MAX)
		return false;
	*out = (int64_t)v;
	return true;
}

static bool duration_unit(const char **s, uint64_t *out)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"ns", 1},		  {"us", 1000},	       {"\xc2\xb5s", 1000},
		     {"\xce\xbcs", 1000}, {"ms", 1000000},     {"s", 1000000000},
		     {"m", 60000000000},  {"h", 3600000000000}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (str_starts(*s, units[i].name)) {
			*s += strlen(units[i].name);
			*out = units[i].ns;
			return true;
		}
	return false;
}

bool parse_duration(const char *s, int64_t *out_ns)
{
	bool minus = *s == '-';
	uint64_t sum = 0;

	if (*s == '-' || *s == '+')
		s++;
	if (strcmp(s, "0") == 0) {
		*out_ns = 0;
		return true;
	}
	if (!*s)
		return false;
	while (*s) {
		const char *digits = s;
		uint64_t unit, v;

		s += strspn(s, "0123456789.");
		if (!duration_unit(&s, &unit) || !parse_scaled(&digits, unit, &v) ||
		    __builtin_add_overflow(sum, v, &sum) || sum > INT64_MAX)
			return false;
	}
	*out_ns = minus ? -(int64_t)sum : (int64_t)sum;
	return true;
}

bool parse_bool(const char *s, bool *out)
{
	static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
	static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};

	for (size_t i = 0; i < 6; i++) {
		if (strcmp(s, yes[i]) == 0 || strcmp(s, no[i]) == 0) {
			*out = strcmp(s, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

void format_size(uint64_t bytes, struct buf *out)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double v = (double)bytes;
	size_t i = 0;

	for (; v >= 1000.0 && i + 1 < sizeof(units) / sizeof(units[0]); i++)
		v /= 1000.0;
	/* three significant digits without trailing zeros, as "%.3g" gives them */
	buf_printf(out, "%.3g%s", v, units[i]);
}

void format_duration(int64_t ns, struct buf *out)
{
	uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	char text[64];
	size_t n;

	if (ns < 0)
		buf_addch(out, '-');
	if (v == 0) {
		buf_addstr(out, "0s");
		return;
	}
	if (v < 1000000000u) {
		const char *unit = v < 1000 ? "ns" : v < 1000000 ? "\xc2\xb5s" : "ms";
		double d = (double)v / (v < 1000 ? 1.0 : v < 1000000 ? 1e3 : 1e6);

		buf_printf(out, "%.9g%s", d, unit);
		return;
	}
	if (v >= 3600000000000u)
		buf_printf(out, "%lluh", (unsigned long long)(v / 3600000000000u));
	if (v >= 60000000000u)
		buf_printf(out, "%llum", (unsigned long long)(v / 60000000000u % 60));
	snprintf(text, sizeof(text), "%llu.%09llu", (unsigned long long)(v / 1000000000u % 60),
		 (unsigned long long)(v % 1000000000u));
	for (n = strlen(text); text[n - 1] == '0'; n--)
		;
	if (text[n - 1] == '.')
		n--;
	buf_add(out, text, n);
	buf_addch(out, 's');
}
