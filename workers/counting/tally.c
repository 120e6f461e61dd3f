#include "tally.h"

#include "common/fnv1a.h"
#include "common/little_endian.h"

#include <stdlib.h>
#include <string.h>

enum {
    TEXTS_LIMIT = 4 * 1024 * 1024,
    NUMBERS_MAX = 32767, /* the script's numbers */
    SLOTS = 4 * 32768,   /* a power of two, more than there are numbers */
};

struct key {
    size_t name, name_len; /* in `texts` */
    unsigned how;
    int64_t ttl_s;
};

struct cell {
    size_t field, field_len;
    unsigned key;
};

struct class {
    struct tally_class what;
    unsigned campaign_costs, totals_costs, cost;
    unsigned count;
    uint16_t cells[TALLY_CLASS_CELLS];
};

enum kind { KEYS, CELLS, CLASSES, KINDS };

/* All that can be asked for is found by hash. */
struct slot {
    uint32_t hash, round; /* of another round: free */
    uint16_t number, kind;
};

/* Of all that it has room for only what is used takes memory. */
struct tally {
    struct buf texts;
    uint32_t round; /* how often it was reset */
    size_t counts[KINDS];
    bool failed;
    struct key keys[NUMBERS_MAX + 1]; /* all from 1 */
    struct cell cells[NUMBERS_MAX + 1];
    struct class classes[NUMBERS_MAX + 1];
    struct slot slots[SLOTS];
};

struct tally *tally_new(void)
{
    struct tally *tally = calloc(1, sizeof *tally);

    if (!tally)
        return NULL;
    buf_init(&tally->texts, TEXTS_LIMIT);
    tally->round = 1;
    return tally;
}

void tally_free(struct tally *tally)
{
    if (!tally)
        return;
    buf_clear(&tally->texts);
    free(tally);
}

void tally_reset(struct tally *tally)
{
    buf_reset(&tally->texts);
    memset(tally->counts, 0, sizeof tally->counts);
    tally->failed = false;
    if (++tally->round == 0) { /* after years */
        memset(tally->slots, 0, sizeof tally->slots);
        tally->round = 1;
    }
}

/* --- Numbers ------------------------------------------------------------------------------------------------------ */

/* A new number; 0 past what the script's numbers can name. */
static unsigned add(struct tally *tally, enum kind kind)
{
    if (tally->counts[kind] == NUMBERS_MAX) {
        tally->failed = true;
        return 0;
    }
    return (unsigned)++tally->counts[kind];
}

typedef bool is_wanted(const struct tally *tally, unsigned number, const void *wanted);

/* The number of what is wanted; *made is whether it is new, and still to be filled. 0 as add. */
static unsigned number_of(struct tally *tally, enum kind kind, uint32_t hash, is_wanted *is, const void *wanted, bool *made)
{
    size_t place = hash % SLOTS;
    struct slot *slot;

    *made = false;
    for (slot = &tally->slots[place]; slot->round == tally->round; slot = &tally->slots[place]) {
        if (slot->hash == hash && slot->kind == kind && is(tally, slot->number, wanted))
            return slot->number;
        place = (place + 1) % SLOTS;
    }
    *slot = (struct slot){
        .hash = hash, .round = tally->round, .number = (uint16_t)add(tally, kind), .kind = (uint16_t)kind};
    *made = slot->number > 0;
    return slot->number;
}

/* --- Keys and cells ----------------------------------------------------------------------------------------------- */

/* The name of a key, or a field of the key with that number. */
struct text {
    const void *data;
    size_t len;
    unsigned key;
};

static bool is_text(const struct tally *tally, size_t at, size_t len, const struct text *text)
{
    return text->len == len && (len == 0 || memcmp(tally->texts.data + at, text->data, len) == 0);
}

static bool is_key(const struct tally *tally, unsigned number, const void *wanted)
{
    return is_text(tally, tally->keys[number].name, tally->keys[number].name_len, wanted);
}

static bool is_cell(const struct tally *tally, unsigned number, const void *wanted)
{
    const struct cell *cell = &tally->cells[number];
    const struct text *text = wanted;

    return cell->key == text->key && is_text(tally, cell->field, cell->field_len, text);
}

static size_t keep_text(struct tally *tally, const struct text *text)
{
    size_t at = tally->texts.len;

    tally->failed |= !buf_append(&tally->texts, text->len > 0 ? text->data : "", text->len);
    return at;
}

