/* Texts as people and vendors write them, compared without what does not matter. ASCII letters only; every other byte
   stands for itself. Pure. */
#ifndef DROPBRIDGE_TEXT_H
#define DROPBRIDGE_TEXT_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>

/* Without the white space around it. */
struct bytes text_trim(struct bytes text);

/* Letter case aside; `word` is in lower case. */
bool text_is(struct bytes text, const char *word);
bool text_begins(struct bytes text, const char *word);
bool text_ends(struct bytes text, const char *word);
bool text_holds(struct bytes text, const char *word);

enum { TEXT_FOLDED = 256 };

/* The words alone: letters in lower case, white space and punctuation as one space between words, apostrophes left out,
   a NUL as the byte 1. Of punctuation beyond ASCII the marks that telephones put into texts count too: no-break and
   ideographic spaces, byte order marks, U+2000 to U+206F. False if that is empty or longer than TEXT_FOLDED - 1 bytes;
   `out` then holds its beginning. */
bool text_fold(struct bytes text, char out[TEXT_FOLDED]);

/* Letters in lower case; `out` holds text.len + 1. */
void text_lower(struct bytes text, char *out);

/* A text of digits alone, as a number; past 10^18 it is not exact. */
bool text_digits(struct bytes text, double *number);

/* Copies the first `limit` bytes, not cutting a UTF-8 character, NUL shown as U+FFFD; `out` holds limit + 1. */
void text_for_display(struct bytes text, size_t limit, char *out);

/* Whether `words`, one or several, stand in a folded text as whole words. */
bool folded_holds(const char *folded, const char *words);
/* How many words a folded text has; 0 if it is empty. */
size_t folded_count(const char *folded);

#endif
