#include "reasons.h"

#include <stddef.h>

struct reason_row {
    struct reason reason;
    const char *const *texts; /* folded, NULL-terminated; NULL: none */
    const int16_t *codes;     /* 0-terminated; NULL: none */
};

/* Designated by number, so that a number used twice is a compiler's warning. */
#define NONE NULL
#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define CODES(...) ((const int16_t[]){__VA_ARGS__, 0})
#define REASON(number, slug, category, resend, texts, codes)                                                           \
    [number] = {{slug, REASON_##category, resend}, texts, codes},

static const struct reason_row rows[] = {
#include "reasons.def"
};

enum {
    ROWS = sizeof rows / sizeof rows[0],
    NUMBER_OTHER = 1,
    NUMBER_OPTED_OUT = 9,
    NUMBER_INTERNAL_DNC = 10,
    NUMBER_OPT_IN_REVOKED = 36,
    /* Longer than every text in the table: what does not fit when folded is unknown. */
    FOLDED_MAX = 64,
};

const struct reason *reason_by_number(unsigned number)
{
    return number < ROWS ? &rows[number].reason : NULL;
}

unsigned reason_count(void)
{
    return ROWS;
}

unsigned reason_other(void)
{
    return NUMBER_OTHER;
}

int reason_by_code(int64_t code)
{
    if (code == 0)
        return -1;
    for (int number = 0; number < ROWS; number++) {
        for (const int16_t *row_code = rows[number].codes; row_code && *row_code; row_code++) {
            if (*row_code == code)
                return number;
        }
    }
    return -1;
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Letters to lower case, runs of white space to one space, none at the ends. The folded length, or -1 if it is past
   FOLDED_MAX. */
static int fold(struct bytes text, char out[FOLDED_MAX])
{
    int len = 0;
    bool space_due = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if (is_space(byte)) {
            space_due = len > 0;
            continue;
        }
        if (len + 2 > FOLDED_MAX)
            return -1;
        if (space_due)
            out[len++] = ' ';
        space_due = false;
        out[len++] = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
    }
    return len;
}

int reason_by_text(struct bytes text)
{
    char folded[FOLDED_MAX];
    int len = fold(text, folded);
    if (len <= 0)
        return -1;
    struct bytes wanted = bytes_of(folded, (size_t)len);
    for (int number = 0; number < ROWS; number++) {
        for (const char *const *row_text = rows[number].texts; row_text && *row_text; row_text++) {
            if (bytes_equal(bytes_of_text(*row_text), wanted))
                return number;
        }
    }
    return -1;
}

bool reason_opts_out(int number)
{
    return number == NUMBER_OPTED_OUT || number == NUMBER_INTERNAL_DNC || number == NUMBER_OPT_IN_REVOKED;
}

const char *reason_category_name(enum reason_category category)
{
    static const char *const names[] = {
        [REASON_CONTENT] = "content", [REASON_SENDER] = "sender",         [REASON_RECIPIENT] = "recipient",
        [REASON_CARRIER] = "carrier", [REASON_COMPLIANCE] = "compliance", [REASON_TRANSIENT] = "transient",
    };
    return names[category];
}
