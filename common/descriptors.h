/* Our own sockets, found through /proc: civetweb owns them and hands none out. */
#ifndef DROPBRIDGE_DESCRIPTORS_H
#define DROPBRIDGE_DESCRIPTORS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Calls `visit` for each descriptor open at the moment. False if /proc cannot be read. Another thread may close or
   reuse one at any time: whoever acts on a descriptor must hold what keeps it open. */
bool descriptors_each(void (*visit)(void *context, int fd), void *context);

enum { DESCRIPTOR_ADDRESS = INET6_ADDRSTRLEN };

/* The peer's numeric address and port and our own port; false if it is no connected TCP socket. */
bool descriptor_peer(int fd, char address[DESCRIPTOR_ADDRESS], uint16_t *remote_port, uint16_t *local_port);

/* Whether fd is a TCP socket that listens on the port. */
bool descriptor_listens(int fd, uint16_t port);

/* How many of our TCP sockets listen on the port, or are connections of it. Each is shut down by `how` (SHUT_RD and the like; -1: it
   stays as it is), in spite of what was said above: whoever asks for that makes sure that it does no harm. */
int descriptors_of_port(uint16_t port, bool listening, int how);

#endif
