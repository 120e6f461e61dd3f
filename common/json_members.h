/* Reads JSON where it stands, without a copy of it: the members of an object, texts and numbers. For texts that
   strict_json_check has passed; of others nothing is read past the end, but what comes out means nothing. Pure. */
#ifndef DROPBRIDGE_JSON_MEMBERS_H
#define DROPBRIDGE_JSON_MEMBERS_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>

enum json_kind { JSON_ABSENT, JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_TEXT, JSON_OBJECT, JSON_ARRAY };

struct json_value {
    enum json_kind kind;
    struct bytes text; /* of a JSON_TEXT what is between its quotes, else the whole value */
};

/* The next member of an object, in the order of the text; a name that is given twice comes twice. *rest is the object
   at first, and what is left of it then. False at the end. Names and texts keep their escapes: see json_unescape. */
bool json_next_member(struct bytes *rest, struct bytes *name, struct json_value *value);

/* What a text with escapes says, in UTF-8; half a surrogate pair is U+FFFD. Returns its length, which is at most
   text.len: `out` must hold that. */
size_t json_unescape(struct bytes text, uint8_t *out);

/* Of a number, or a text that is one, with a byte behind it that is no part of it; infinite past a double's range. */
double json_number(const struct json_value *value);
/* Whether a JSON_NUMBER is written without fraction and exponent. */
bool json_is_integer(const struct json_value *value);

#endif