unsigned tally_key(struct tally *tally, const char *key, unsigned how, int64_t ttl_s)
{
    const struct text text = {.data = key, .len = strlen(key)};
    bool made;
    unsigned number = number_of(tally, KEYS, fnv1a(text.data, text.len, FNV1A_BEGIN), is_key, &text, &made);

    if (made)
        tally->keys[number] = (struct key){.name = keep_text(tally, &text), .name_len = text.len, .how = how, .ttl_s = ttl_s};
    return number;
}

unsigned tally_cell(struct tally *tally, unsigned key, const void *field, size_t len)
{
    const struct text text = {.data = field, .len = len, .key = key};
    uint32_t hash = fnv1a(field, len, fnv1a(&key, sizeof key, FNV1A_BEGIN));
    bool made = false;
    unsigned number = key > 0 ? number_of(tally, CELLS, hash, is_cell, &text, &made) : 0;

    if (made)
        tally->cells[number] = (struct cell){.field = keep_text(tally, &text), .field_len = len, .key = key};
    return number;
}

unsigned tally_field(struct tally *tally, unsigned key, const char *field)
{
    return tally_cell(tally, key, field, strlen(field));
}

/* --- Classes ------------------------------------------------------------------------------------------------------ */

static bool is_class(const struct tally *tally, unsigned number, const void *wanted)
{
    return memcmp(&tally->classes[number].what, wanted, sizeof(struct tally_class)) == 0;
}

unsigned tally_class(struct tally *tally, const struct tally_class *class, bool *made)
{
    uint32_t hash = fnv1a(class, sizeof *class, FNV1A_BEGIN);
    unsigned number = number_of(tally, CLASSES, hash, is_class, class, made);

    if (*made) {
        memset(&tally->classes[number], 0, sizeof tally->classes[number]);
        memcpy(&tally->classes[number].what, class, sizeof *class);
    }
    return number;
}

unsigned tally_class_alone(struct tally *tally)
{
    unsigned number = add(tally, CLASSES);

    memset(&tally->classes[number], 0, sizeof tally->classes[number]);
    return number;
}

void tally_class_add(struct tally *tally, unsigned class, unsigned cell)
{
    struct class *row = &tally->classes[class];

    if (class == 0 || cell == 0 || row->count == TALLY_CLASS_CELLS)
        tally->failed = true;
    else
        row->cells[row->count++] = (uint16_t)cell;
}

void tally_class_costs(struct tally *tally, unsigned class, unsigned campaign_cell, unsigned totals_cell)
{
    tally->failed |= class == 0 || campaign_cell == 0 || totals_cell == 0;
    tally->classes[class].campaign_costs = campaign_cell;
    tally->classes[class].totals_costs = totals_cell;
}

void tally_class_cost(struct tally *tally, unsigned class, unsigned cell)
{
    tally->failed |= class == 0 || cell == 0;
    tally->classes[class].cost = cell;
}

/* --- Writing ------------------------------------------------------------------------------------------------------ */

struct tally_counts tally_counts(const struct tally *tally)
{
    return (struct tally_counts){tally->counts[KEYS], tally->counts[CELLS], tally->counts[CLASSES]};
}

bool tally_write(const struct tally *tally, struct arguments *arguments)
{
    if (tally->failed)
        return false;
    for (size_t i = 1; i <= tally->counts[KEYS]; i++) {
        const struct key *key = &tally->keys[i];
        uint8_t head[5];

        put_little_endian(put_little_endian(head, key->how, 1), (uint64_t)key->ttl_s, 4);
        arguments_add(arguments, tally->texts.data + key->name, key->name_len);
        arguments_add(arguments, head, sizeof head);
    }
    for (size_t i = 1; i <= tally->counts[CELLS]; i++) {
        const struct cell *cell = &tally->cells[i];

        arguments_add_number(arguments, cell->key);
        arguments_add(arguments, tally->texts.data + cell->field, cell->field_len);
    }
    for (size_t i = 1; i <= tally->counts[CLASSES]; i++) {
        const struct class *class = &tally->classes[i];
        uint8_t row[6 + 2 * TALLY_CLASS_CELLS];
        uint8_t *at = put_little_endian(put_little_endian(row, class->campaign_costs, 2), class->totals_costs, 2);

        at = put_little_endian(at, class->cost, 2);
        for (unsigned n = 0; n < class->count; n++)
            at = put_little_endian(at, class->cells[n], 2);
        arguments_add(arguments, row, (size_t)(at - row));
    }
    return !arguments->bytes.overflow;
}
