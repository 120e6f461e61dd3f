/* What the public listener says: two successes and the rows of errors.def. Pure. */
#ifndef DROPBRIDGE_ANSWER_H
#define DROPBRIDGE_ANSWER_H

#include <stdbool.h>

enum answer {
    ANSWER_RECEIVED, /* 200; in the checks before it: nothing to object to so far */
    ANSWER_HEALTHY,  /* 200 of GET /health */
#define ERROR_ROW(name, code, status, sentence) ANSWER_##name,
#include "errors.def"
#undef ERROR_ROW
    ANSWER_COUNT
};

int answer_status(enum answer answer);
/* "Bad Request" for 400. */
const char *answer_status_text(enum answer answer);
/* "received", "healthy" or the error's code. */
const char *answer_code(enum answer answer);
/* Whether it refuses a callback for its URL: the result is lost. */
bool answer_loses_callback(enum answer answer);
/* The whole JSON body. */
const char *answer_body(enum answer answer);

#endif
