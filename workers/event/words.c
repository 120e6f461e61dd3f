#include "words.h"

#include "common/text.h"

#include <stddef.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *name;
    enum name_meaning meaning;
} names[] = {
#define NAME(name, meaning) {name, NAME_##meaning},
#include "words.def"
};

static const struct {
    const char *word;
    enum status_meaning meaning;
} statuses[] = {
#define STATUS(status, meaning) {status, STATUS_##meaning},
#include "words.def"
};

static const char *const stop_texts[] = {
#define STOP_TEXT(text) text,
#include "words.def"
};

static const char *const opt_in_texts[] = {
#define OPT_IN_TEXT(text) text,
#include "words.def"
};

/* "contact.<one or more characters><suffix>" */
static bool is_contact_event(struct bytes name, const char *suffix)
{
    static const char prefix[] = "contact.";
    return text_begins(name, prefix) && text_ends(name, suffix) && name.len > strlen(prefix) + strlen(suffix);
}

enum name_meaning name_meaning(struct bytes name)
{
    name = text_trim(name);
    if (name.len == 0)
        return NAME_NONE;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (text_is(name, names[i].name))
            return names[i].meaning;
    }
    if (is_contact_event(name, ".status"))
        return NAME_STATUS;
    return is_contact_event(name, ".receipt") ? NAME_RECEIPT : NAME_OTHER;
}

bool name_is_of_campaign(struct bytes name)
{
    return text_begins(text_trim(name), "campaign.");
}

static bool holds_one_of(struct bytes name, const char *const *stems, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text_holds(name, stems[i]))
            return true;
    }
    return false;
}

bool name_sounds_like_opt_out(struct bytes name)
{
    static const char *const stems[] = {"optout", "opt_out", "opt-out", "unsub", "revok"};
    return holds_one_of(name, stems, COUNT(stems));
}

bool name_sounds_like_consent(struct bytes name)
{
    static const char *const stems[] = {"opt", "consent", "stop", "unsub", "revok"};
    return holds_one_of(name, stems, COUNT(stems));
}

enum status_meaning status_meaning(struct bytes status, const char **word)
{
    char folded[TEXT_FOLDED];
    *word = "";
    if (text_trim(status).len == 0)
        return STATUS_NONE;
    if (!text_fold(status, folded))
        return STATUS_UNKNOWN;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        if (strcmp(folded, statuses[i].word) == 0) {
            *word = statuses[i].word;
            return statuses[i].meaning;
        }
    }
    return STATUS_UNKNOWN;
}

static bool is_one_of(struct bytes text, const char *const *texts, size_t count)
{
    char folded[TEXT_FOLDED];
    if (!text_fold(text, folded))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(folded, texts[i]) == 0)
            return true;
    }
    return false;
}

bool is_stop_text(struct bytes text)
{
    return is_one_of(text, stop_texts, COUNT(stop_texts));
}

bool is_opt_in_text(struct bytes text)
{
    return is_one_of(text, opt_in_texts, COUNT(opt_in_texts));
}
