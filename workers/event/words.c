#include "words.h"

#include "common/text.h"

#include <stddef.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum vocabulary { OF_NAMES, OF_SOUNDS, OF_STATUSES, OF_TEXTS };

static const struct word {
    enum vocabulary vocabulary;
    const char *text;
    int meaning;
} words[] = {
#define NAME(name, meaning) {OF_NAMES, name, NAME_##meaning},
#define SOUND(stem, meaning) {OF_SOUNDS, stem, NAME_SOUNDS_LIKE_##meaning},
#define STATUS(status, meaning) {OF_STATUSES, status, STATUS_##meaning},
#define TEXT(text, meaning) {OF_TEXTS, text, TEXT_##meaning},
#include "words.def"
#undef NAME
#undef SOUND
#undef STATUS
#undef TEXT
};

/* NULL if the vocabulary does not have it. */
static const struct word *find(enum vocabulary vocabulary, struct bytes text)
{
    for (size_t i = 0; i < COUNT(words); i++) {
        if (words[i].vocabulary == vocabulary && text_is(text, words[i].text))
            return &words[i];
    }
    return NULL;
}

static const struct word *find_folded(enum vocabulary vocabulary, struct bytes text)
{
    char folded[TEXT_FOLDED];
    return text_fold(text, folded) ? find(vocabulary, bytes_of_text(folded)) : NULL;
}

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
    const struct word *found = find(OF_NAMES, name);
    if (found)
        return (enum name_meaning)found->meaning;
    if (is_contact_event(name, ".status"))
        return NAME_STATUS;
    return is_contact_event(name, ".receipt") ? NAME_RECEIPT : NAME_OTHER;
}

bool name_is_of_campaign(struct bytes name)
{
    return text_begins(text_trim(name), "campaign.");
}

enum name_sound name_sound(struct bytes name)
{
    char folded[TEXT_FOLDED];
    const size_t count = text_fold(name, folded) ? COUNT(words) : 0;
    for (size_t i = 0; i < count; i++) {
        if (words[i].vocabulary == OF_SOUNDS && strstr(folded, words[i].text))
            return (enum name_sound)words[i].meaning;
    }
    return NAME_SOUNDS_LIKE_NOTHING;
}

enum status_meaning status_meaning(struct bytes status, const char **word)
{
    const struct word *found = find_folded(OF_STATUSES, status);
    *word = found ? found->text : "";
    if (found)
        return (enum status_meaning)found->meaning;
    return text_trim(status).len == 0 ? STATUS_NONE : STATUS_UNKNOWN;
}

enum text_meaning text_meaning(struct bytes text)
{
    const struct word *found = find_folded(OF_TEXTS, text);
    return found ? (enum text_meaning)found->meaning : TEXT_OTHER;
}
