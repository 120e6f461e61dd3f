/* What the public listener says: two successes and the rows of errors.def. Pure. */
#ifndef DROPBRIDGE_HTTP_RESPONSE_H
#define DROPBRIDGE_HTTP_RESPONSE_H

enum response {
    RESPONSE_RECEIVED, /* 200; in the checks before it: nothing to object to so far */
    RESPONSE_DUPLICATE, /* 200: its very bytes were received before */
    RESPONSE_HEALTHY,  /* 200 of GET /health */
#define ERROR_ROW(name, code, status, sentence, remedy) RESPONSE_##name,
#include "errors.def"
#undef ERROR_ROW
    RESPONSE_COUNT
};

struct response_row {
    const char *code; /* "received", "healthy" or the error's */
    int status;
    const char *body;   /* the whole JSON */
    const char *remedy; /* what the operator does about an event lost by it, without a full stop; NULL: none is lost, or others tell */
};

const struct response_row *response_row(enum response answer);

#endif
