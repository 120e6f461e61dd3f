/* Phone numbers: as people write them, as E.164, and packed as records hold them. Pure. */
#ifndef DROPBRIDGE_PHONE_H
#define DROPBRIDGE_PHONE_H

#include "common/bytes.h"
#include "common/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PHONE_PACKED = 8 };

/* Digits, two a byte, each as digit + 1, so that packed numbers sort as their texts do. */
struct phone {
    uint8_t len; /* bytes; 0: none */
    uint8_t packed[PHONE_PACKED];
};

/* To E.164. `tel:` and an extension (`x`, `ext`, `#`, `;`, `,` and what follows) are cut; a leading `+`, `00` or `011`
   begins a country code, and `(0)` behind one is dropped; without one, ten digits get "+1", others "+". False, with
   `out` untouched, if letters or `@` are left, if it is not 7 to 15 digits, or if a country code begins with 0. */
bool phone_normalize(struct bytes text, char out[LIMIT_PHONE + 1]);

/* "+15552224444" → packed; of other bytes than digits none are kept. */
struct phone phone_pack(const char *text);
/* With its NUL; "" for none. */
void phone_text(const struct phone *phone, char out[LIMIT_PHONE + 1]);
/* <0, 0, >0 in the order of the texts. */
int phone_compare(const struct phone *a, const struct phone *b);

#endif
