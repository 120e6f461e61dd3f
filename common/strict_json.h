/* The one JSON check that bridge and worker share, so that they can never disagree about what is JSON. What it has
   passed, workers/event/fields reads with json-c. Pure; any thread. */
#ifndef DROPBRIDGE_STRICT_JSON_H
#define DROPBRIDGE_STRICT_JSON_H

#include "bytes.h"

#include <stdbool.h>

enum json_verdict {
    JSON_OK,
    JSON_EMPTY,      /* nothing but white space */
    JSON_MALFORMED,  /* not JSON by RFC 8259 */
    JSON_NOT_UTF8,   /* RFC 8259 section 8.1 */
    JSON_TOO_DEEP,   /* past LIMIT_JSON_DEPTH */
    JSON_TOO_MANY,   /* values, past LIMIT_JSON_VALUES */
    JSON_TRAILING,   /* something follows the value */
    JSON_NOT_OBJECT, /* a value, but no object */
    JSON_NO_MEMORY,  /* never of the check: of who reads what it has passed */
};

/* RFC 8259 to the letter: NaN and Infinity, which json-c's strict mode takes, are refused. Numbers beyond the range of a
   double and lone surrogate escapes are grammatical and pass: an opt-out must not be lost to a name cut in the
   middle of a character. Duplicate keys pass; the last one counts. Strings may hold NUL (as \u0000). A byte order mark
   in front is passed over, as section 8.1 allows. */
enum json_verdict strict_json_check(struct bytes text);

/* Whether a text is one number of JSON and nothing else. */
bool strict_json_is_number(struct bytes text);

/* A sentence for people: "the body is not UTF-8". */
const char *strict_json_explain(enum json_verdict verdict);

#endif
