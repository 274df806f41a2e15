/* SPDX-License-Identifier: Apache-2.0 */
/* --chmod: "755", "u=rwX,go=rX" as chmod(1) has it. */
#include "build/chmod.h"

#include <string.h>
#include <sys/stat.h>

#include "base/parse.h"

#include "base/banned.h"

static mode_t who_bits(const char **at)
{
	mode_t who = 0;

	for (;; (*at)++) {
		switch (**at) {
		case 'u':
			who |= S_IRWXU | S_ISUID;
			break;
		case 'g':
			who |= S_IRWXG | S_ISGID;
			break;
		case 'o':
			who |= S_IRWXO | S_ISVTX;
			break;
		case 'a':
			who |= 07777;
			break;
		default:
			return who ? who : 07777;
		}
	}
}

static mode_t permission_bits(const char **at, mode_t now)
{
	mode_t bits = 0;

	for (;; (*at)++) {
		switch (**at) {
		case 'r':
			bits |= 0444;
			break;
		case 'w':
			bits |= 0222;
			break;
		case 'x':
			bits |= 0111;
			break;
		case 'X':
			if (S_ISDIR(now) || (now & 0111))
				bits |= 0111;
			break;
		case 's':
			bits |= S_ISUID | S_ISGID;
			break;
		case 't':
			bits |= S_ISVTX;
			break;
		default:
			return bits;
		}
	}
}

static bool apply_clause(const char **at, mode_t *mode)
{
	mode_t who = who_bits(at);

	if (!**at || !strchr("+-=", **at))
		return false;
	while (**at && strchr("+-=", **at)) {
		char op = *(*at)++;
		mode_t bits = permission_bits(at, *mode) & who;

		if (op == '=')
			*mode = (*mode & ~(who & 07777)) | bits;
		else if (op == '+')
			*mode |= bits;
		else
			*mode &= ~bits;
	}
	return true;
}

bool chmod_apply(const char *text, mode_t *mode)
{
	mode_t m = *mode;
	uint64_t octal;

	if (parse_octal(text, 07777, &octal)) {
		*mode = (*mode & S_IFMT) | (mode_t)octal;
		return true;
	}
	for (;;) {
		if (!apply_clause(&text, &m))
			return false;
		if (!*text)
			break;
		if (*text++ != ',')
			return false;
	}
	*mode = m;
	return true;
}
