/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address - who has which address of a bridge.
 *
 * The file NAME.addresses begins with a hint (the host number to try next);
 * host number i is taken while somebody holds an open-file-description lock
 * on byte LOCKS + i (fcntl(2), F_OFD_SETLK).  Going round instead of taking
 * the lowest lets an address rest before it is used again.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "network/network.h"

/* The file, made if it is not there; new description at each call. */
int address_open(int state_dir, const char *bridge, int *out_fd, struct error *err);
/* Locks a free address on @fd. -ERR_LIMIT when all are taken. */
int address_take(int fd, const struct network_bridge *b, uint32_t *out, struct error *err);
