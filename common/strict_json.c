#include "strict_json.h"

#include "hex.h"
#include "limits.h"

#include <string.h>

/* The grammar is checked here and not by json-c: its strict mode takes more than RFC 8259, and what more differs
   between the releases. What passes here, json-c takes; a unit test holds the two against each other. */

enum scan_state { SCAN_VALUE, SCAN_VALUE_OR_END, SCAN_KEY, SCAN_KEY_OR_END, SCAN_AFTER_VALUE, SCAN_DONE };

struct scanner {
    const uint8_t *at;
    const uint8_t *end;
    unsigned depth;
    unsigned values;
    uint64_t objects; /* bit n: the container at depth n + 1 is an object */
    enum scan_state state;
};

_Static_assert(LIMIT_JSON_DEPTH <= 64, "a bit for each level");
_Static_assert(LIMIT_JSON_VALUES == 10000, "strict_json_explain says it");

/* What is wrong with the byte at hand. */
static enum json_verdict refuse(const struct scanner *scan)
{
    const size_t left = (size_t)(scan->end - scan->at);
    if (left > 0 && bytes_utf8_character(bytes_of(scan->at, left)) == 0)
        return JSON_NOT_UTF8;
    return JSON_MALFORMED;
}

static void skip_space(struct scanner *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

static bool take(struct scanner *scan, char wanted)
{
    if (scan->at == scan->end || *scan->at != (uint8_t)wanted)
        return false;
    scan->at++;
    return true;
}

static bool take_digits(struct scanner *scan)
{
    const uint8_t *start = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return scan->at > start;
}

static enum json_verdict scan_number(struct scanner *scan)
{
    (void)take(scan, '-');
    if (!take(scan, '0') && !take_digits(scan))
        return refuse(scan);
    if (take(scan, '.') && !take_digits(scan))
        return refuse(scan);
    if (take(scan, 'e') || take(scan, 'E')) {
        if (!take(scan, '+'))
            (void)take(scan, '-');
        if (!take_digits(scan))
            return refuse(scan);
    }
    return JSON_OK;
}

static enum json_verdict scan_word(struct scanner *scan, const char *word)
{
    for (; *word != '\0'; word++) {
        if (!take(scan, *word))
            return refuse(scan);
    }
    return JSON_OK;
}

/* Behind a backslash. */
static enum json_verdict scan_escape(struct scanner *scan)
{
    if (take(scan, 'u')) {
        for (int i = 0; i < 4; i++) {
            if (scan->at == scan->end || hex_digit_value((char)*scan->at) < 0)
                return refuse(scan);
            scan->at++;
        }
        return JSON_OK;
    }
    if (scan->at == scan->end || *scan->at == '\0' || !strchr("\"\\/bfnrt", *scan->at))
        return refuse(scan);
    scan->at++;
    return JSON_OK;
}

static enum json_verdict scan_string(struct scanner *scan)
{
    if (!take(scan, '"'))
        return refuse(scan);
    while (scan->at < scan->end) {
        const uint8_t c = *scan->at;
        if (c == '"') {
            scan->at++;
            return JSON_OK;
        }
        if (c == '\\') {
            scan->at++;
            const enum json_verdict verdict = scan_escape(scan);
            if (verdict != JSON_OK)
                return verdict;
        } else if (c < 0x20) {
            return JSON_MALFORMED;
        } else if (c < 0x80) {
            scan->at++;
        } else {
            const size_t len = bytes_utf8_character(bytes_of(scan->at, (size_t)(scan->end - scan->at)));
            if (len == 0)
                return JSON_NOT_UTF8;
            scan->at += len;
        }
    }
    return JSON_MALFORMED;
}

static enum json_verdict open_container(struct scanner *scan, bool object)
{
    if (scan->depth == LIMIT_JSON_DEPTH)
        return JSON_TOO_DEEP;
    const uint64_t bit = UINT64_C(1) << scan->depth;
    scan->objects = object ? scan->objects | bit : scan->objects & ~bit;
    scan->depth++;
    scan->state = object ? SCAN_KEY_OR_END : SCAN_VALUE_OR_END;
    scan->at++;
    return JSON_OK;
}

static bool inside_object(const struct scanner *scan)
{
    return (scan->objects >> (scan->depth - 1) & 1) != 0;
}

static void close_container(struct scanner *scan)
{
    scan->depth--;
    scan->state = scan->depth == 0 ? SCAN_DONE : SCAN_AFTER_VALUE;
}

static enum json_verdict scan_value(struct scanner *scan)
{
    enum json_verdict verdict = JSON_OK;
    if (++scan->values > LIMIT_JSON_VALUES)
        return JSON_TOO_MANY;
    switch (*scan->at) {
    case '{':
        return open_container(scan, true);
    case '[':
        return open_container(scan, false);
    case '"':
        verdict = scan_string(scan);
        break;
    case 't':
        verdict = scan_word(scan, "true");
        break;
    case 'f':
        verdict = scan_word(scan, "false");
        break;
    case 'n':
        verdict = scan_word(scan, "null");
        break;
    default:
        verdict = scan_number(scan);
    }
    scan->state = scan->depth == 0 ? SCAN_DONE : SCAN_AFTER_VALUE;
    return verdict;
}

static enum json_verdict scan_member_name(struct scanner *scan)
{
    const enum json_verdict verdict = scan_string(scan);
    if (verdict != JSON_OK)
        return verdict;
    skip_space(scan);
    scan->state = SCAN_VALUE;
    return take(scan, ':') ? JSON_OK : refuse(scan);
}

static enum json_verdict scan_after_value(struct scanner *scan)
{
    const bool object = inside_object(scan);
    if (take(scan, ',')) {
        scan->state = object ? SCAN_KEY : SCAN_VALUE;
        return JSON_OK;
    }
    if (!take(scan, object ? '}' : ']'))
        return refuse(scan);
    close_container(scan);
    return JSON_OK;
}

/* One token, in the state the last one left. At least one byte is there. */
static enum json_verdict scan_step(struct scanner *scan)
{
    switch (scan->state) {
    case SCAN_VALUE_OR_END:
        if (take(scan, ']')) {
            close_container(scan);
            return JSON_OK;
        }
        return scan_value(scan);
    case SCAN_KEY_OR_END:
        if (take(scan, '}')) {
            close_container(scan);
            return JSON_OK;
        }
        return scan_member_name(scan);
    case SCAN_VALUE:
        return scan_value(scan);
    case SCAN_KEY:
        return scan_member_name(scan);
    case SCAN_AFTER_VALUE:
        return scan_after_value(scan);
    case SCAN_DONE:
        break;
    }
    return JSON_TRAILING;
}

static struct bytes without_byte_order_mark(struct bytes text)
{
    static const char mark[] = "\xef\xbb\xbf";
    const size_t len = sizeof mark - 1;
    return text.len >= len && memcmp(text.data, mark, len) == 0 ? bytes_of(text.data + len, text.len - len) : text;
}

enum json_verdict strict_json_check(struct bytes text)
{
    text = without_byte_order_mark(text);
    struct scanner scan = {.at = text.data, .state = SCAN_VALUE};
    if (text.len == 0)
        return JSON_EMPTY;
    scan.end = text.data + text.len;
    skip_space(&scan);
    if (scan.at == scan.end)
        return JSON_EMPTY;

    const bool object = *scan.at == '{';
    while (scan.at < scan.end) {
        const enum json_verdict verdict = scan_step(&scan);
        if (verdict != JSON_OK)
            return verdict;
        skip_space(&scan);
    }
    if (scan.state != SCAN_DONE)
        return JSON_MALFORMED;
    return object ? JSON_OK : JSON_NOT_OBJECT;
}

bool strict_json_is_number(struct bytes text)
{
    struct scanner scan = {.at = text.data, .end = text.data + text.len};
    return text.len > 0 && scan_number(&scan) == JSON_OK && scan.at == scan.end;
}

const char *strict_json_explain(enum json_verdict verdict)
{
    switch (verdict) {
    case JSON_OK:
        return "the body is a JSON object";
    case JSON_EMPTY:
        return "the body is empty";
    case JSON_MALFORMED:
        return "the body is not JSON";
    case JSON_NOT_UTF8:
        return "the body is not UTF-8";
    case JSON_TOO_DEEP:
        return "the body is nested too deeply";
    case JSON_TOO_MANY:
        return "the body holds more than 10000 values";
    case JSON_TRAILING:
        return "something follows the JSON value in the body";
    case JSON_NOT_OBJECT:
        return "the body is JSON, but not an object";
    case JSON_NO_MEMORY:
        return "out of memory";
    }
    return "the body is not JSON";
}
