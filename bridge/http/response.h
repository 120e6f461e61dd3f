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

int response_status(enum response answer);
/* "Bad Request" for 400. */
const char *response_status_text(enum response answer);
/* "received", "healthy" or the error's code. */
const char *response_code(enum response answer);
/* What the operator does about an event that was lost by it, without a full stop; NULL: it loses none, or is told elsewhere. */
const char *response_remedy(enum response answer);
/* The whole JSON body. */
const char *response_body(enum response answer);

#endif
