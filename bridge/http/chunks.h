/* A chunked body (RFC 9112, 7.1), without extensions and trailers, which are refused: nobody who calls this bridge sends them,
   and readers disagree on where they end. Pure. */
#ifndef DROPBRIDGE_HTTP_CHUNKS_H
#define DROPBRIDGE_HTTP_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

enum {
    /* A body in chunks of a byte costs a system call for each: past the first CHUNKS_FREE they must hold CHUNKS_MEAN bytes on
       average. */
    CHUNKS_FREE = 1024,
    CHUNKS_MEAN = 16,
};

/* All 0 at first. */
struct chunks {
    enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END } state;
    size_t due;      /* so many bytes of "\n\r\n", its last ones, must come first */
    unsigned digits; /* of the size, so far */
    size_t left;     /* of the chunk */
    size_t decoded;  /* of the body */
    size_t count;
};

/* How many bytes must still come at the least: that many can be read without reading past the end. 0: the body is whole. */
size_t chunks_ahead(const struct chunks *chunks);

/* Takes `len` bytes (at most chunks_ahead) and moves those of the body to the front: their number, or -1 for what is no
   chunked body. */
long chunks_decode(struct chunks *chunks, uint8_t *bytes, size_t len);

#endif
