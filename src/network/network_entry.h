/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry - what containers have of the machine's network beyond a bridge and an
 * address, in files of lines that anybody may make rules of.
 *
 *   STATE/endpoints/ID     lines, locked (fcntl(2), F_OFD_SETLK) as long as the
 *                          container's owner lives
 *   STATE/endpoints/.lock  held (flock) by who reads or changes them or makes rules of
 *                          them, which is one deed
 *
 *   port tcp 0.0.0.0 8000 10.89.0.5 3000 stave0
 *   net stave-1a2b3c4d lan 10.128.0.5 fd00::5 ID name,alias db=other /path/of/its/names
 *
 * What is empty is "-".
 */
#pragma once

#include "base/error.h"
#include "base/strlist.h"
#include "network/network.h"

/* /run/stave, or that of an ordinary user. */
int network_state_dir(int *out, struct error *err);

/* The directory of entries, with its lock held until both are closed. */
struct entries {
	int dir;
	int lock;
};

#define ENTRIES_INIT ((struct entries){.dir = -1, .lock = -1})

int entries_open(struct entries *s, struct error *err);
void entries_close(struct entries *s);
static inline void entries_auto(struct entries *s)
{
	entries_close(s);
}

/* Gives @e an entry for container @id, empty. */
int entry_make(const struct entries *s, const char *id, struct network_endpoint *e,
	       struct error *err);
/* Its lines, instead of those that it had. */
int entry_write(const struct network_endpoint *e, const struct buf *text, struct error *err);
/* The lines of all that live, dead ones are removed; *@out_dead: were there any? */
int entries_read(const struct entries *s, struct strlist *lines, bool *out_dead,
		 struct error *err);
/* The lines of one; none if it is not there. */
int entry_read(const char *id, struct strlist *lines, struct error *err);
/* Removes the entry, and the rules that were made of it. */
void entry_close(struct network_endpoint *e);

/* Makes the machine's rules for published ports what the entries say. */
int publish_sync(const struct entries *s, struct error *err);
/* The lines of @e's ports. */
void publish_describe(const struct network_endpoint *e, struct buf *out);
/* Where a port of the host leads to; NULL: nowhere. */
const struct network_address *publish_target(const struct network_endpoint *e,
					     const struct network_port *p,
					     const struct network_attachment **out_through);
/* Lets what comes from 127.0.0.1 leave through @bridge. */
int publish_allow_loopback(const char *bridge, struct error *err);

/* Makes the names of those on @bridge (NULL: on all) what the entries say. */
int names_sync(const struct entries *s, const char *bridge, struct error *err);
/* The lines of @e's names. */
void names_describe(const struct network_endpoint *e, struct buf *out);

/* Sockets for the ports that are wanted: e->ports and e->sockets. */
int ports_take(struct network_endpoint *e, struct error *err);
void ports_release(struct network_endpoint *e);
