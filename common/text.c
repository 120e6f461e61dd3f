#include "text.h"

#include <string.h>

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool is_punctuation(uint8_t byte)
{
    return (byte > ' ' && byte < '0') || (byte > '9' && byte < 'A') || (byte > 'Z' && byte < 'a') ||
           (byte > 'z' && byte < 0x7f);
}

static uint8_t lower(uint8_t byte)
{
    return (uint8_t)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
}

struct bytes text_trim(struct bytes text)
{
    while (text.len > 0 && is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* `len` bytes from `at` on are there. */
static bool same(struct bytes text, size_t at, const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (lower(text.data[at + i]) != (uint8_t)word[i])
            return false;
    }
    return true;
}

bool text_is(struct bytes text, const char *word)
{
    size_t len = strlen(word);
    return text.len == len && same(text, 0, word, len);
}

bool text_begins(struct bytes text, const char *word)
{
    size_t len = strlen(word);
    return text.len >= len && same(text, 0, word, len);
}

bool text_ends(struct bytes text, const char *word)
{
    size_t len = strlen(word);
    return text.len >= len && same(text, text.len - len, word, len);
}

bool text_holds(struct bytes text, const char *word)
{
    size_t len = strlen(word);
    for (size_t at = 0; at + len <= text.len; at++) {
        if (same(text, at, word, len))
            return true;
    }
    return false;
}

/* Telephones and word processors write these: how long the space or punctuation mark beyond ASCII is that the text
   begins with; 0 if it begins with none. */
static size_t mark_length(struct bytes text)
{
    static const struct {
        const char *first, *last;
    } marks[] = {
        {"\xc2\xa0", "\xc2\xa0"},                 /* no-break space */
        {"\xe2\x80\x80", "\xe2\x81\xaf"},         /* U+2000 to U+206F: spaces, dashes, quotation marks, ellipses */
        {"\xe3\x80\x80", "\xe3\x80\x80"},         /* ideographic space */
        {"\xef\xbb\xbf", "\xef\xbb\xbf"},         /* byte order mark */
    };
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        const size_t len = strlen(marks[i].first);
        if (text.len >= len && memcmp(text.data, marks[i].first, len) >= 0 && memcmp(text.data, marks[i].last, len) <= 0)
            return len;
    }
    return 0;
}

/* ' and, as telephones write them, U+2018 and U+2019. */
static size_t apostrophe_length(struct bytes text)
{
    if (text.data[0] == '\'')
        return 1;
    const bool curly = text.len >= 3 && memcmp(text.data, "\xe2\x80", 2) == 0 && (text.data[2] | 1) == 0x99;
    return curly ? 3 : 0;
}

bool text_fold(struct bytes text, char out[TEXT_FOLDED])
{
    size_t len = 0;
    bool space_due = false;
    bool cut = false;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = text.data[i];
        const struct bytes rest = bytes_of(text.data + i, text.len - i);
        const size_t apostrophe = apostrophe_length(rest);
        const size_t mark = byte < 0x80 ? is_space(byte) || is_punctuation(byte) : mark_length(rest);
        if (apostrophe > 0 || mark > 0) {
            space_due = len > 0 && (space_due || apostrophe == 0);
            i += (apostrophe > 0 ? apostrophe : mark) - 1;
            continue;
        }
        cut = len + space_due + 1 >= TEXT_FOLDED;
        if (cut)
            break;
        if (space_due)
            out[len++] = ' ';
        space_due = false;
        out[len++] = (char)(byte == '\0' ? 1 : lower(byte));
    }
    out[len] = '\0';
    return len > 0 && !cut;
}

bool folded_holds(const char *folded, const char *words)
{
    size_t len = strlen(words);
    for (const char *at = strstr(folded, words); at; at = strstr(at + 1, words)) {
        if ((at == folded || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    }
    return false;
}

size_t folded_count(const char *folded)
{
    size_t count = folded[0] != '\0';
    for (; *folded; folded++)
        count += *folded == ' ';
    return count;
}

void text_lower(struct bytes text, char *out)
{
    for (size_t i = 0; i < text.len; i++)
        out[i] = (char)lower(text.data[i]);
    out[text.len] = '\0';
}

bool text_digits(struct bytes text, double *number)
{
    double value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (text.data[i] - '0');
    }
    if (text.len > 0)
        *number = value;
    return text.len > 0;
}

void text_for_display(struct bytes text, size_t limit, char *out)
{
    static const char replacement[] = "\xef\xbf\xbd";
    size_t len = 0;
    size_t at = 0;
    while (at < text.len) {
        bool nul = text.data[at] == '\0';
        /* A character is its first byte and the continuation bytes behind it. */
        size_t width = 1;
        while (at + width < text.len && (text.data[at + width] & 0xc0) == 0x80)
            width++;
        size_t shown = nul ? sizeof replacement - 1 : width;
        if (len + shown > limit)
            break;
        memcpy(out + len, nul ? (const void *)replacement : text.data + at, shown);
        len += shown;
        at += width;
    }
    out[len] = '\0';
}
