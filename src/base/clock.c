/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

#define NS 1000000000ll

#define DAY 86400ll

/*
 * The Gregorian calendar, years 1 to 9999.  Not timegm(3) and gmtime_r(3): both read the
 * machine's time zone first, which has nothing to do with it.
 */
static const short days_before_month[13] = {0,	 31,  59,  90,	120, 151, 181,
					    212, 243, 273, 304, 334, 365};

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to the first day of @month (0 to 12) of @year. */
static int64_t days_to(int year, int month)
{
	const int past = year - 1;
	const int64_t leaps =
		past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);

	return (year - 1970) * 365ll + leaps + days_before_month[month] +
	       (month > 1 && is_leap(year));
}

static void split_days(int64_t days, int *out_year, int *out_month, int *out_day)
{
	int year = 1970 + (int)(days / 366), month = 0;

	while (days < days_to(year, 0))
		year--;
	while (days >= days_to(year, 12))
		year++;
	while (days >= days_to(year, month + 1))
		month++;
	*out_year = year;
	*out_month = month;
	*out_day = (int)(days - days_to(year, month));
}

static int64_t now(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * NS + t.tv_nsec;
}

int64_t clock_now_ns(void)
{
	return now(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(void)
{
	return now(CLOCK_MONOTONIC);
}

void clock_format(int64_t ns, struct buf *out)
{
	int64_t sec = ns / NS, part = ns % NS, days;
	int year, month, day, second;
	char text[16];
	size_t n;

	if (part < 0) {
		part += NS;
		sec--;
	}
	days = sec / DAY - (sec % DAY < 0);
	second = (int)(sec - days * DAY);
	split_days(days, &year, &month, &day);
	buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", year, month + 1, day + 1,
		   second / 3600, second / 60 % 60, second % 60);
	if (part) {
		snprintf(text, sizeof(text), ".%09lld", (long long)part);
		for (n = strlen(text); text[n - 1] == '0'; n--)
			;
		buf_add(out, text, n);
	}
	buf_addch(out, 'Z');
}

static bool digits(const char **s, int n, int *out)
{
	int v = 0;

	for (; n; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		v = v * 10 + (**s - '0');
	}
	*out = v;
	return true;
}

static bool literal(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static bool parse_zone(const char **s, int *out_sec)
{
	int hour, minute, sign = **s == '-' ? -1 : 1;

	*out_sec = 0;
	if (literal(s, 'Z') || literal(s, 'z'))
		return true;
	if (**s != '+' && **s != '-')
		return false;
	(*s)++;
	if (!digits(s, 2, &hour) || !literal(s, ':') || !digits(s, 2, &minute))
		return false;
	*out_sec = sign * (hour * 3600 + minute * 60);
	return true;
}

bool clock_parse(const char *s, int64_t *out_ns)
{
	struct tm tm = {0};
	int64_t part = 0, scale = NS, sec;
	int zone;

	if (!digits(&s, 4, &tm.tm_year) || !literal(&s, '-') || !digits(&s, 2, &tm.tm_mon) ||
	    !literal(&s, '-') || !digits(&s, 2, &tm.tm_mday) ||
	    !(literal(&s, 'T') || literal(&s, 't') || literal(&s, ' ')) ||
	    !digits(&s, 2, &tm.tm_hour) || !literal(&s, ':') || !digits(&s, 2, &tm.tm_min) ||
	    !literal(&s, ':') || !digits(&s, 2, &tm.tm_sec))
		return false;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	if (literal(&s, '.')) {
		if (*s < '0' || *s > '9')
			return false;
		for (; *s >= '0' && *s <= '9'; s++)
			if (scale > 1) {
				scale /= 10;
				part += (*s - '0') * scale;
			}
	}
	if (!parse_zone(&s, &zone) || *s)
		return false;
	/* 64 bits of nanoseconds reach from 1678 to 2262; the year 1 is Go's zero time */
	if (tm.tm_year < 1678 || tm.tm_year > 2261) {
		*out_ns = 0;
		return true;
	}
	/* a day too many for its month is one of the next, as in timegm(3) */
	sec = (days_to(tm.tm_year, tm.tm_mon - 1) + tm.tm_mday - 1) * DAY + tm.tm_hour * 3600 +
	      tm.tm_min * 60 + tm.tm_sec;
	*out_ns = (sec - zone) * NS + part;
	return true;
}

void clock_format_span(int64_t span_ns, struct buf *out)
{
	long long sec = span_ns / NS, min = sec / 60, hours = (sec + 1800) / 3600;

	if (sec < 1)
		buf_addstr(out, "Less than a second");
	else if (sec == 1)
		buf_addstr(out, "1 second");
	else if (sec < 60)
		buf_printf(out, "%lld seconds", sec);
	else if (min == 1)
		buf_addstr(out, "About a minute");
	else if (min < 60)
		buf_printf(out, "%lld minutes", min);
	else if (hours == 1)
		buf_addstr(out, "About an hour");
	else if (hours < 48)
		buf_printf(out, "%lld hours", hours);
	else if (hours < 24 * 7 * 2)
		buf_printf(out, "%lld days", hours / 24);
	else if (hours < 24 * 30 * 2)
		buf_printf(out, "%lld weeks", hours / 24 / 7);
	else if (hours < 24 * 365 * 2)
		buf_printf(out, "%lld months", hours / 24 / 30);
	else
		buf_printf(out, "%lld years", sec / 3600 / 24 / 365);
}
