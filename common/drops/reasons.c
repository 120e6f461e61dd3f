#include "reasons.h"

#include "common/text.h"

#include <stddef.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct reason_row {
    struct reason reason;
    const char *const *texts; /* folded, NULL-terminated; NULL: none */
    const int16_t *codes;     /* 0-terminated; NULL: none */
};

/* Designated by number, so that a number used twice is a compiler's warning. */
#define NONE NULL
#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define CODES(...) ((const int16_t[]){__VA_ARGS__, 0})
#define REASON(number, slug, category, resend, opt_out, texts, codes)                                                  \
    [number] = {{slug, REASON_CATEGORY_##category, REASON_RESEND_##resend, REASON_##opt_out}, texts, codes},

static const struct reason_row rows[] = {
#include "reasons.def"
};

enum {
    ROWS = sizeof rows / sizeof rows[0],
    NUMBER_OTHER = 1,
    NUMBER_OPTED_OUT = 9,
    /* A longer text explains something; one of a few words states it. */
    OPT_OUT_WORDS = 8,
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

static bool holds_one_of(const char *folded, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (folded_holds(folded, words[i]))
            return true;
    }
    return false;
}

/* "not" as a word, but the one of "do not call" denies nothing. */
static bool says_not(const char *folded)
{
    for (const char *at = strstr(folded, "not"); at; at = strstr(at + 1, "not")) {
        bool whole = (at == folded || at[-1] == ' ') && (at[3] == ' ' || at[3] == '\0');
        bool of_do = at - folded >= 3 && memcmp(at - 3, "do ", 3) == 0;
        if (whole && !of_do)
            return true;
    }
    return false;
}

/* "Number not opted out", "Message lacks STOP instructions". */
static bool denies(const char *folded)
{
    static const char *const denials[] = {"no",     "never",   "missing",      "lack",     "lacks",    "without",
                                          "must",   "include", "instructions", "language", "required", "pending",
                                          "hasnt",  "havent",  "isnt",         "arent",    "wasnt",    "werent",
                                          "didnt",  "doesnt",  "rate",         "exceeded", "invalid",  "keyword"};
    return says_not(folded) || holds_one_of(folded, denials, COUNT(denials));
}

/* "STOP", "Recipient replied STOP", but not "Non-stop service". */
static bool tells_of_stop(const char *folded)
{
    static const char *const beside[] = {"received", "requested", "replied"};
    return strcmp(folded, "stop") == 0 ||
           (folded_holds(folded, "stop") && holds_one_of(folded, beside, COUNT(beside)));
}

/* The row that opts out and one of whose texts the folded text holds; -1 without one. */
static int opt_out_in(const char *folded)
{
    if (folded_count(folded) > OPT_OUT_WORDS || denies(folded))
        return -1;
    for (int number = 0; number < ROWS; number++) {
        if (rows[number].reason.opt_out == REASON_STAYS)
            continue;
        for (const char *const *text = rows[number].texts; text && *text; text++) {
            if (folded_holds(folded, *text))
                return number;
        }
    }
    return tells_of_stop(folded) ? NUMBER_OPTED_OUT : -1;
}

int reason_by_text(struct bytes text)
{
    char folded[TEXT_FOLDED];
    if (!text_fold(text, folded))
        return -1;
    for (int number = 0; number < ROWS; number++) {
        for (const char *const *row_text = rows[number].texts; row_text && *row_text; row_text++) {
            if (strcmp(*row_text, folded) == 0)
                return number;
        }
    }
    return opt_out_in(folded);
}

bool reason_text_sounds_like_opt_out(struct bytes text)
{
    static const char *const stems[] = {"opt", "unsub", "stop", "dnc", "revok"};
    char folded[TEXT_FOLDED];
    text_fold(text, folded);
    for (const char *word = folded; word; word = strchr(word, ' ')) {
        word += *word == ' ';
        for (size_t i = 0; i < COUNT(stems); i++) {
            if (strncmp(word, stems[i], strlen(stems[i])) == 0)
                return true;
        }
    }
    return false;
}

enum reason_opt_out reason_opt_out(int number)
{
    return number >= 0 && number < ROWS ? rows[number].reason.opt_out : REASON_STAYS;
}

const char *reason_category_name(enum reason_category category)
{
    switch (category) {
    case REASON_CATEGORY_UNKNOWN:
        return "unknown";
    case REASON_CATEGORY_CONTENT:
        return "content";
    case REASON_CATEGORY_SENDER:
        return "sender";
    case REASON_CATEGORY_RECIPIENT:
        return "recipient";
    case REASON_CATEGORY_CARRIER:
        return "carrier";
    case REASON_CATEGORY_COMPLIANCE:
        return "compliance";
    case REASON_CATEGORY_TRANSIENT:
        return "transient";
    }
    return "unknown";
}

const char *reason_resend_name(enum reason_resend resend)
{
    switch (resend) {
    case REASON_RESEND_UNKNOWN:
        return "unknown";
    case REASON_RESEND_NEVER:
        return "never";
    case REASON_RESEND_AFTER_FIX:
        return "after_fix";
    case REASON_RESEND_LATER:
        return "later";
    }
    return "unknown";
}
