/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/banned.h"

void hasher_init(struct hasher *h)
{
	sha256_init(&h->ctx);
}

void hasher_add(struct hasher *h, const void *data, size_t len)
{
	sha256_update(&h->ctx, len, data);
}

void hasher_add_u64(struct hasher *h, uint64_t v)
{
	uint8_t raw[8];

	for (int i = 0; i < 8; i++)
		raw[i] = (uint8_t)(v >> (8 * i));
	hasher_add(h, raw, sizeof(raw));
}

void hasher_add_string(struct hasher *h, const char *s)
{
	if (!s) {
		hasher_add_u64(h, UINT64_MAX);
		return;
	}
	hasher_add_u64(h, strlen(s));
	hasher_add(h, s, strlen(s));
}

void hasher_end(struct hasher *h, struct digest *out)
{
	sha256_digest(&h->ctx, sizeof(out->bytes), out->bytes);
}

void digest_of(const void *data, size_t len, struct digest *out)
{
	struct hasher h;

	hasher_init(&h);
	hasher_add(&h, data, len);
	hasher_end(&h, out);
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool digest_is_zero(const struct digest *d)
{
	static const struct digest zero;

	return digest_eq(d, &zero);
}

static void hex_bytes(const uint8_t *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = 0;
}

const char *digest_hex(const struct digest *d, char out[DIGEST_HEX_SIZE])
{
	hex_bytes(d->bytes, sizeof(d->bytes), out);
	return out;
}

const char *digest_text(const struct digest *d, char out[DIGEST_TEXT_SIZE])
{
	memcpy(out, "sha256:", 7);
	hex_bytes(d->bytes, sizeof(d->bytes), out + 7);
	return out;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_parse_hex(const char *hex, struct digest *out)
{
	struct digest d;

	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		int high = hex_value(hex[2 * i]);
		int low = high < 0 ? -1 : hex_value(hex[2 * i + 1]);

		if (low < 0)
			return false;
		d.bytes[i] = (uint8_t)(high << 4 | low);
	}
	if (hex[DIGEST_HEX_SIZE - 1])
		return false;
	*out = d;
	return true;
}

bool digest_parse(const char *text, struct digest *out)
{
	return strncmp(text, "sha256:", 7) == 0 && digest_parse_hex(text + 7, out);
}

void random_hex(char *out, size_t digits)
{
	uint8_t raw[64];
	char hex[129];

	if (digits > 128)
		digits = 128;
	/* small requests are never short or interrupted once the pool is ready */
	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		abort();
	hex_bytes(raw, sizeof(raw), hex);
	memcpy(out, hex, digits);
	out[digits] = 0;
}
